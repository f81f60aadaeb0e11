"""An example has named parts: what a dataset brings beside its target, and what a noise makes of the input."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built
from PIL import Image

import nnlab as package
from nnlab.data.augmentation.affine import Affine
from nnlab.data.dataset import Dataset
from nnlab.data.feed import BatchBuilder
from nnlab.data.noise.downscale import Downscale
from nnlab.data.noise.grayscale import Grayscale
from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.data.split import Arrays, Other
from nnlab.errors import BadInput
from nnlab.families.ae.ae import AE
from nnlab.nn.resize import enlarged

CPU = torch.device("cpu")
COLOURS = DataSpec("colours", "image", (3, 8, 8), ("a", "b"))
BYTES = torch.randint(0, 256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
WORDS = torch.arange(80).view(40, 2)


class Captioned(Dataset):
    """Images with a drawing of each as input, and with a caption."""

    parts = ("input", "caption")
    rows = 30

    def size(self) -> int:
        return 0

    def load(self) -> Arrays:
        drawing = BYTES.amax(1, keepdim=True)
        others = {
            "input": Other(Part("image", (1, 8, 8)), drawing[: self.rows], drawing[30:], 1 / 255),
            "caption": Other(Part("text", (2,), tuple(map(str, range(80)))), WORDS[:30], WORDS[30:]),
        }
        label = torch.arange(40) % 2
        return Arrays(BYTES[:30], label[:30], BYTES[30:], label[30:], ("a", "b"), others=others)


def opened(**options):
    return Captioned(root=".", validation=5, **options).open(CPU)


def test_each_part_of_a_batch_is_of_the_same_examples() -> None:
    data = opened()
    for split in (data.train, data.validation, data.test):
        batch = BatchBuilder(split).batch(split.rows, torch.Generator())
        first = batch["caption"][:, 0] // 2  # which example it is
        assert torch.equal((batch.target * 255).round().byte(), BYTES[first])
        assert torch.equal(batch.input, batch.target.amax(1, keepdim=True))
        assert torch.equal(batch["label"], first % 2)
        assert batch["caption"].dtype == torch.int64
    assert (data.spec.input.shape, data.spec["caption"].kind, data.spec["label"].names) == ((1, 8, 8), "text", ("a", "b"))
    assert "box" not in data.spec
    with pytest.raises(KeyError):
        data.spec["box"]


def test_parts_of_other_numbers_of_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Captioned, "rows", 29)
    with pytest.raises(BadInput, match="29 rows of input for 30 train examples; each needs one"):
        opened()


def test_a_spec_with_parts_survives_a_checkpoint() -> None:
    spec = opened().spec
    assert DataSpec.from_state(spec.state()) == spec
    assert "parts" not in COLOURS.state(), "as before there were parts"
    for parts in ([1], {"input": {"kind": "image", "shape": [0]}}, {"input": {"kind": "song"}}):
        with pytest.raises(ValueError):  # noqa: PT011
            DataSpec.from_state({**spec.state(), "parts": parts})


def test_another_part_is_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened().spec.digest
    monkeypatch.setitem(globals(), "WORDS", WORDS + 1)
    assert opened().spec.digest != before


def test_input_and_target_are_augmented_by_one_draw() -> None:
    data = opened()
    feed = BatchBuilder(data.train, None, Affine(data.spec, shift=3, flip=True))
    batch = feed.batch(data.train.rows, torch.Generator().manual_seed(0))
    plain = BatchBuilder(data.train).batch(data.train.rows, torch.Generator())
    assert not torch.equal(batch.target, plain.target)
    assert torch.allclose(batch.input, batch.target.amax(1, keepdim=True), atol=1e-6)
    assert torch.equal(batch["caption"], plain["caption"])


def test_views_are_augmented_by_a_draw_each() -> None:
    data = built("model=ae", "data=digits").data
    feed = BatchBuilder(data.train, None, Affine(data.spec), views=3)
    batch = feed.batch(data.train.rows[:50], torch.Generator().manual_seed(0))
    views = [batch.target, batch["view_2"], batch["view_3"]]
    assert len({view.numpy().tobytes() for view in views}) == 3
    assert all(view.shape == batch.target.shape for view in views)


def test_a_batch_is_mapped_and_split_with_all_its_parts() -> None:
    x = torch.arange(10.0)[:, None]
    batch = Batch(x, x + 1, label=torch.arange(10), erased=True, extra={"caption": torch.arange(20).view(10, 2)})
    parts = batch.tensor_split(3)
    assert [len(part) for part in parts] == [4, 3, 3]
    assert all(part.erased for part in parts)
    for name in ("input", "target", "label", "caption"):
        assert torch.equal(torch.cat([part[name] for part in parts]), batch[name])
    assert batch.map(lambda x: x[:2])["caption"].shape == (2, 2)


# -- noises that change the shape -------------------------------------------------------------------------------------


def test_gray_is_the_luma_of_the_colours() -> None:
    x = torch.rand(5, 3, 8, 8)
    noise = Grayscale(COLOURS)
    gray, mask = noise(x, torch.Generator())
    expected = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert torch.allclose(gray, expected, atol=1e-6)
    assert mask is None
    assert noise.output.shape == (1, 8, 8) == tuple(gray.shape[1:])
    with pytest.raises(BadInput, match="grayscale needs images of 3 channels, but gray has 1 channel"):
        Grayscale(DataSpec("gray", "image", (1, 8, 8)))
    with pytest.raises(BadInput, match="no image"):
        Grayscale(DataSpec("table", "table", (3,)))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_smaller_image_is_pillows(factor: int) -> None:
    """Pillow's bicubic is antialiased, too."""
    noise = Downscale(DataSpec("gray", "image", (1, 16, 24)), factor=factor)
    x = torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(1))
    small, mask = noise(x, torch.Generator())
    assert mask is None
    assert noise.output.shape == (1, 16 // factor, 24 // factor) == tuple(small.shape[1:])
    for image, got in zip(x[:, 0], small[:, 0], strict=True):
        peer = Image.fromarray(image.numpy(), mode="F").resize((24 // factor, 16 // factor), Image.Resampling.BICUBIC)
        assert np.allclose(np.asarray(peer).clip(0, 1), got.numpy(), atol=1e-5)


def test_a_size_without_a_whole_part_is_refused() -> None:
    with pytest.raises(BadInput, match=r"noise\.factor: images of 28×28 have no whole part of 8; use 2 or 4"):
        Downscale(DataSpec("mnist", "image", (1, 28, 28)), factor=8)
    with pytest.raises(BadInput, match="use images of an even height"):
        Downscale(DataSpec("odd", "image", (1, 7, 7)))
    with pytest.raises(BadInput, match="a table of 4 columns"):
        Downscale(DataSpec("iris", "table", (4,)))


def test_enlarging_keeps_what_has_the_shape() -> None:
    x = torch.rand(2, 1, 4, 4)
    assert enlarged(x, (1, 4, 4)) is x
    assert torch.equal(enlarged(x, (3, 4, 4)), x.repeat(1, 3, 1, 1))
    assert enlarged(x, (3, 8, 8)).shape == (2, 3, 8, 8)
    with pytest.raises(ValueError, match="2 channels"):
        enlarged(torch.rand(1, 2, 4, 4), (3, 4, 4))


@pytest.mark.usefixtures("blank_charts")
@pytest.mark.parametrize("noise", ["downscale", "grayscale"])
def test_a_unet_enlarges_and_colours(noise: str, nnlab, own_folder: Path) -> None:
    hue = np.random.default_rng(0).integers(0, 256, (120, 1, 1, 3))
    images = (hue * np.linspace(0.3, 1, 64).reshape(1, 8, 8, 1)).astype(np.uint8)
    np.savez("mine.npz", x_train=images)
    own = ["data=npz", "data.root=.", "data.file=mine.npz"] if noise == "grayscale" else ["data=digits", "data.limit=150"]
    common = ["model=unet", "model.channels=[8,16]", "trainer.epochs=60", "trainer.batch_size=16"]
    common += ["trainer.evaluate_every=20 epochs"]
    status, _, error = nnlab("train", *common, *own, f"noise={noise}", "hydra.run.dir=run")
    assert status == 0, error
    status, out, error = nnlab("reconstruct", "run", "-n", "4")
    assert status == 0, error
    psnr, before = map(float, re.search(r"psnr ([\d.]+) dB, of the input ([\d.]+)", out).groups())
    assert psnr > before
    status, _, error = nnlab("reconstruct", "run", "--noise", "none")
    assert status == 2
    assert "leave it out, for the noise of its training" in error
    assert nnlab("evaluate", "run")[0] == 0


def test_a_model_that_cannot_take_another_shape_is_told_who_can(nnlab, own_folder: Path) -> None:
    status, _, error = nnlab("train", "model=ae", "data=digits", "noise=downscale")
    assert status == 2
    assert "AE takes inputs of the shape of its target, 1×8×8, but Downscale gives it 1×4×4; " in error
    assert "; models that can: pix2pix, srgan, srresnet, unet; one of your own" in error
    assert not Path("outputs").exists()


def test_a_part_that_the_data_lack_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AE, "needs", ("depth",))
    with pytest.raises(BadInput, match="AE needs the part 'depth', which Digits lacks; no dataset of nnlab has it"):
        built("model=ae", "data=digits")
    monkeypatch.setattr("nnlab.data.datasets.mnist.MNIST.parts", ("depth",))
    with pytest.raises(BadInput, match="data that have it: mnist"):
        built("model=ae", "data=digits")


def test_a_model_of_several_views_needs_an_augmentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AE, "views", 2)
    with pytest.raises(BadInput, match="AE learns from 2 views of an example; add augmentation="):
        built("model=ae", "data=digits")
    trainer = built("model=ae", "data=digits", "augmentation=affine").trainer
    batch = next(trainer.builder(trainer.data.validation).sequential(torch.Generator()))
    assert not torch.equal(batch.target, batch["view_2"])


def test_no_code_outside_the_room_reads_an_array() -> None:
    root = Path(package.__file__).parent
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] != "data":
            assert not re.search(r"\.sources\b|\.target\.x\b|split\.x\b", path.read_text(encoding="utf-8")), path


def test_a_noise_of_a_stored_input_corrupts_that_input() -> None:
    data = opened()
    noise = Downscale(data.spec)
    assert (noise.part.shape, noise.output.shape) == ((1, 8, 8), (1, 4, 4))
    batch = BatchBuilder(data.train, noise).batch(data.train.rows[:3], torch.Generator())
    assert (tuple(batch.input.shape), tuple(batch.target.shape)) == ((3, 1, 4, 4), (3, 3, 8, 8))
    assert replace(data.spec, parts={}).input == data.spec.target
