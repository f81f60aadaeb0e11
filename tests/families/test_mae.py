"""The masked autoencoder: what the encoder sees, which pixels count, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from conftest import built
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.contrastive.mae import MAE
from nnlab.nn.transformer import patches_of

SPEC = DataSpec("own", "image", (2, 8, 12), low=-1.0, high=1.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(**keys) -> MAE:
    torch.manual_seed(0)
    small = {"width": 8, "depth": 1, "heads": 2, "decoder_width": 4, "decoder_depth": 1}
    return MAE(SPEC, **{**small, "patch": 2, **keys}).eval()


def images(n: int = 3) -> Tensor:
    return torch.rand(n, *SPEC.shape, generator=seeded()) * 2 - 1


def test_a_share_of_the_patches_is_hidden_and_each_one_sometimes() -> None:
    own = model(mask_ratio=0.7)
    assert (own.count, own.kept) == (24, 24 - 17)
    hidden = own.orders(500, seeded())[:, own.kept :]
    assert all(len(row.unique()) == 17 for row in hidden)
    assert torch.allclose(torch.bincount(hidden.flatten()) / 500, torch.tensor(17 / 24), atol=0.1)


def test_what_is_hidden_is_not_seen() -> None:
    own, x = model(), images()
    order = own.orders(3, seeded())
    changed = patches_of(x, 2)
    changed.scatter_(1, order[:, own.kept :, None].expand(-1, -1, 8), 0.5)
    other = torch.zeros_like(x)
    for n in range(3):
        for t in range(24):
            row, column = divmod(t, 6)
            other[n, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = changed[n, t].view(2, 2, 2)
    with torch.no_grad():
        assert torch.equal(own.predict(x, order), own.predict(other, order))
        shown = order.flip(1)
        assert not torch.allclose(own.predict(x, shown), own.predict(other, shown))


@pytest.mark.parametrize("normalize", [False, True])
def test_the_loss_is_of_hidden_pixels_alone(normalize: bool) -> None:
    own, x = model(normalize_patches=normalize), images()
    order, painted = own.orders(3, seeded(5)), None
    with torch.no_grad():
        painted = own.predict(x, order)
        found = own.loss(Batch(x, x), seeded(5))["loss"]
    for n in range(3):
        total = []
        for t in order[n, own.kept :].tolist():
            row, column = divmod(t, 6)
            patch = x[n, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten().double()
            if normalize:
                patch = (patch - patch.mean()) / (patch.var(correction=0) + 4e-6).sqrt()
            total.append((painted[n, t] - patch).square().mean().item())
        assert found[n].item() == pytest.approx(sum(total) / len(total), rel=1e-4)


def test_a_patch_of_one_colour_can_be_normalised() -> None:
    own = model(normalize_patches=True)
    with torch.no_grad():
        assert own.loss(Batch(torch.ones(2, *SPEC.shape), torch.ones(2, *SPEC.shape)), seeded())["loss"].isfinite().all()


def test_a_code_is_the_mean_over_all_patches() -> None:
    own, x = model(), images()
    with torch.no_grad():
        assert torch.allclose(own.encode(x), own.body.encode_tokens(own.body.tokens(x)).mean(1), atol=1e-6)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("model.patch=8", "model.patch: 8 makes one patch of the whole image; give a smaller one"),
        ("model.mask_ratio=0", "model.mask_ratio: 0 hides none of the 4 patches"),
        ("model.mask_ratio=1", "model.mask_ratio: 1 hides all of the 4 patches"),
        ("model.patch=3", "model.patch: patches of 3×3 do not divide an image of 8×8; these sides do: 1, 2, 4, 8"),
        ("model.decoder_width=30", "model.decoder_width: 4 heads do not divide a width of 30"),
    ],
)
def test_what_cannot_be_masked_is_refused(typed: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        built("model=mae", "data=digits", "device=cpu", typed)
    assert said in str(caught.value)
