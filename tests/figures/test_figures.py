"""Every figure that a run records, of every model and split, beside an independent computation of it.

The runs below reach each figure. A figure without a line in the tables fails; so does a line that nothing records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import expected_class_games as class_games
import expected_classes as classes
import expected_codes as codes
import expected_domains as domains
import expected_energies as energies
import expected_games as games
import expected_judged as judged
import expected_labels as labels
import expected_outputs as outputs
import expected_passes as passes
import expected_rounds as rounds
import expected_terms as terms
import expected_variational as variational
import expected_words as words
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
    "simclr": ("simclr", ["optimizer.lr=0.01", "trainer.epochs=10"]),  # until its running means part the views
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
    # equal bits have equal codes, and two codes that start again at one place are equally near but for rounding
    "bits of a quantised code": ("vq_vae", [BITS, "model.restart=0"]),
    "a judge of pairs": ("srgan", ["judge=auto"]),
    "judges of two domains": ("cyclegan", ["judge=auto"]),
    "letters of two faces": (
        "cyclegan",
        ["data=glyphs", "data.from=sans", "data.to=serif", "data.paired=false", "data.size=8", "data.test_letters=50"],
    ),
    "colours": ("pix2pix", ["data=npz", "noise=grayscale", "data.file=colours.npz", "model.channels=[4]"]),
    "colours without a game": ("unet", ["data=npz", "noise=grayscale", "data.file=colours.npz"]),
    "a judge of levels": ("lapgan", ["judge=auto"]),
    "judges of words": ("stackgan", ["judge=auto", "data.objects=2", "data.sizes=[5,8]", "data.held_out=0.2"]),
    "two stages that agree": ("stackgan", ["model.consistency=5"]),
    "several labels": ("multitask", ["data=scenes", "data@data.of=digits", "data.size=20", "data.sizes=[6,10]"]),
    "a judge of steps": ("gran", ["judge=auto"]),
    "a judge of variations": ("dagan", ["judge=auto"]),
    "variations apart": ("dagan", ["model.mode_seeking=0.2"]),
    "judges of words in a place": ("gawwn", ["judge=auto"]),
}

Computation = Callable[[Asked], float]
VAE = ("beta_vae", "conv_vae", "cvae", "iwae", "vae")
CLASSIFIERS = ("cnn", "fcnn", "transfer", "transformer")
DRAW_TEXTS = ("stackgan", "gawwn")
AE = ("ae", "conv_ae", "linear_ae", "pca", "srresnet", "stacked_ae", "unet")


def named(module: ModuleType, names: str) -> dict[str, Computation]:
    """Figures whose computations in a module have their names."""
    return {name: getattr(module, name) for name in names.split()}


def of(models: tuple[str, ...], **figures: Computation) -> dict[tuple[str, str], Computation]:
    return {(model, name): computation for model in models for name, computation in figures.items()}


# of an evaluation: by name, and by model and name where a model means something of its own
FIGURES: dict[str | tuple[str, str], Computation] = {
    **named(outputs, "mse psnr ssim input_psnr input_ssim psnr_gain"),
    **named(outputs, "pooled_psnr colour_variance srresnet_psnr srresnet_ssim"),
    **named(outputs, "hole_psnr hole_psnr_mean_fill hole_psnr_interpolation"),
    **named(outputs, "pca_mse principal_angle penalty jacobian"),
    "contraction": outputs.contraction,
    "reconstruction": outputs.squared_error,
    **named(classes, "accuracy balanced_accuracy worst_class_accuracy calibration_error logistic_accuracy"),
    **named(classes, "teacher_accuracy teacher_agreement"),
    **named(classes, "nmi ari silhouette inertia within_cluster_distance between_center_distance volume_saved aic bic"),
    **named(classes, "quantization_error topographic_error distortion"),
    **named(variational, "kl negative_elbo aggregate_mean aggregate_std aggregate_kl active_units"),
    **named(variational, "effective_samples log_likelihood_error bits_per_dimension"),
    **named(variational, "commitment perplexity codebook_usage"),
    **named(energies, "free_energy free_energy_gap overlap"),
    "energy": energies.memory_energy,
    **named(games, "real_score fake_score real_accuracy fake_accuracy"),
    **named(games, "code_mean code_deviation code_correlation"),
    **named(games, "box_iou real_box_iou ink_in_box real_ink_in_box"),
    **named(judged, "frechet_distance kernel_distance precision recall mode_coverage"),
    **named(judged, "min_class_share class_divergence conditional_accuracy worst_conditional_accuracy"),
    **named(judged, "class_agreement judge_accuracy input_class_agreement srresnet_class_agreement"),
    **named(judged, "reconstruction_frechet input_frechet srresnet_frechet"),
    **named(judged, "coarser_frechet coarser_class_agreement"),
    **codes.FIGURES,
    **named(codes, "effective_rank uniformity alignment knn_accuracy probe_accuracy recall_at_1 recall_at_5 map_at_r"),
    **domains.FIGURES,
    **words.JUDGED,
    **named(words, "text_loss text_accuracy"),
    **of(DRAW_TEXTS, frechet_distance=words.frechet_distance, kernel_distance=words.kernel_distance),
    **of(DRAW_TEXTS, precision=words.precision, recall=words.recall),
    **domains.PAIRED,
    **named(class_games, "class_accuracy reconstruction_error variation_variety variation_distance"),
    **named(class_games, "variation_frechet variation_class_agreement"),
    **{f"step_{t}_frechet": class_games.canvas_of(t) for t in (1, 2)},
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
    **of(AE, loss=outputs.squared_error),
    **of(("sparse_ae",), loss=outputs.sparse_loss, active_units=outputs.active_share),
    **of(("contractive_ae",), loss=outputs.contractive_loss),
    **of((*CLASSIFIERS, "distillation", "generative_classifier"), loss=classes.cross_entropy),
    **of(VAE, loss=variational.variational_loss, reconstruction=variational.reconstruction),
    **of(("vae",), log_likelihood=variational.log_likelihood),
    **of(
        ("vq_vae",), loss=variational.prior_nats, kl=variational.prior_nats, reconstruction=variational.quantised_reconstruction
    ),
    **of(("vq_vae",), negative_elbo=variational.quantised_elbo, bits_per_dimension=variational.quantised_bits),
    **of(("rbm", "dbn"), loss=energies.pseudo_likelihood),
    **of(("rbm",), log_likelihood=energies.exact_likelihood),
    **of(("boltzmann",), loss=energies.settled_pseudo_likelihood, free_energy=energies.counted_free_energy),
    **of(("boltzmann",), log_likelihood=energies.counted_likelihood),
    **of(("gmm", "bernoulli_mixture"), log_likelihood=classes.mixture_likelihood),
    **of(("generative_classifier",), log_likelihood=classes.class_likelihood),
    **of(("multitask",), loss=labels.loss, accuracy=labels.accuracy),
    **named(labels, "exact_match worst_label_accuracy"),
    **of(("infogan",), nmi=games.category_nmi, ari=games.category_ari),
}
STAGES: dict[tuple[str, str], Computation] = {  # of a stage that is not the last one
    ("stacked_ae", "loss"): outputs.layer_error,
    ("vq_vae", "loss"): variational.first_stage_loss,
}
TERMS: dict[str | tuple[str, str], Computation] = {  # of the first step
    "accuracy": terms.accuracy,
    "penalty": terms.penalty,
    "contraction": terms.contraction,
    "reconstruction": terms.squared_error,
    **named(terms, "kl commitment perplexity"),
    **named(passes, "inertia center_shift empty_clusters log_likelihood quantization_error load"),
    "bound": passes.log_likelihood,
    "collapsed_components": lambda asked: 0,
    "energy": passes.memory_energy,
    "explained_variance": passes.explained_variance,
    **named(rounds, "discriminator_loss generator_loss encoder_loss real_accuracy fake_accuracy"),
    **named(rounds, "diversity gradient_penalty weighted_penalty feature_error l1 pixel_error content"),
    **named(rounds, "categorical_information continuous_information"),
    **{f"{p}_gradient": rounds.gradient_of(p) for p in ("discriminator", "generator", "encoder", "decoder", "autoencoder")},
    **{f"{p}_lr": lambda asked: 0.0 for p in ("discriminator", "generator", "encoder", "decoder", "autoencoder")},
    **codes.TERMS,
    **domains.TERMS,
    **named(words, "condition_kl inconsistency wrong_accuracy"),
    "text_loss": words.first_text_loss,
    "text_accuracy": words.first_text_accuracy,
    "lr": terms.first_rate,
    "rate": lambda asked: 0.5,
    "radius": lambda asked: 2.5,  # a quarter of the longer side
    "instance_noise": lambda asked: 0.1,
    "beta": lambda asked: asked.run.first_weights[0],
    "capacity": lambda asked: asked.run.first_weights[1],
    **of(AE, loss=terms.squared_error),
    **of(("stacked_ae",), loss=terms.stacked_loss),
    **of(("pca",), loss=passes.left_over),
    **of(("sparse_ae",), loss=terms.sparse_loss),
    **of(("contractive_ae",), loss=terms.contractive_loss),
    **of(CLASSIFIERS, loss=terms.cross_entropy),
    **of(("multitask",), loss=labels.first_loss, accuracy=labels.first_accuracy, exact_match=labels.first_exact_match),
    **of(("distillation",), loss=terms.distilled_loss, hard_loss=terms.cross_entropy, soft_loss=terms.soft_loss),
    **of(VAE, loss=terms.variational_loss, reconstruction=terms.reconstruction),
    **of(("vq_vae",), loss=terms.quantised_loss, reconstruction=terms.quantised_reconstruction),
    **of(("rbm", "dbn"), loss=terms.pseudo_likelihood),
    **of(("boltzmann",), loss=terms.settled_pseudo_likelihood),
    **of(("bernoulli_mixture",), bound=passes.bernoulli_bound),
    **of(("generative_classifier",), bound=passes.class_likelihood, log_likelihood=passes.class_likelihood),
    **of(("generative_classifier",), collapsed_components=passes.class_collapsed),
    "class_accuracy": class_games.first_class_accuracy,
    "reconstruction_error": class_games.first_reconstruction_error,
    **of(
        ("bagan",),
        discriminator_loss=class_games.balancing_loss,
        generator_loss=class_games.balancing_generator_loss,
        real_accuracy=class_games.first_real_accuracy,
        fake_accuracy=class_games.first_fake_accuracy,
        diversity=class_games.balancing_diversity,
        discriminator_gradient=class_games.balancing_discriminator_gradient,
        generator_gradient=class_games.balancing_generator_gradient,
        autoencoder_gradient=class_games.autoencoder_gradient,
    ),
    **of(
        ("dagan",),
        discriminator_loss=class_games.pair_loss,
        generator_loss=class_games.pair_generator_loss,
        real_accuracy=class_games.pair_real_accuracy,
        fake_accuracy=class_games.pair_fake_accuracy,
        mode_seeking_loss=class_games.mode_seeking_loss,
        diversity=class_games.pair_diversity,
        discriminator_gradient=class_games.pair_discriminator_gradient,
        generator_gradient=class_games.pair_generator_gradient,
    ),
    **of(("aae",), reconstruction=rounds.code_error),
    **of(("vae_gan",), kl=rounds.code_kl),
}
LATER_TERMS: dict[tuple[str, str], Computation] = {  # of the first step of a stage that is not the first one
    ("vq_vae", "loss"): terms.prior_loss,
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
COMPARED: set[str] = set()  # names of runs

pytestmark = pytest.mark.xdist_group("figures")  # one process, so that the last test knows what the others used


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations in batches of which the last is smaller: a mean of means would show."""
    monkeypatch.setattr("nnlab.data.feed.eval_batch_size", lambda split: 37)
    for name, value in (("LEAST_STEPS", 30), ("EPOCHS", 1), ("EPOCHS_OF_SCENES", 1)):
        monkeypatch.setattr(f"nnlab.experiment.judging.{name}", value)
    narrow = ["model=cnn", "model.channels=[8,16]", "model.hidden=24"]  # the root of a wide covariance takes seconds
    monkeypatch.setattr("nnlab.experiment.judging.CONVOLUTIONAL", narrow)
    reader = ["model=multitask", "model/body=conv", "model.body.channels=[8,16]", "model.body.hidden=24"]
    monkeypatch.setattr("nnlab.experiment.judging.READER", reader)


def recorded(name: str) -> RecordedRun:
    model, more = RUNS[name]
    if "data=npz" in more:
        draw = np.random.default_rng(0)
        bits, colours = draw.integers(0, 2, (60, 2, 3)) * 255, draw.integers(0, 256, (60, 8, 8, 3))
        for file, x in (("bits.npz", bits), ("colours.npz", colours)):
            np.savez(Path(file), x_train=x[:40].astype(np.uint8), x_test=x[40:].astype(np.uint8))
        (file,) = [override.removeprefix("data.file=") for override in more if override.startswith("data.file=")]
        more = [*more, f"data.file={Path(file).absolute()}"]
    return RecordedRun(name.replace(" ", "_"), model, overrides_of(model, *more))


def asked_records(run: RecordedRun) -> Iterator[tuple[dict, Asked, dict, str]]:
    """Each record that is compared, what its figures are asked of, and the table they are found in."""
    stages = [stage.name for stage in run.built().trainer.stages]
    for stage in stages:
        mine = [r for r in run.records if r.get("stage", "") == stage]
        firsts = [r for r in mine if r["split"] == "train"][:1]
        for record in firsts:
            yield record, Asked(run, run.beginner(stage), "train", stage), TERMS, "TERMS"
        for split in ("validation", "test"):
            for record in [r for r in mine if r["split"] == split][-1:]:
                run.parts.clear()
                yield record, Asked(run, run.trainer(stage if stage != stages[-1] else ""), split, stage), FIGURES, "FIGURES"


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
    COMPARED.add(name)
    run, wrong, explained = recorded(name), [], explanations()
    for record, asked, table, which in asked_records(run):
        for figure, value in record.items():
            if figure in WITHOUT or not isinstance(value, int | float):
                continue
            if name == "annealing" and figure in {*LOOSE, *ERRORS}:
                continue
            place = f"{record['split']}/{asked.stage}/{figure}".replace("//", "/")
            found = computation(run, asked, table, figure)
            key = f"{figure!r} or ({run.model_name!r}, {figure!r})"
            assert found, f"{place} of {name} has no independent computation: add {key} to {which}"
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
    exact = energies.exact_likelihood(Asked(run, run.trainer(), "test", ""))
    for figure, error in LOOSE.items():
        assert 0 < record[error] < 0.1
        assert abs(record[figure] - exact) < 4 * record[error] + 0.01


def test_no_line_of_the_tables_is_idle() -> None:
    """It means something only after all runs of this file were compared, in the same process."""
    if set(RUNS) != COMPARED:
        pytest.skip("only a part of the runs was compared")
    tables = {"FIGURES": FIGURES, "STAGES": STAGES, "TERMS": TERMS, "LATER_TERMS": LATER_TERMS}
    idle = [f"{name}: {key}" for name, table in tables.items() for key in table if (id(table), key) not in USED]
    assert not idle
