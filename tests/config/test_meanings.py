"""A metric is explained by the code of the model's own family."""

from __future__ import annotations

import pytest
from conftest import model_node

from nnlab.config.glossary import glossary
from nnlab.config.meanings import direction, meanings, reached


def test_a_metric_of_a_family_is_explained_by_that_family(model: str) -> None:
    target = model_node(model)["_target_"]
    family = ".".join(target.split(".")[:3])
    near, trainer = reached(target)
    own = (f"{family}.", "nnlab.metrics", "nnlab.evaluators", "nnlab.training", *sorted(near))
    for name, text in meanings(target).items():
        assert any(m.module.startswith(own) for m in glossary()[name] if m.text == text), name
    others = {name.split(".")[2] for name in near if name.startswith("nnlab.families.")} - {family.split(".")[2]}
    assert others <= {"ae"}, "srresnet learns as an autoencoder does"
    assert trainer
    assert target.rpartition(".")[0] in near


@pytest.mark.parametrize(
    ("target", "name", "said"),
    [
        ("nnlab.families.classifier.cnn.CNN", "loss", "cross-entropy"),
        ("nnlab.families.vae.vq_vae.VQVAE", "kl", "of the prior, nats per image"),
        ("nnlab.families.vae.beta_vae.BetaVAE", "kl", "the information in the code"),
        ("nnlab.families.em.gmm.GMM", "log_likelihood", "mean log p(x), nats per example"),
        ("nnlab.families.em.generative_classifier.GenerativeClassifier", "log_likelihood", "under its own class"),
        ("nnlab.families.rbm.boltzmann.Boltzmann", "log_likelihood", "exact, only for few units"),
        ("nnlab.families.contrastive.supcon.SupCon", "loss", "supervised contrastive"),
        ("nnlab.families.rbm.rbm.RBM", "log_likelihood", "annealed importance sampling"),
        ("mine.Net", "psnr", "10 log₁₀"),
    ],
)
def test_of_several_meanings_the_nearest_is_taken(target: str, name: str, said: str) -> None:
    assert said in meanings(target)[name]


def test_a_users_own_model_gets_no_meaning_of_another_family() -> None:
    assert "cluster_size" not in meanings("mine.Net")
    assert "real_score" not in meanings("mine.Net")
    assert "real_score" in meanings("nnlab.families.gan.dcgan.DCGAN")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dB; higher is better", "higher"), ("nats. Lower is better; compare", "lower"), ("a share", None), ("", None)],
)
def test_which_values_are_better(text: str, expected: str | None) -> None:
    assert direction(text) == expected


def test_the_usual_figures_say_which_values_are_better() -> None:
    known = meanings("nnlab.families.vae.vae.VAE")
    sides = {name: direction(known[name]) for name in ("mse", "psnr", "ssim", "negative_elbo", "precision", "recall")}
    assert sides == {
        "mse": "lower",
        "psnr": "higher",
        "ssim": "higher",
        "negative_elbo": "lower",
        "precision": "higher",
        "recall": "higher",
    }
