"""A sparse code: its three penalties, its atoms, and that a heavier penalty leaves fewer units active."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built
from torch.distributions import Bernoulli, kl_divergence

from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.ae.sparse_ae import ACTIVE, SparseAE, bernoulli_kl

SPEC = DataSpec("tiles", "image", (1, 6, 5))
WIDE = ["model=sparse_ae", "model.latent_dim=100", "trainer.precision=float32", "trainer.epochs=15"]


def images(n: int = 40) -> torch.Tensor:
    return torch.rand((n, *SPEC.shape), generator=torch.Generator().manual_seed(0))


def terms(model: SparseAE, x: torch.Tensor) -> dict[str, torch.Tensor]:
    return model.loss(Batch(x, x), torch.Generator())


@pytest.mark.parametrize(("penalty", "weights"), [("l1", (0.01, 0.1, 1)), ("l2", (0.1, 1, 10)), ("kl", (0.01, 0.1, 1))])
def test_the_heavier_the_penalty_the_fewer_units_are_active(penalty: str, weights: tuple[float, ...]) -> None:
    shares = []
    for weight in weights:
        experiment = built(*WIDE, f"model.penalty={penalty}", f"model.weight={weight}")
        experiment.initialize()
        experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
        shares.append(experiment.trainer.evaluate("validation")["active_units"])
    assert shares[0] > shares[1] > shares[2] > 0


@pytest.mark.parametrize("hidden", [[], [20]])
@pytest.mark.parametrize("penalty", ["l1", "l2", "kl"])
def test_an_image_is_the_constant_and_the_sum_of_its_atoms_of_length_one(penalty: str, hidden: list[int]) -> None:
    torch.manual_seed(0)
    model = SparseAE(SPEC, hidden=hidden, latent_dim=50, penalty=penalty).requires_grad_(False)
    x = images()
    code, atoms = model.encode(x), model.atoms
    assert (code >= 0).all()
    assert atoms.shape == (50, *SPEC.shape)
    torch.testing.assert_close(atoms.flatten(1).norm(dim=1), torch.ones(50))
    torch.testing.assert_close(model.decode(torch.zeros(1, 50))[0], model.constant)
    torch.testing.assert_close(model.reconstruct(x), model.constant + torch.einsum("nj,jchw->nchw", code, atoms))


def test_no_unit_of_a_wide_code_falls_silent_for_ever() -> None:
    """The share of units that any of the test images wakes."""
    experiment = built(*WIDE, "model.weight=0.1")
    experiment.initialize()
    experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
    test = experiment.data.test
    code = experiment.model.requires_grad_(False).encode(test.values(test.rows))
    assert (code >= ACTIVE).any(0).float().mean() > 0.9


def test_the_code_is_of_what_an_image_has_beyond_the_constant() -> None:
    model, x = SparseAE(SPEC, latent_dim=50).requires_grad_(False), images()
    before = model.encode(x)
    model.decoder[0].bias.add_(0.3)
    torch.testing.assert_close(model.encode(x + 0.3), before, rtol=1e-4, atol=1e-5)


def test_long_columns_are_no_way_around_the_penalty() -> None:
    model = SparseAE(SPEC, latent_dim=50).requires_grad_(False)
    x = images()
    before = terms(model, x)
    model.decoder[0].weight.mul_(100)
    for name, value in terms(model, x).items():
        torch.testing.assert_close(value, before[name])


def test_the_penalties_are_the_papers() -> None:
    x = images()
    for penalty in ("l1", "l2", "kl"):
        model = SparseAE(SPEC, latent_dim=50, penalty=penalty, weight=0.7).requires_grad_(False)
        code, found = model.encode(x), terms(model, x)
        by_hand = {
            "l1": code.abs().sum(1),
            "l2": (code**2).sum(1),
            "kl": kl_divergence(Bernoulli(torch.full((50,), 0.05)), Bernoulli(code.mean(0))).sum().expand(len(x)),
        }
        torch.testing.assert_close(found["penalty"], by_hand[penalty], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found["reconstruction"], model.score(x))
        torch.testing.assert_close(found["loss"], found["reconstruction"] + 0.7 * found["penalty"])


def test_units_begin_with_the_rate_that_they_are_to_keep() -> None:
    torch.manual_seed(0)
    model = SparseAE(DataSpec("wide", "image", (1, 20, 20)), latent_dim=400, penalty="kl", target=0.2)
    assert model.encode(torch.rand(200, 1, 20, 20)).mean().item() == pytest.approx(0.2, abs=0.03)


def test_a_rate_that_is_missed_by_everything_is_finite_and_has_a_way_back() -> None:
    mean = torch.tensor([0.0, 0.05, 1.0], requires_grad=True)
    kl = bernoulli_kl(0.05, mean)
    assert kl.isfinite().all()
    assert kl[1] == 0
    assert kl[0] > 0
    assert kl[2] > kl[0]


def test_active_are_units_whose_atom_can_be_seen() -> None:
    model = SparseAE(SPEC, latent_dim=4)
    code = torch.tensor([[0.0, ACTIVE, 3.0, 0.99 * ACTIVE], [0.0, 0.0, 0.0, 0.0]])
    assert model.active(code).tolist() == [0.5, 0]


def test_a_rate_without_kl_is_refused() -> None:
    with pytest.raises(BadInput, match=r"model\.target: l1 has no target rate"):
        SparseAE(SPEC, target=0.1)


def test_the_pictures_are_of_the_dictionary_and_of_sums() -> None:
    experiment = built(*WIDE, "model.latent_dim=20", "trainer.epochs=1")
    experiment.initialize()
    pictures = experiment.trainer.images()
    assert {"dictionary", "decomposition", "reconstruction"} <= set(pictures)
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures.values())
