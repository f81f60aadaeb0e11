"""Figures of reconstruction: what a noise takes, what a model gives back, inside a hole and outside of it."""

from __future__ import annotations

import pytest
import torch

from nnlab.data.noise.cut import Cut
from nnlab.data.noise.darkening import Darkening
from nnlab.data.noise.gaussian import Gaussian
from nnlab.data.noise.hole import Hole
from nnlab.data.noise.masking import Masking
from nnlab.data.noise.none import NoNoise
from nnlab.data.noise.salt_pepper import SaltPepper
from nnlab.data.spec import Batch, DataSpec
from nnlab.metrics.reconstruction import mse, psnr, reconstruction_figures

SPEC = DataSpec("photos", "image", (1, 12, 10))
TABLE = DataSpec("columns", "table", (7,))


class Returns:
    """Gives back what it was told to, or the input itself."""

    def __init__(self, output: torch.Tensor | None = None) -> None:
        self.output = output

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.output is None else self.output


def batch(noise, spec: DataSpec = SPEC) -> Batch:
    clean = torch.rand((50, *spec.shape), generator=torch.Generator().manual_seed(0))
    corrupted, mask = noise(clean, torch.Generator().manual_seed(1))
    return Batch(corrupted, clean, mask, erased=noise.erases)


def test_psnr_is_the_mean_squared_error_in_decibels_of_the_range():
    spec = DataSpec("photos", "image", (1, 2, 2), low=-1.0, high=1.0)
    x = torch.zeros(1, 1, 2, 2)
    assert psnr(mse(x + 0.2, x), spec).item() == pytest.approx(20.0)  # a tenth of the range
    assert psnr(mse(x, x), spec).item() == 100


@pytest.mark.parametrize("noise", [Gaussian(SPEC), SaltPepper(SPEC), Darkening(SPEC)])
def test_who_gives_the_input_back_gains_nothing(noise):
    figures = reconstruction_figures(Returns(), batch(noise), SPEC)
    assert figures["psnr"].equal(figures["input_psnr"])
    assert figures["ssim"].equal(figures["input_ssim"])
    assert figures["psnr_gain"].abs().max() == 0
    assert not any(name.startswith("hole") for name in figures)


def test_the_inputs_figures_are_of_the_input_as_it_is_and_not_of_one_that_was_clamped():
    figures = reconstruction_figures(Returns(), batch(Gaussian(SPEC, std=0.5)), SPEC)
    assert figures["input_psnr"].mean().item() == pytest.approx(6.02, abs=0.15)  # 20 log₁₀ 1/0.5


def test_without_a_noise_there_is_nothing_to_gain():
    assert set(reconstruction_figures(Returns(), batch(NoNoise(SPEC)), SPEC)) == {"mse", "psnr", "ssim"}


def test_a_table_has_no_structure():
    figures = reconstruction_figures(Returns(), batch(Masking(TABLE), TABLE), TABLE, mean=torch.zeros(7))
    assert {"psnr_gain", "hole_psnr", "hole_psnr_mean_fill"} <= set(figures)
    assert not {"ssim", "input_ssim", "hole_psnr_interpolation"} & set(figures)


@pytest.mark.parametrize("noise", [Hole(SPEC, size=0.4), Cut(SPEC), Masking(SPEC)])
def test_inside_a_hole_only_what_was_lost_counts(noise):
    given = batch(noise)
    ruined = torch.where(given.mask, given.target + 0.1, given.target - 0.7)
    figures = reconstruction_figures(Returns(ruined), given, SPEC)
    torch.testing.assert_close(figures["hole_psnr"], torch.full((50,), 20.0))
    lost = given.mask.float().flatten(1).mean(1)
    torch.testing.assert_close(figures["mse"], lost * 0.01 + (1 - lost) * 0.49)


def test_what_fills_without_learning_is_measured_beside_it():
    given = batch(Hole(SPEC))
    given.target = given.target.mean((2, 3), keepdim=True).expand_as(given.target)  # plain images, each with a gray of its own
    given.input = given.target.masked_fill(given.mask, 0)
    figures = reconstruction_figures(Returns(), given, SPEC, mean=given.target.mean(0))
    assert (figures["hole_psnr_interpolation"] > 90).all()
    expected = psnr(mse(given.target.mean(0).expand_as(given.target), given.target), SPEC)
    torch.testing.assert_close(figures["hole_psnr_mean_fill"], expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(figures["hole_psnr"], psnr(given.target[:, 0, 0, 0] ** 2, SPEC), rtol=1e-4, atol=1e-3)


def test_an_example_that_lost_nothing_has_no_figure_of_its_hole():
    """Its error is that of no pixel. Counted as perfect, 100 dB, it would hide what the others look like."""
    given = batch(Masking(SPEC, amount=0.004))  # of 120 pixels: some examples lose one, most lose none
    damaged = given.mask.flatten(1).any(1)
    assert 0 < damaged.sum() < 50
    figures = reconstruction_figures(Returns(given.target + 0.1), given, SPEC, mean=torch.zeros(SPEC.shape))
    torch.testing.assert_close(figures["hole_psnr"], torch.full((int(damaged.sum()),), 20.0))
    for fill in ("mean_fill", "interpolation"):
        assert len(figures[f"hole_psnr_{fill}"]) == damaged.sum()
        assert figures[f"hole_psnr_{fill}"].max() < 100


@pytest.mark.parametrize("spec", [SPEC, TABLE])
def test_where_nothing_is_lost_no_figure_speaks_of_it(spec):
    figures = reconstruction_figures(Returns(), batch(Masking(spec, amount=0.0), spec), spec)
    assert not len(figures["hole_psnr"])
