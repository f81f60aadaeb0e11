"""The variational autoencoders, each by its recipe: figures of the test split, nats per image, seed 0.

−log p(x) is of 500 codes per image by importance sampling, ± its standard error; that of `cvae` is −log p(x|y). All three see
dynamically binarized MNIST; the paper is Burda et al. 2016, with 3,280 epochs of batches of 20 and 5,000 codes per image. `as
asked` is the share of samples that a classifier, 99.0 % right on such images, sees as the class that was asked for. A gray
image has no likelihood under Bernoulli, whose ELBO then only compares with others of its kind; the KL of `vq_vae` is
−log p(grid) of the learned prior. The runs stay under outputs/variational, with their pictures; one that is there already,
complete and of the same config, is not made again.
"""

from __future__ import annotations

from benchmarks.measure import table
from benchmarks.runs import run_of

BETAS = (1, 4, 10)
RUNS = {
    "vae_mnist_binarized": ("experiment=vae_mnist_binarized",),
    "iwae_mnist_binarized": ("experiment=iwae_mnist_binarized",),
    "cvae_mnist": ("experiment=cvae_mnist", "judge=auto"),
    **{f"beta_vae_fashion, β = {beta}": ("experiment=beta_vae_fashion", f"model.beta={beta}") for beta in BETAS},
    "vae_fashion_manifold": ("experiment=vae_fashion_manifold",),
    "vq_vae_fashion": ("experiment=vq_vae_fashion",),
}
PAPER = {"vae_mnist_binarized": "86.76", "iwae_mnist_binarized": "85.54"}

COLUMNS = {
    "reconstruction": ("reconstruction", "{:.1f}"),
    "KL": ("kl", "{:.2f}"),
    "−ELBO": ("negative_elbo", "{:.2f}"),
    "active units": ("active_units", "{:.0f}"),
    "as asked": ("conditional_accuracy", "{:.1%}"),
}


def run(rounds: int) -> str:
    found = {name: run_of("variational", folder(name), typed).read_test_figures() for name, typed in RUNS.items()}
    rows = [(name, *cells(figures), likelihood(name, figures), PAPER.get(name, "")) for name, figures in found.items()]
    return table(("", *COLUMNS, "−log p(x)", "the paper's"), rows)


def folder(name: str) -> str:
    return name.replace(", β = ", "_")


def cells(figures: dict[str, float]) -> list[str]:
    return [form.format(figures[name]) if name in figures else "" for name, form in COLUMNS.values()]


def likelihood(name: str, figures: dict[str, float]) -> str:
    if "log_likelihood" not in figures:
        return ""
    given = " given y" if name.startswith("cvae") else ""
    return f"{-figures['log_likelihood']:.2f} ± {figures['log_likelihood_error']:.3f}{given}"
