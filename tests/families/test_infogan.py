"""Codes that can be read off images: the bound on the information, who learns from it, and that no label has a part in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built, same_bits, small
from games import answer, train_discriminator
from scipy.stats import chisquare, kstest, norm
from sklearn.metrics import log_loss, normalized_mutual_info_score
from torch import nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.infogan import LEAST_SD, InfoGAN
from nnlab.families.gan.objectives import NonSaturating

SPEC = DataSpec("own", "image", (1, 8, 8))
FLOAT32 = "trainer.precision=float32"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def infogan(**options) -> InfoGAN:
    torch.manual_seed(0)
    return InfoGAN(SPEC, latent_dim=5, channels=[4, 8], **options).eval()


def batch(n: int = 6) -> Batch:
    x = torch.rand(n, 1, 8, 8, generator=seeded())
    return Batch(x, x)


def test_the_information_is_that_of_scikit_learn_and_scipy() -> None:
    net = infogan(categories=4)
    rng = np.random.default_rng(0)
    c, s = torch.tensor(rng.integers(0, 4, 50)), torch.tensor(rng.uniform(-1, 1, (50, 2)), dtype=torch.float32)
    x = torch.rand(50, 1, 8, 8, generator=seeded())
    with torch.no_grad():
        categorical, continuous = net.information(net.features(x), c, s)
        logits, mean, sd = (part.double().numpy() for part in net.read(net.features(x)))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert categorical.item() == pytest.approx(np.log(4) - log_loss(c, chances, labels=range(4)), abs=1e-6)
    assert continuous.item() == pytest.approx((np.log(2) + norm.logpdf(s, mean, sd)).sum(1).mean(), abs=1e-5)
    assert (sd > LEAST_SD).all()


class Table(nn.Module):
    """Q(c|x) as a table of log-probabilities, of images x that are given as one-hot features."""

    def __init__(self, q: torch.Tensor) -> None:
        super().__init__()
        self.q = q

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.q.log()


def test_the_bound_is_the_mutual_information_where_q_is_the_posterior_and_less_elsewhere() -> None:
    """A channel of 3 equally likely codes and 4 images, as counts of the joint distribution."""
    joint = torch.tensor([[70, 20, 5, 5], [10, 60, 20, 10], [5, 5, 40, 50]])
    p = joint.double() / joint.sum()
    information = (p * (p / (p.sum(1, keepdim=True) * p.sum(0))).log()).sum().item()
    pair = torch.arange(12).repeat_interleave(joint.flatten())
    code, features = pair // 4, nn.functional.one_hot(pair % 4, 4).float()
    net = infogan(categories=3, continuous=0)
    none = torch.empty(len(code), 0)

    def bound(q: torch.Tensor) -> float:
        net.posterior = Table(q.float())
        return net.information(features, code, none)[0].item()

    posterior = (p / p.sum(0)).T
    assert bound(posterior) == pytest.approx(information, abs=1e-6)
    for seed in range(5):
        other = torch.rand(4, 3, generator=seeded(seed)) + 0.1
        assert bound(other / other.sum(1, keepdim=True)) < information


def gradients(loss: torch.Tensor, net: InfoGAN) -> dict[str, bool]:
    """Which of the networks the gradient of a loss reaches."""
    parts = {"generator": net.generator, "body": net.discriminator[0], "head": net.discriminator[1], "posterior": net.posterior}
    net.zero_grad()
    loss.backward(retain_graph=True)
    return {name: any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters()) for name, part in parts.items()}


def test_who_learns_from_what() -> None:
    net = infogan()
    play = net.play(batch(), seeded())
    answer = net.answer(play, NonSaturating())
    assert gradients(answer.terms["generator_loss"], net) == {"generator": True, "body": True, "head": True, "posterior": False}
    information = answer.terms["categorical_information"] + answer.terms["continuous_information"]
    assert gradients(information, net) == {"generator": True, "body": True, "head": False, "posterior": True}
    assert gradients(answer.losses["generator"], net) == dict.fromkeys(("generator", "body", "head", "posterior"), True)
    players = {name: {id(p) for part in parts for p in part.parameters()} for name, parts in net.players().items()}
    assert players["generator"] == {id(p) for part in (net.generator, net.posterior) for p in part.parameters()}
    assert players["discriminator"] == {id(p) for p in net.discriminator.parameters()}


def test_the_features_learn_by_the_game_alone() -> None:
    """The discriminator's update is the same whatever the codes were and however much their information weighs."""
    moved = []
    for weight in (0.1, 10.0):
        weights = [f"model.categorical_weight={weight}", f"model.continuous_weight={weight}"]
        experiment = built(*small("infogan"), FLOAT32, *weights)
        experiment.initialize()
        trainer, net = experiment.trainer, experiment.model
        net.train()
        play = trainer.play(trainer.feed.batch(trainer.rows(0), trainer.generator))
        train_discriminator(trainer, play)
        before = {name: value.clone() for name, value in net.discriminator.named_parameters()}
        answer(trainer, play)
        assert same_bits(before, dict(net.discriminator.named_parameters()))
        moved.append(before)
    assert same_bits(*moved)


def test_the_generators_loss_is_the_games_less_the_weighted_information() -> None:
    net = infogan(categorical_weight=0.7, continuous_weight=0.3)
    play = net.play(batch(), seeded())
    answer, objective = net.answer(play, NonSaturating()), NonSaturating()
    terms = answer.terms
    game = objective.generator(net.discriminate(*play.fake)).mean()
    information = 0.7 * terms["categorical_information"] + 0.3 * terms["continuous_information"]
    assert torch.allclose(answer.losses["generator"], game - information, atol=1e-6)


def test_codes_are_drawn_as_the_entropies_say() -> None:
    _, c, s = infogan(categories=7).sample_prior(7000, seeded())
    assert chisquare(torch.bincount(c, minlength=7)).pvalue > 0.01
    assert kstest(s.flatten().numpy(), "uniform", args=(-1, 2)).pvalue > 0.01


def test_an_image_is_made_of_every_code() -> None:
    net = infogan()
    z, c, s = net.sample_prior(5, seeded())
    with torch.no_grad():
        made = net.made(z, c, s)
        for other in (net.made(z + 1, c, s), net.made(z, (c + 1) % 10, s), net.made(z, c, s * torch.tensor([1.0, -1.0]))):
            assert ((made - other).abs().flatten(1).amax(1) > 0).all()


def test_no_label_has_a_part_in_learning() -> None:
    rng = np.random.default_rng(0)
    images = {"x_train": rng.integers(0, 256, (200, 8, 8), dtype=np.uint8), "x_test": np.zeros((9, 8, 8), np.uint8)}
    learned = []
    for name, shift in {"one": 0, "other": 1, "none": None}.items():
        label = {} if shift is None else {"y_train": (np.arange(200) + shift) % 3, "y_test": np.arange(9) % 3}
        np.savez(f"{name}.npz", **images, **label)
        own = ["data=npz", "data.root=.", f"data.file={name}.npz"]
        experiment = built(*small("infogan"), *own, FLOAT32, "trainer.batch_size=50")
        experiment.initialize()
        experiment.trainer.train(0, 5, lambda: False)
        learned.append(dict(experiment.model.state_dict()))
        assert ("nmi" in experiment.trainer.evaluate("test")) == bool(label)
    assert same_bits(learned[0], learned[1])
    assert same_bits(learned[0], learned[2])


def test_the_agreement_with_the_classes_is_scikit_learns_of_the_likeliest_category() -> None:
    experiment = built(*small("infogan"), FLOAT32)
    experiment.initialize()
    net, split = experiment.model.eval(), experiment.data.test
    with torch.inference_mode():
        code = net.encode(split.values(split.rows))
    assert code.shape == (len(split), 12)
    assert torch.allclose(code[:, :10].sum(1), torch.ones(len(split)))
    expected = normalized_mutual_info_score(split.labels(split.rows), code[:, :10].argmax(1))
    assert experiment.trainer.evaluate("test")["nmi"] == pytest.approx(expected)


def test_a_picture_for_every_code_with_a_row_a_category() -> None:
    with torch.inference_mode():
        drawn = {n: infogan(categories=4, continuous=n).pictures(batch(), [], seeded()) for n in (0, 3)}
    assert set(drawn[0]) == {"codes"}
    assert set(drawn[3]) == {"codes", "motion_1", "motion_2", "motion_3"}
    moving = drawn[3]["motion_2"][-195:, -545:]  # the images alone
    assert moving.std() > 0
