"""Pictures that only the adversarial models have."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

from nnlab.data.spec import DataSpec
from nnlab.plotting.images import sheet, to_pixels

PLACES = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))  # of a map, from the top and from the left
NAMES = ("middle", "above", "below", "left", "right")
LOOKED_FROM, LOOKED_AT = np.array([220, 40, 40]), np.array([255, 170, 0])


def attention_picture(images: Tensor, maps: Tensor, spec: DataSpec) -> np.ndarray:
    """One row per image (N, C, H, W): the image, then the attention of five places. The place is red, its attention orange.

    maps  (N, h, w, h′, w′) of each place (h, w)
    """
    pixels, (h, w) = to_pixels(images, spec), images.shape[2:]
    columns = [pixels]
    for down, right in PLACES:
        row, column = int(down * maps.shape[1]), int(right * maps.shape[2])
        looks = interpolate(maps[:, row, column, None].float(), size=(h, w), mode="bilinear")[:, 0]
        share = (looks / looks.flatten(1).amax(1)[:, None, None]).cpu().numpy()[..., None]
        shown = 0.5 * pixels * (1 - share) + LOOKED_AT * share
        top, left = int((row + 0.5) * h / maps.shape[1]), int((column + 0.5) * w / maps.shape[2])
        shown[:, top, left] = LOOKED_FROM
        columns.append(shown.round().clip(0, 255).astype(np.uint8))
    return sheet(np.stack(columns, 1), None, ["sample", *NAMES])
