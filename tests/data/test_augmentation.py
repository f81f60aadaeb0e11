"""Augmentations: an image moves as a whole, and only in training."""

from __future__ import annotations

import pytest
import torch
from conftest import built

from nnlab.data.augmentation.affine import Affine
from nnlab.data.augmentation.base import resampled
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

SPEC = DataSpec("own", "image", (3, 12, 9), low=-0.5, high=2.0)


def images(n: int = 200) -> torch.Tensor:
    return torch.rand((n, *SPEC.shape), generator=torch.Generator().manual_seed(0)) * 2.5 - 0.5


def shifted(x: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """By whole pixels, what comes in being the lowest value."""
    wide = torch.nn.functional.pad(x - SPEC.low, (3, 3, 3, 3)) + SPEC.low
    return wide[..., 3 - down : 3 - down + 12, 3 - right : 3 - right + 9]


def test_a_shift_is_by_whole_pixels_and_every_one_occurs() -> None:
    x = images()
    moved = Affine(SPEC, shift=2)(x, torch.Generator().manual_seed(1))
    found = set()
    for before, after in zip(x, moved, strict=True):
        distances = {(d, r): (shifted(before, d, r) - after).abs().max().item() for d in range(-2, 3) for r in range(-2, 3)}
        nearest = min(distances, key=distances.get)
        assert distances[nearest] < 1e-4
        found.add(nearest)
    assert len(found) == 25


def test_a_flip_mirrors_half_of_the_images_left_to_right() -> None:
    x = images()
    flipped = Affine(SPEC, shift=0, flip=True)(x, torch.Generator().manual_seed(1))
    same = (flipped - x).abs().flatten(1).amax(1) < 1e-4
    mirrored = (flipped - x.flip(3)).abs().flatten(1).amax(1) < 1e-4
    assert torch.all(same ^ mirrored)
    assert 70 < mirrored.sum() < 130


def test_a_crop_shows_a_part_of_the_image_alone() -> None:
    across = torch.linspace(0, 1, 9).expand(200, 3, 12, 9).contiguous()  # a ramp tells which part is seen
    cropped = Affine(SPEC, shift=0, crop=0.5)(across, torch.Generator().manual_seed(1))
    seen = cropped[:, 0, 6, -2] - cropped[:, 0, 6, 1]
    whole = across[0, 0, 6, -2] - across[0, 0, 6, 1]
    assert (seen <= whole + 1e-5).all()
    assert seen.min() < 0.6 * whole
    assert cropped.min() >= -1e-5
    assert cropped.max() <= 1 + 1e-5, "nothing from beyond the image"


def second_moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The variance down, the variance across and the covariance of each image's brightness over its pixels, pixels²."""
    w = x[:, 0] / x[:, 0].sum((1, 2), keepdim=True)
    down, across = (torch.arange(n) - (n - 1) / 2 for n in w.shape[1:])
    return tuple(
        torch.einsum("nij,i,j->n", w, *powers) for powers in ((down**2, across**0), (down**0, across**2), (down, across))
    )


def bars(n: int = 300, height: int = 80, width: int = 60) -> tuple[DataSpec, torch.Tensor]:
    """Vertical bars, broader than a pixel and blurred, in the middle of images that are higher than wide."""
    down, across = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    bar = torch.exp(-(down**2) / (2 * 8**2) - across**2 / (2 * 3**2))
    return DataSpec("bars", "image", (1, height, width)), bar.expand(n, 1, height, width).contiguous()


def test_a_rotation_keeps_the_shape_and_turns_by_every_angle_up_to_the_largest() -> None:
    """The axis of a bar has the angle ½ atan2(2 cov, var down − var across) from the vertical; its variances stay 64 and 9."""
    spec, x = bars()
    down, across, both = second_moments(Affine(spec, shift=0, degrees=40)(x, torch.Generator().manual_seed(1)))
    angle = torch.rad2deg(torch.atan2(2 * both, down - across) / 2)
    assert torch.allclose(down + across, torch.tensor(73.0), rtol=0.02)
    assert torch.allclose(down * across - both**2, torch.tensor(576.0), rtol=0.03)
    assert (angle.abs() <= 40.5).all()
    assert angle.min() < -36 < 36 < angle.max()
    assert angle.mean().abs() < 4


def test_a_zoom_keeps_the_proportions() -> None:
    spec, x = bars()
    down, across, both = second_moments(Affine(spec, shift=0, scale=0.3)(x, torch.Generator().manual_seed(1)))
    factor = (down / 64).sqrt()
    assert torch.allclose(factor, (across / 9).sqrt(), rtol=0.02)
    assert both.abs().max() < 0.1
    assert 0.69 < factor.min() < 0.73
    assert 1.27 < factor.max() < 1.31


def test_a_shear_moves_lines_sideways_and_keeps_their_heights() -> None:
    spec, x = bars()
    down, _, both = second_moments(Affine(spec, shift=0, shear=20)(x, torch.Generator().manual_seed(1)))
    lean = torch.rad2deg(torch.atan(both / down))
    assert torch.allclose(down, torch.tensor(64.0), rtol=0.02)
    assert (lean.abs() <= 20.5).all()
    assert lean.min() < -18 < 18 < lean.max()


def test_it_moves_the_target_with_the_input_in_training_and_nothing_in_evaluation() -> None:
    trainer = built("model=ae", "model.hidden=[8]", "augmentation=affine", "noise=masking").trainer
    rows = trainer.data.train.rows[:50]
    clean = trainer.data.train.values(rows)
    batch = trainer.feed.batch(rows, torch.Generator().manual_seed(0))
    assert not torch.allclose(batch.target, clean)
    untouched = ~batch.mask
    assert torch.equal(batch.input[untouched], batch.target[untouched])
    with trainer.preview() as view:
        assert torch.equal(view.few.target, trainer.data.validation.values(trainer.data.validation.spread(24)))


def test_what_it_cannot_do_is_refused(nnlab) -> None:
    with pytest.raises(BadInput, match="for images, but iris is a table"):
        Affine(DataSpec("iris", "table", (4,)))
    with pytest.raises(BadInput, match="are all 0, which changes nothing"):
        Affine(SPEC, shift=0)
    with pytest.raises(BadInput, match="9 pixels shift an image of 12×9 out of sight"):
        Affine(SPEC, shift=9)
    status, _, error = nnlab("train", "model=pca", "augmentation=affine")
    assert status == 2
    assert error.startswith("nnlab: augmentation: has no use, PCA learns in one pass")


def test_places_beyond_the_edge_show_the_nearest_pixel() -> None:
    draw = torch.Generator().manual_seed(0)
    x, grid = torch.rand(4, 3, 9, 14, generator=draw), 3 * torch.rand(4, 6, 5, 2, generator=draw) - 1.5
    expected = torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(resampled(x, grid), expected, atol=1e-5)
    corner = torch.tensor([5.0, -5.0]).expand(4, 1, 1, 2)
    assert torch.allclose(resampled(x, corner)[:, :, 0, 0], x[:, :, 0, -1], atol=1e-5)
