"""Figures of the autoencoders on Fashion-MNIST, each run by its own command line: test set, 10,000 images, seed 0.

A ratio is of mean squared errors. PSNR is the mean over images, in dB; gains are over the corrupted input (Gaussian, σ = 0.3),
and inside a hole of 10×10 pixels over what fills it without learning. A unit is active where its atom moves the image by a
tenth; `jacobian` is the mean of the sum of the squares of ∂code/∂image. The runs stay under outputs/autoencoders, with their
pictures; a complete run with the same config is not made again.
"""

from __future__ import annotations

from itertools import pairwise

from benchmarks.measure import table
from benchmarks.runs import run_of

FASHION = ("data=fashion_mnist", "trainer.show_every=never")
TEN = ("trainer.epochs=10",)
WEIGHTS = {"sparse_ae": (0.1, 0.3, 1), "contractive_ae": (0.01, 0.1, 1)}
RUNS = {
    "pca": ("model=pca", *FASHION),
    "linear_ae": ("model=linear_ae", *FASHION),
    "ae": ("model=ae", *FASHION, *TEN),
    "conv_ae": ("model=conv_ae", *FASHION, *TEN),
    "conv_ae denoises": ("experiment=denoise_fashion",),
    "unet denoises": ("model=unet", "noise=gaussian", *FASHION, *TEN),
    "unet paints": ("experiment=inpaint_fashion",),
    **{
        f"{model} {weight}": (f"model={model}", f"model.weight={weight}", *FASHION, *TEN)
        for model, weights in WEIGHTS.items()
        for weight in weights
    },
}


def run(rounds: int) -> str:
    found = {name: run_of("autoencoders", name.replace(" ", "_"), typed).read_test_figures() for name, typed in RUNS.items()}
    rows = [
        at_most("linear_ae, 20 epochs, error / pca's", ratio(found, "linear_ae", "pca"), 1.01),
        ("  largest principal angle of their planes", f"{found['linear_ae']['principal_angle']:.2f}°", "", ""),
        at_most("ae, 10 epochs, error / pca's", ratio(found, "ae", "pca"), 0.60),
        at_most("conv_ae, 10 epochs, error / ae's", ratio(found, "conv_ae", "ae"), 0.90),
        at_least("conv_ae, 10 epochs, gain on the noisy image", found["conv_ae denoises"]["psnr_gain"], 8),
        at_least("unet, 10 epochs, gain on the noisy image", found["unet denoises"]["psnr_gain"], 11),
        *inside(found["unet paints"]),
        falling("sparse_ae, l1, active units at {}", "active_units", found, "sparse_ae", 100, "%"),
        falling("contractive_ae, jacobian at {}", "jacobian", found, "contractive_ae", 1, ""),
    ]
    return table(("", "seen", "target", ""), rows)


def ratio(found: dict[str, dict[str, float]], one: str, other: str) -> float:
    return found[one]["mse"] / found[other]["mse"]


Row = tuple[str, str, str, str]


def at_most(what: str, value: float, limit: float) -> Row:
    return what, f"{value:.4f}", f"at most {limit:.2f}", verdict(value <= limit)


def at_least(what: str, value: float, limit: float) -> Row:
    return what, f"{value:.2f} dB", f"at least {limit} dB", verdict(value >= limit)


def inside(figures: dict[str, float]) -> list[Row]:
    """PSNR inside the hole over that of what fills it without learning."""
    own = figures["hole_psnr"]
    return [
        at_least(f"unet, 10 epochs, {own:.2f} dB in the hole, over {name}", own - figures[f"hole_psnr_{key}"], limit)
        for key, name, limit in (("interpolation", "interpolation", 2), ("mean_fill", "the mean image", 7))
    ]


def falling(what: str, figure: str, found: dict[str, dict[str, float]], model: str, times: float, unit: str) -> Row:
    values = [times * found[f"{model} {weight}"][figure] for weight in WEIGHTS[model]]
    falls = all(after < before for before, after in pairwise(values))
    weights = ", ".join(f"{weight:g}" for weight in WEIGHTS[model])
    return what.format(f"weights {weights}"), ", ".join(f"{value:.2f}" for value in values) + unit, "falls", verdict(falls)


def verdict(met: bool) -> str:
    return "met" if met else "missed"
