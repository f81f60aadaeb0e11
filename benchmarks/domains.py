"""Two sets of images without pairs: the recipes of `cyclegan`, on test images.

"Keeps its class" is the share of the translations that a classifier of the other domain takes for the class of their original.
Beside it stands the same share of the originals as they are. Both classifiers are trained once by `judge=auto`. Of letters the
test knows the pairs: PSNR in dB of the translations, and of the originals as they are. Runs that are there already, complete
and of the same config, are not trained again.
"""

from __future__ import annotations

from benchmarks.runs import compared

DIGITS = "experiment=cyclegan_digits"
RUNS = {
    **{f"digits and MNIST, seed {seed}": [DIGITS, "judge=auto", f"seed={seed}"] for seed in range(3)},
    "letters, sans and serif": ["experiment=cyclegan_glyphs"],
}
COLUMNS = {
    "to b: keeps its class": ("class_agreement_b", "{:.1%}"),
    "as it is": ("untranslated_agreement_b", "{:.1%}"),
    "to a: keeps its class": ("class_agreement_a", "{:.1%}"),
    "as it is ": ("untranslated_agreement_a", "{:.1%}"),
    "PSNR to b": ("translation_psnr_b", "{:.2f}"),
    "to a": ("translation_psnr_a", "{:.2f}"),
    "as it is  ": ("identity_psnr", "{:.2f}"),
    "cycle error a": ("cycle_error_a", "{:.3f}"),
    "b": ("cycle_error_b", "{:.3f}"),
}


def run(rounds: int) -> str:
    return compared("domains", RUNS, COLUMNS)
