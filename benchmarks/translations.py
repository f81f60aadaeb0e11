"""From image to image: the recipes of `pix2pix`, `srresnet` and `srgan`, on test images, beside what needs no learning.

PSNR in dB, the mean over images. "Of the input" is the same figure of the input itself: copied, or enlarged by bicubic
interpolation. Pooled is the PSNR of the mean error of all images. Fréchet distances are of the outputs from real images, by the
classifier that `judge=auto` trains once; so is the share of the outputs that are seen as their class. "Colours" is the variance
of the outputs' colours, as a share of the real ones'. Runs that are there already, complete and of the same config, are not
trained again. The last rows are of networks with random weights, after a single update.
"""

from __future__ import annotations

from benchmarks.measure import table
from benchmarks.runs import cells, run_of

SRRESNET, SRGAN = "experiment=srresnet_fashion", "experiment=srgan_fashion"
GLYPHS, EDGES, COLOUR = "experiment=pix2pix_glyphs", "experiment=pix2pix_edges", "experiment=colour_cifar10"
L1, UNTRAINED = "model.adversarial=0", ["trainer.steps=1"]
RUNS = {
    "srresnet ×2, Fashion-MNIST": [SRRESNET, "judge=auto"],
    "srresnet ×4, Fashion-MNIST": [SRRESNET, "noise.factor=4", "judge=auto"],
    "srgan ×4, Fashion-MNIST": [SRGAN, "judge=auto"],
    "srresnet ×4, faces of ten new people": ["experiment=srresnet_faces"],
    "pix2pix, letters: sans to serif": [GLYPHS],
    "pix2pix, letters: sans to bold": [GLYPHS, "data.to=sans_bold"],
    "pix2pix, Fashion-MNIST from edges": [EDGES, "judge=auto"],
    "the same by L1 alone": [EDGES, "judge=auto", L1],
    "pix2pix, colours of CIFAR-10": [COLOUR, "judge=auto"],
    "one update: srresnet ×4, Fashion-MNIST": [SRRESNET, "noise.factor=4", "judge=auto", *UNTRAINED],
    "one update: pix2pix, letters: sans to serif": [GLYPHS, *UNTRAINED],
    "one update: pix2pix, Fashion-MNIST from edges": [EDGES, "judge=auto", *UNTRAINED],
}
COLUMNS = {
    "PSNR": ("psnr", "{:.2f}"),
    "of the input": ("input_psnr", "{:.2f}"),
    "pooled": ("pooled_psnr", "{:.2f}"),
    "SSIM": ("ssim", "{:.3f}"),
    "Fréchet": ("reconstruction_frechet", "{:.1f}"),
    "of the input ": ("input_frechet", "{:.1f}"),
    "seen as its class": ("class_agreement", "{:.1%}"),
    "colours": ("colour_variance", "{:.2f}"),
}


def run(rounds: int) -> str:
    rows = []
    for name, overrides in RUNS.items():
        figures = run_of("translations", name, overrides).read_test_figures()
        rows.append((name, *cells(figures, COLUMNS)))
        first = {key: figures.get(f"srresnet_{key.removeprefix('reconstruction_')}") for key, _ in COLUMNS.values()}
        if any(first.values()):
            known = {key: value for key, value in first.items() if value is not None}
            rows.append(("its first stage, srresnet", *cells(known, COLUMNS)))
    return table(("", *COLUMNS), rows)
