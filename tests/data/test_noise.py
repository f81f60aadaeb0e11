"""The corruptions: what they touch, how often, and that the seed alone decides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from nnlab.data.noise.cut import Cut
from nnlab.data.noise.darkening import Darkening
from nnlab.data.noise.edges import Edges
from nnlab.data.noise.gaussian import Gaussian
from nnlab.data.noise.hole import Hole
from nnlab.data.noise.masking import Masking
from nnlab.data.noise.none import NoNoise
from nnlab.data.noise.salt_pepper import SaltPepper
from nnlab.data.spec import DataSpec, Part
from nnlab.errors import BadInput

IMAGE = DataSpec("photos", "image", (3, 12, 10))
TABLE = DataSpec("columns", "table", (7,), low=-2.0, high=6.0, bounded=False)
ON_IMAGES = {
    "gaussian": Gaussian(IMAGE),
    "salt_pepper": SaltPepper(IMAGE),
    "masking": Masking(IMAGE),
    "darkening": Darkening(IMAGE),
    "hole": Hole(IMAGE),
    "hole in the center": Hole(IMAGE, position="center"),
    "cut": Cut(IMAGE, side="right"),
}
ON_TABLES = {"gaussian": Gaussian(TABLE), "salt_pepper": SaltPepper(TABLE), "masking": Masking(TABLE)}
ALL = [*ON_IMAGES.items(), *ON_TABLES.items()]
every_noise = pytest.mark.parametrize("noise", [noise for _, noise in ALL], ids=[f"{k}-{n.spec.kind}" for k, n in ALL])


def fixed(noise) -> bool:
    """Whether it always touches the same places."""
    return isinstance(noise, Cut) or getattr(noise, "position", None) == "center"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clean(spec: DataSpec, n: int = 200) -> torch.Tensor:
    """Values strictly within (low, high), so that every corruption changes them."""
    share = torch.rand((n, *spec.shape), generator=seeded(99)) * 0.8 + 0.1
    return spec.low + share * (spec.high - spec.low)


def within(count: float, n: int, p: float) -> bool:
    """Whether a count is within 4 standard errors of what n draws of probability p give."""
    return abs(count - n * p) <= 4 * math.sqrt(n * p * (1 - p))


@every_noise
def test_the_mask_is_true_exactly_where_the_input_changed(noise):
    x = clean(noise.spec)
    before = x.clone()
    corrupted, mask = noise(x, seeded())
    assert x.equal(before)
    assert corrupted.dtype == x.dtype
    assert mask.shape == corrupted.shape == x.shape
    assert mask.dtype == torch.bool
    assert mask.equal(corrupted != x)


@every_noise
def test_the_generator_alone_decides(noise):
    x = clean(noise.spec)
    first, mask = noise(x, seeded(1))
    torch.rand(5)
    again, mask_again = noise(x, seeded(1))
    assert first.equal(again)
    assert mask.equal(mask_again)
    other, _ = noise(x, seeded(2))
    assert other.equal(first) == fixed(noise)


@every_noise
def test_consecutive_draws_differ(noise):
    x, generator = clean(noise.spec), seeded()
    once, twice = noise(x, generator)[0], noise(x, generator)[0]
    assert once.equal(twice) == fixed(noise)


def test_no_noise_is_the_input_itself():
    x = clean(IMAGE)
    assert NoNoise(IMAGE)(x, seeded())[0] is x
    assert NoNoise(IMAGE)(x, seeded())[1] is None


@pytest.mark.parametrize("spec", [IMAGE, TABLE], ids=["image", "table"])
@pytest.mark.parametrize("cls", [Masking, SaltPepper])
@pytest.mark.parametrize("amount", [0.0, 0.03, 0.5, 1.0])
def test_a_pixel_is_hit_with_probability_amount(cls, spec, amount):
    _, mask = cls(spec, amount=amount)(clean(spec, 500), seeded())
    pixels = mask[:, 0] if spec.kind == "image" else mask
    assert within(pixels.sum().item(), pixels.numel(), amount)


@pytest.mark.parametrize("cls", [Masking, SaltPepper])
def test_a_pixel_is_hit_in_all_its_channels_together(cls):
    corrupted, mask = cls(IMAGE)(clean(IMAGE), seeded())
    assert mask.equal(mask[:, :1].expand_as(mask))
    hit = mask[:, 0]
    assert corrupted.movedim(1, -1)[hit].std(1).max() == 0


@pytest.mark.parametrize("spec", [IMAGE, TABLE], ids=["image", "table"])
def test_masking_leaves_the_lowest_value(spec):
    corrupted, mask = Masking(spec)(clean(spec), seeded())
    assert corrupted[mask].eq(spec.low).all()


@pytest.mark.parametrize("spec", [IMAGE, TABLE], ids=["image", "table"])
def test_salt_and_pepper_are_the_extremes_half_and_half(spec):
    corrupted, mask = SaltPepper(spec, amount=0.6)(clean(spec, 500), seeded())
    hit = corrupted[:, 0][mask[:, 0]]
    assert hit.eq(spec.low).logical_or(hit.eq(spec.high)).all()
    assert within(hit.eq(spec.high).sum().item(), hit.numel(), 0.5)


@pytest.mark.parametrize("spec", [IMAGE, TABLE], ids=["image", "table"])
@pytest.mark.parametrize("std", [0.1, 0.5])
def test_gaussian_noise_has_mean_0_and_the_variance_it_names(spec, std):
    x = clean(spec, 2000)
    noise = (Gaussian(spec, std=std)(x, seeded())[0] - x).double()
    n, sigma = noise.numel(), std * (spec.high - spec.low)
    assert abs(noise.mean()) < 4 * sigma / math.sqrt(n)
    assert abs(noise.var() - sigma**2) < 4 * sigma**2 * math.sqrt(2 / n)
    assert abs(noise.pow(4).mean() / sigma**4 - 3) < 4 * math.sqrt(96 / n)


def test_gaussian_noise_of_no_width_touches_nothing():
    x = clean(IMAGE)
    corrupted, mask = Gaussian(IMAGE, std=0.0)(x, seeded())
    assert corrupted.equal(x)
    assert not mask.any()


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("spec", [IMAGE, DataSpec("signed", "image", (1, 9, 9), low=-1.0)])
def test_darkening_moves_values_towards_the_lowest_by_its_factor(spec, factor):
    x = clean(spec)
    corrupted, mask = Darkening(spec, factor=factor)(x, seeded())
    assert torch.allclose(corrupted[mask] - spec.low, factor * (x[mask] - spec.low), atol=1e-6)
    assert corrupted[~mask].equal(x[~mask])


def extent(mask: torch.Tensor) -> torch.Tensor:
    """(N, 2) height and width of what is true in (N, H, W)."""
    return torch.stack([mask.any(2).sum(1), mask.any(1).sum(1)], dim=1)


@pytest.mark.parametrize("size", [0.1, 0.4, 1.0])
def test_one_dark_rectangle_is_filled_and_no_longer_than_its_size(size):
    _, mask = Darkening(IMAGE, rectangles=1, size=size)(clean(IMAGE, 1000), seeded())
    sides = extent(mask[:, 0])
    assert mask[:, 0].sum((1, 2)).equal(sides.prod(1))
    longest = [max(1, round(size * side)) for side in IMAGE.shape[1:]]
    assert sides.min(0).values.tolist() == [1, 1]
    assert sides.max(0).values.tolist() == longest


def test_more_rectangles_darken_more():
    x = clean(IMAGE, 500)
    shares = [Darkening(IMAGE, rectangles=n)(x, seeded())[1].float().mean().item() for n in (1, 2, 4)]
    assert shares == sorted(set(shares))


@pytest.mark.parametrize("position", ["random", "center"])
@pytest.mark.parametrize("size", [0.0, 0.4, 0.75, 1.0])
def test_a_hole_has_exactly_its_area_and_the_lowest_value(size, position):
    corrupted, mask = Hole(IMAGE, size=size, position=position)(clean(IMAGE), seeded())
    height, width = round(size * 12), round(size * 10)
    assert mask[:, 0].sum((1, 2)).eq(height * width).all()
    assert extent(mask[:, 0]).eq(torch.tensor([height, width]) if size else 0).all()
    assert corrupted[mask].eq(IMAGE.low).all()


@pytest.mark.parametrize("size", [0.2, 0.4, 0.5, 0.9])
def test_a_hole_in_the_center_is_there_to_within_half_a_pixel(size):
    _, mask = Hole(IMAGE, size=size, position="center")(clean(IMAGE, 1), seeded())
    center = mask[0, 0].nonzero().float().mean(0)
    assert (center - torch.tensor([5.5, 4.5])).abs().max() <= 0.5


def test_random_holes_reach_every_corner():
    _, mask = Hole(IMAGE)(clean(IMAGE, 1000), seeded())
    assert mask[:, 0][:, [0, 0, -1, -1], [0, -1, 0, -1]].any(0).all()


@pytest.mark.parametrize("cls", [Darkening, Hole])
def test_rectangles_of_a_table_are_refused_with_a_way_out(cls):
    with pytest.raises(BadInput, match="columns is a table of 7 columns; use one that changes single values"):
        cls(TABLE)


@pytest.mark.parametrize(("side", "lost"), [("bottom", (slice(6, 8), slice(None))), ("left", (slice(None), slice(0, 1)))])
def test_a_cut_takes_its_share_from_its_side(side: str, lost: tuple[slice, slice]) -> None:
    spec = DataSpec("own", "image", (2, 8, 4))
    x = torch.full((3, 2, 8, 4), 0.7)
    cut, mask = Cut(spec, amount=0.25, side=side)(x, torch.Generator())
    expected = torch.zeros(8, 4, dtype=torch.bool)
    expected[lost] = True
    assert torch.equal(mask, expected.expand(3, 2, 8, 4))
    assert torch.equal(cut, x.masked_fill(mask, 0.0))


@pytest.mark.parametrize(("cls", "key"), [(Hole, "size"), (Cut, "amount")])
def test_a_share_that_rounds_to_no_pixel_is_refused(cls, key: str) -> None:
    spec = DataSpec("own", "image", (1, 8, 8))
    with pytest.raises(BadInput, match=f"noise.{key}: 0.05 of 8 pixels is 0 pixels"):
        cls(spec, **{key: 0.05})
    x = torch.ones(1, 1, 8, 8)
    assert cls(spec, **{key: 0.063})(x, torch.Generator().manual_seed(0))[1].any()


def sobel(x: np.ndarray) -> np.ndarray:
    """SciPy's Sobel filter of images (N, H, W): a step of 1 gives 4."""
    return np.stack([np.hypot(*(ndimage.sobel(image, axis, mode="nearest") for axis in (0, 1))) for image in x])


@pytest.mark.parametrize("shape", [(1, 9, 7), (3, 8, 8), (2, 8, 8)])
def test_edges_are_those_of_scipys_sobel_filter(shape: tuple[int, ...]) -> None:
    spec = DataSpec("photos", "image", shape, low=-1.0, high=3.0)
    x = torch.rand((5, *shape), generator=seeded()) * 0.5
    weights = np.array([0.299, 0.587, 0.114]) if shape[0] == 3 else np.full(shape[0], 1 / shape[0])
    brightness = np.tensordot(x.numpy(), weights, ([1], [0])) if shape[0] > 1 else x.numpy()[:, 0]
    expected = sobel(brightness) / 4 / 4  # of a range of 4
    edges, mask = Edges(spec)(x, seeded())
    assert mask is None
    assert np.allclose(edges[:, 0].numpy(), expected, atol=1e-6)
    assert Edges(spec).output == Part("image", (1, *shape[1:]))
    assert torch.equal(Edges(spec, threshold=0.1)(x, seeded())[0], (edges >= 0.1).float())


def test_a_step_over_the_whole_range_is_a_full_edge_and_a_border_is_none() -> None:
    x = torch.zeros(1, 1, 6, 6)
    x[..., 3:] = 1
    edges, _ = Edges(DataSpec("steps", "image", (1, 6, 6)))(x, seeded())
    assert torch.equal(edges, torch.tensor([0, 0, 1, 1, 0, 0.0]).expand(1, 1, 6, 6))
    assert not Edges(DataSpec("steps", "image", (1, 6, 6)))(torch.ones(1, 1, 6, 6), seeded())[0].any()
    with pytest.raises(BadInput, match="edges needs images, but columns is a table of 7 columns"):
        Edges(TABLE)
