"""Every figure that a run records, of every model and split, beside an independent computation of it.

The runs below reach each figure. A figure without a line in the tables fails; so does a line that nothing records.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import expected_models as m
import expected_outputs as o
import expected_terms as t
import numpy as np
import pytest
from recorded_run import Asked, RecordedRun, overrides_of

from nnlab.config import search
from nnlab.config.glossary import glossary

MODELS = list(search.options("model"))
BITS = "data.binarize=threshold"
ALONE = ["trainer.discriminator.optimizer.lr=0.0"]  # of a discriminator with an optimizer of its own
RUNS: dict[str, tuple[str, list[str]]] = {
    **{name: (name, []) for name in MODELS},
    "rbm": ("rbm", [BITS]),
    "dbn": ("dbn", [BITS]),
    "hopfield": ("hopfield", [BITS]),
    "boltzmann": ("boltzmann", [BITS, "model.hidden=3"]),
    "infogan": ("infogan", ALONE),
    "sagan": ("sagan", ALONE),
    "fcnn": ("fcnn", ["optimizer.lr=0.03"]),  # sure of itself after three steps
    "a hole": ("ae", ["noise=hole"]),
    "few holes": ("ae", ["noise=masking", "noise.amount=0.02"]),  # some examples lose nothing
    "few units": ("boltzmann", ["data=npz", "data.file=bits.npz", "model.hidden=3"]),
    "codes apart": ("vae", ["optimizer.lr=0.05"]),  # whose means vary as much as the prior; after three usual steps not at all
    "a likelihood": ("vae", [BITS, "model.latent_dim=1", "trainer.likelihood.samples=400"]),
    "annealing": ("rbm", [BITS, "trainer.likelihood.method=ais"]),
    "rates of units": ("sparse_ae", ["model.penalty=kl"]),
    "squares of units": ("sparse_ae", ["model.penalty=l2"]),
    "one layer": ("contractive_ae", ["model.hidden=[]"]),
    "four starts": ("kmeans", ["model.n_init=4"]),
    "one width": ("gmm", ["model.covariance=spherical"]),
    "one covariance": ("gmm", ["model.covariance=tied"]),
    "an early objective": ("gan", ["trainer.objective=minimax"]),
    "squares": ("gan", ["trainer.objective=least_squares"]),
    "a penalty": ("gan", ["trainer=wgan_gp", "trainer.discriminator.n_critic=2"]),
    "instance noise": ("gan", ["trainer.discriminator.instance_noise=0.1"]),
    "a capacity": ("beta_vae", ["model.capacity=5", "model.warmup=1"]),
    "a judge": ("ae", ["judge=auto"]),
    "a judge of samples": ("vae", ["judge=auto"]),
    "a judge of classes": ("cvae", ["judge=auto"]),
    "bits of a quantised code": ("vq_vae", [BITS]),
}

Computation = Callable[[Asked], float]
GAN = ("aae", "bigan", "cgan", "dcgan", "gan", "infogan", "sagan", "vae_gan")
VAE = ("beta_vae", "conv_vae", "cvae", "iwae", "vae")
AE = ("ae", "conv_ae", "linear_ae", "pca", "stacked_ae", "unet")


def of(models: tuple[str, ...], **figures: Computation) -> dict[tuple[str, str], Computation]:
    return {(model, name): computation for model in models for name, computation in figures.items()}


# of an evaluation: by name, and by model and name where a model means something of its own
FIGURES: dict[str | tuple[str, str], Computation] = {
    **{f.__name__: f for f in (o.mse, o.psnr, o.ssim, o.input_psnr, o.input_ssim, o.psnr_gain)},
    **{f.__name__: f for f in (o.hole_psnr, o.hole_psnr_mean_fill, o.hole_psnr_interpolation)},
    **{f.__name__: f for f in (o.pca_mse, o.principal_angle, o.penalty, o.jacobian)},
    "contraction": o.contraction,
    "reconstruction": o.squared_error,
    **{f.__name__: f for f in (o.accuracy, o.calibration_error, o.logistic_accuracy)},
    **{
        f.__name__: f
        for f in (
            o.nmi,
            o.ari,
            o.silhouette,
            o.inertia,
            o.within_cluster_distance,
            o.between_center_distance,
            o.volume_saved,
            o.aic,
            o.bic,
        )
    },
    **{f.__name__: f for f in (o.quantization_error, o.topographic_error, o.distortion)},
    **{f.__name__: f for f in (m.kl, m.negative_elbo, m.aggregate_mean, m.aggregate_std, m.aggregate_kl, m.active_units)},
    **{f.__name__: f for f in (m.effective_samples, m.log_likelihood_error, m.bits_per_dimension)},
    **{f.__name__: f for f in (m.commitment, m.perplexity, m.codebook_usage)},
    **{f.__name__: f for f in (m.free_energy, m.free_energy_gap, m.overlap)},
    "energy": m.memory_energy,
    **{f.__name__: f for f in (m.real_score, m.fake_score, m.real_accuracy, m.fake_accuracy)},
    **{f.__name__: f for f in (m.code_mean, m.code_deviation, m.code_correlation)},
    **{f.__name__: f for f in (m.frechet_distance, m.kernel_distance, m.precision, m.recall, m.mode_coverage)},
    **{f.__name__: f for f in (m.min_class_share, m.class_divergence, m.conditional_accuracy)},
    **{f.__name__: f for f in (m.class_agreement, m.judge_accuracy)},
    "n": lambda asked: len(asked.trainer.data.split(asked.split)),
    "checkpoint_step": lambda asked: asked.trainer.total_steps,
    "critic_examples": lambda asked: len(asked.part),
    "samples": lambda asked: 5 if asked.run.model_name == "iwae" else 1,
    "regularisation": lambda asked: 1e-2 if asked.run.model_name == "generative_classifier" else 1e-3,
    "pseudo_count": lambda asked: 0.1,
    "distortion_radius": lambda asked: 0.8 if asked.run.model_name == "som" else 0.0,
    "likelihood_samples": lambda asked: 400,
    "likelihood_chunk": lambda asked: 1000,
    "chains": lambda asked: 100,
    "temperatures": lambda asked: 1000,
    "judge_pairs": lambda asked: 2000,
    "judge_examples": lambda asked: len(asked.part),
    **of(AE, loss=o.squared_error),
    **of(("sparse_ae",), loss=o.sparse_loss, active_units=o.active_share),
    **of(("contractive_ae",), loss=o.contractive_loss),
    **of(("cnn", "fcnn", "transfer", "generative_classifier"), loss=o.cross_entropy),
    **of(VAE, loss=m.variational_loss, reconstruction=m.reconstruction),
    **of(("vae",), log_likelihood=m.log_likelihood),
    **of(("vq_vae",), loss=m.prior_nats, kl=m.prior_nats, reconstruction=m.quantised_reconstruction),
    **of(("vq_vae",), negative_elbo=m.quantised_elbo, bits_per_dimension=m.quantised_bits),
    **of(("rbm", "dbn"), loss=m.pseudo_likelihood),
    **of(("rbm",), log_likelihood=m.exact_likelihood),
    **of(("boltzmann",), loss=m.settled_pseudo_likelihood, free_energy=m.counted_free_energy),
    **of(("boltzmann",), log_likelihood=m.counted_likelihood),
    **of(("gmm", "bernoulli_mixture"), log_likelihood=o.mixture_likelihood),
    **of(("generative_classifier",), log_likelihood=o.class_likelihood),
    **of(("infogan",), nmi=m.category_nmi, ari=m.category_ari),
}
STAGES: dict[tuple[str, str], Computation] = {  # of a stage that is not the last one
    ("stacked_ae", "loss"): o.layer_error,
    ("vq_vae", "loss"): m.first_stage_loss,
}
TERMS: dict[str | tuple[str, str], Computation] = {  # of the first step
    "accuracy": t.accuracy,
    "penalty": t.penalty,
    "contraction": t.contraction,
    "reconstruction": t.squared_error,
    **{f.__name__: f for f in (t.kl, t.commitment, t.perplexity)},
    **{f.__name__: f for f in (t.inertia, t.center_shift, t.empty_clusters, t.log_likelihood, t.quantization_error, t.load)},
    "bound": t.log_likelihood,
    "collapsed_components": lambda asked: 0,
    "energy": t.memory_energy,
    "explained_variance": t.explained_variance,
    **{f.__name__: f for f in (t.discriminator_loss, t.generator_loss, t.encoder_loss, t.real_accuracy, t.fake_accuracy)},
    **{f.__name__: f for f in (t.diversity, t.gradient_penalty, t.weighted_penalty, t.feature_error)},
    **{f.__name__: f for f in (t.categorical_information, t.continuous_information)},
    **{f"{p}_gradient": t.gradient_of(p) for p in ("discriminator", "generator", "encoder", "decoder", "autoencoder")},
    **{f"{p}_lr": lambda asked: 0.0 for p in ("discriminator", "generator", "encoder", "decoder", "autoencoder")},
    "lr": t.first_rate,
    "rate": lambda asked: 0.5,
    "radius": lambda asked: 2.5,  # a quarter of the longer side
    "instance_noise": lambda asked: 0.1,
    "beta": lambda asked: asked.run.first_weights[0],
    "capacity": lambda asked: asked.run.first_weights[1],
    **of(AE, loss=t.squared_error),
    **of(("stacked_ae",), loss=t.stacked_loss),
    **of(("pca",), loss=t.left_over),
    **of(("sparse_ae",), loss=t.sparse_loss),
    **of(("contractive_ae",), loss=t.contractive_loss),
    **of(("cnn", "fcnn", "transfer"), loss=t.cross_entropy),
    **of(VAE, loss=t.variational_loss, reconstruction=t.reconstruction),
    **of(("vq_vae",), loss=t.quantised_loss, reconstruction=t.quantised_reconstruction),
    **of(("rbm", "dbn"), loss=t.pseudo_likelihood),
    **of(("boltzmann",), loss=t.settled_pseudo_likelihood),
    **of(("bernoulli_mixture",), bound=t.bernoulli_bound),
    **of(("generative_classifier",), bound=t.class_likelihood, log_likelihood=t.class_likelihood),
    **of(("generative_classifier",), collapsed_components=t.class_collapsed),
    **of(("aae",), reconstruction=t.code_error),
    **of(("vae_gan",), kl=t.code_kl),
}
LATER_TERMS: dict[tuple[str, str], Computation] = {  # of the first step of a stage that is not the first one
    ("vq_vae", "loss"): t.prior_loss,
}
LOOSE = {  # an estimate, as far as it may be from the exact value: in its own standard errors
    "log_likelihood": "log_likelihood_error",
    "log_likelihood_reverse": "log_likelihood_reverse_error",
}
ERRORS = {"log_likelihood_error", "log_likelihood_reverse_error"}  # of annealing: judged by what they say of the exact value
OPTIONS = {"likelihood_samples", "likelihood_chunk", "chains", "temperatures"}  # of a command line, which its help explains
ROUNDED = {
    ("wta", "quantization_error"): 2e-3
}  # its units begin at examples: of distance 0, which ‖x‖² − 2x·w + ‖w‖² leaves at 1e-3
WITHOUT = {"epoch", "step"}  # where a record is, not what it says
USED: set[tuple[str, object]] = set()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations in batches of which the last is smaller: a mean of means would show."""
    monkeypatch.setattr("nnlab.data.feed.eval_batch_size", lambda split: 37)
    monkeypatch.setattr("nnlab.experiment.judging.LEAST_STEPS", 30)


def recorded(name: str) -> RecordedRun:
    model, more = RUNS[name]
    if "data=npz" in more:
        bits = np.random.default_rng(0).integers(0, 2, (60, 2, 3), dtype=np.uint8)
        np.savez(Path("bits.npz"), x_train=bits[:40] * 255, x_test=bits[40:] * 255)
        more = [*more, f"data.file={Path('bits.npz').absolute()}"]
    return RecordedRun(name.replace(" ", "_"), model, overrides_of(model, *more))


def asked_records(run: RecordedRun) -> Iterator[tuple[dict, Asked, dict, str]]:
    """Each record that is compared, what its figures are asked of, and the table they are found in."""
    stages = [stage.name for stage in run.built().trainer.stages]
    for stage in stages:
        mine = [r for r in run.records if r.get("stage", "") == stage]
        firsts = [r for r in mine if r["split"] == "train"][:1]
        for record in firsts:
            yield record, Asked(run, run.beginner(stage), "train", stage), TERMS, "first"
        for split in ("validation", "test"):
            for record in [r for r in mine if r["split"] == split][-1:]:
                run.parts.clear()
                yield record, Asked(run, run.trainer(stage if stage != stages[-1] else ""), split, stage), FIGURES, "of a split"


def computation(run: RecordedRun, asked: Asked, table: dict, name: str) -> Computation | None:
    model, first = run.model_name, asked.trainer.stages[0].name
    later = LATER_TERMS if asked.stage != first else {}
    own = [*([later] if table is TERMS else []), *([STAGES] if table is FIGURES and asked.stage else []), table]
    for some in own:
        for key in ((model, name), name):
            if key in some:
                USED.add((id(some), key))
                return some[key]
    return None


@cache
def explanations() -> dict:
    return glossary()


@pytest.mark.parametrize("name", list(RUNS))
def test_each_recorded_figure_is_what_an_independent_computation_gives(name: str) -> None:
    run, wrong, explained = recorded(name), [], explanations()
    for record, asked, table, which in asked_records(run):
        for figure, value in record.items():
            if figure in WITHOUT or not isinstance(value, int | float):
                continue
            if name == "annealing" and figure in {*LOOSE, *ERRORS}:
                continue
            place = f"{record['split']}/{asked.stage}/{figure}".replace("//", "/")
            found = computation(run, asked, table, figure)
            assert found, f"{place} of {name} ({which}) has no independent computation: add one"
            assert figure in explained or figure in OPTIONS, f"{place}: not explained"
            fresh = Asked(run, run.beginner(asked.stage), "train", asked.stage) if table is TERMS else asked
            expected = found(fresh)
            slack = 4 * record[LOOSE[figure]] if figure in LOOSE and LOOSE[figure] in record else 0.0
            if figure == "bits_per_dimension" and "log_likelihood_error" in record:
                slack = 4 * record["log_likelihood_error"] / (64 * math.log(2))
            near = ROUNDED.get((run.model_name, figure), 2e-4)
            if not math.isclose(value, expected, rel_tol=near, abs_tol=max(slack, 2e-6)):
                wrong.append(f"{place}: {value} recorded, {expected} computed")
            elif not slack and abs(value) > 1e-3 and math.isclose(1.01 * value, expected, rel_tol=2e-4):
                wrong.append(f"{place}: the comparison would not see one per cent")
    assert not wrong, "\n".join(wrong)


def test_annealing_is_near_the_count() -> None:
    """Both estimates within four of their standard errors of the exact log p, one from each side on average."""
    run = recorded("annealing")
    record = next(r for r in run.records if r["split"] == "test")
    exact = m.exact_likelihood(Asked(run, run.trainer(), "test", ""))
    for figure, error in LOOSE.items():
        assert 0 < record[error] < 0.1
        assert abs(record[figure] - exact) < 4 * record[error] + 0.01


def test_no_line_of_the_tables_is_idle() -> None:
    """Runs behind the others, and says nothing of a part of them."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        pytest.skip("each process has seen a part of the runs")
    if {key for _, key in USED} == set() or not {"loss", "n"} <= {k[1] if isinstance(k, tuple) else k for _, k in USED}:
        pytest.skip("only a part of the runs was compared")
    tables = {"FIGURES": FIGURES, "STAGES": STAGES, "TERMS": TERMS, "LATER_TERMS": LATER_TERMS}
    idle = [f"{name}: {key}" for name, table in tables.items() for key in table if (id(table), key) not in USED]
    assert not idle
