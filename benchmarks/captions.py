"""What texts and boxes ask for, and what judges read from the samples: `stackgan` and `gawwn` on scenes of one object.

The judge is a classifier of all that captions say, trained on the same scenes (`judge=auto`). Figures are of the test split.
Beside the shares of samples that are as asked stands the judge's own accuracy on real scenes, the most to hope for.
"IoU" is the intersection over union of the box that is asked for and of the ink; "ink" is the share of the ink inside the box;
"kept" is the share of the samples whose class the judge reads the same where the same noise and text have another box. The runs
stay under outputs/captions, with their pictures; one that is there already, complete and of the same config, is not made again.
"""

from __future__ import annotations

from benchmarks.runs import compared

RUNS = {
    "stackgan, digits": ["experiment=stackgan_scenes", "judge=auto"],
    "gawwn, digits": ["experiment=gawwn_mnist", "judge=auto"],
    "gawwn, clothes": ["experiment=gawwn_fashion", "judge=auto"],
}
COLUMNS = {
    "class": ("class_as_asked", "{:.1%}"),
    "judge": ("judge_class_accuracy", "{:.1%}"),
    "colour": ("colour_as_asked", "{:.1%}"),
    "judge, colour": ("judge_colour_accuracy", "{:.1%}"),
    "place": ("place_as_asked", "{:.1%}"),
    "judge, place": ("judge_place_accuracy", "{:.1%}"),
    "size": ("size_as_asked", "{:.1%}"),
    "Fréchet": ("frechet_distance", "{:.0f}"),
    "IoU": ("box_iou", "{:.3f}"),
    "ink": ("ink_in_box", "{:.1%}"),
    "kept": ("class_kept", "{:.1%}"),
    "epochs": ("epochs", "{:.0f}"),
}


def run(rounds: int) -> str:
    return compared("captions", RUNS, COLUMNS)
