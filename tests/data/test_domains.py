"""Two domains without pairs: from folders, from datasets, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nnlab.config import names, values
from nnlab.config.build import build
from nnlab.config.composition import compose_config, to_dict
from nnlab.data.dataset import Dataset, check_rows
from nnlab.data.datasets.domains import Domains
from nnlab.data.feed import BatchBuilder
from nnlab.data.sampler import Sampler
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Data, Other
from nnlab.errors import BadInput

CPU = torch.device("cpu")
RANDOM = torch.Generator()


def save(folder: str, n: int, level: int, *shape: int) -> None:
    """`n` images whose values are `level` + their number."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.fromarray(np.full(shape or (6, 8), level + i, np.uint8)).save(f"{folder}/{i:02d}.png")


def opened(**options) -> Data:
    return Domains(root=".", **options).open(CPU)


def composed(*overrides: str) -> Dataset:
    """The dataset of a command line that passes the checks of `nnlab train`. Raises BadInput with what they say."""
    typed = ["data=domains", "data.root=.", *overrides]
    names.check(typed).refuse()
    config = to_dict(compose_config(typed))
    if problems := values.check(config):
        raise BadInput(*problems)
    return build(config["data"], Dataset, place="data")


def levels(x: torch.Tensor) -> list[int]:
    """The value of each image (N, C, H, W) of one value."""
    return (x[:, 0, 0, 0] * 255).round().int().tolist()


def test_each_domain_is_shuffled_for_itself_and_keeps_its_labels(own_folder: Path) -> None:
    for name, level in (("one", 100), ("two", 130)):
        save(f"right/{name}", 20, level, 6, 8, 3)
    save("left", 30, 0)
    data = opened(a="left", b="right", limit=25)
    assert (data.spec.name, data.spec.shape, data.spec.classes) == ("left and right", (1, 6, 8), ())
    assert data.spec["b"] == Part("image", (1, 6, 8))
    assert data.spec["b_label"] == Part("label", (), ("one", "two"), of_target=False)
    assert (len(data.train) + len(data.validation), len(data.test)) == (25, 3)
    sampler, feed = Sampler(data.train, 6, 0), BatchBuilder(data.train)
    met = set()
    for step in range(2 * sampler.steps_per_epoch):
        batch = feed.batch(sampler.rows(0, step), RANDOM)
        assert max(levels(batch.target)) < 100 <= min(levels(batch["b"]))
        assert batch["b_label"].tolist() == [int(level >= 130) for level in levels(batch["b"])]
        met |= set(zip(levels(batch.target), levels(batch["b"]), strict=True))
    assert len({b for _, b in met}) > len(data.train) / 2, "b is not one row"
    assert len({a for a, _ in met}) == len(data.train)
    assert len(met) > 1.5 * len(data.train), "an image meets others in each epoch"
    batch = BatchBuilder(data.test).batch(data.test.rows, RANDOM)
    assert batch["b_label"].tolist() == [int(level >= 130) for level in levels(batch["b"])]


def test_folders_have_their_own_test_and_one_size(own_folder: Path) -> None:
    save("a/train", 12, 0, 9, 5)
    save("a/test", 4, 50, 9, 5)
    save("b", 20, 100, 6, 8, 3)
    Image.fromarray(np.arange(144, dtype=np.uint8).reshape(6, 8, 3)).save("b/colour.png")
    data = opened(a="a", b=str(Path("b").absolute()), size=(6, 8))
    assert (data.spec.shape, data.spec["b"].shape) == ((1, 6, 8), (3, 6, 8))
    assert sorted(levels(data.test.values(data.test.rows))) == [50, 51, 52, 53]
    assert (len(data.test.unpaired["b"]), len(data.train.sources["b"])) == (2, 19)
    assert opened(a="a", b="b", size=4, grayscale=True).spec["b"].shape == (1, 4, 4)
    message = r"data\.size: both .*, but a has 9×5 and b has 6×8 pixels; give data\.size=\[9,5\], which resizes folders"
    with pytest.raises(BadInput, match=message):
        opened(a="a", b="b")


def test_a_domain_may_be_a_dataset_with_its_own_keys(own_folder: Path) -> None:
    save("mine", 20, 0, 11, 11)
    data = composed("+data@data.a=digits", "data.b=mine", "data.a.classes=[3,1]", "data.a.size=11").open(CPU)
    assert (data.spec.classes, data.spec.shape, data.spec["b"].shape) == (("3", "1"), (1, 11, 11), (1, 11, 11))
    whole = composed("+data@data.a=digits", "data.b=mine", "data.size=8").open(CPU)
    share = len(data.train.target) / len(whole.train.target)
    assert 0.15 < share < 0.25
    both = composed("+data@data.a=digits", "+data@data.b=digits", "data.b.binarize=threshold", "data.validation=0")
    both = both.open(CPU)
    batch = BatchBuilder(both.train).batch(both.train.rows, RANDOM)
    assert batch.target.unique().tolist() == [k / 16 for k in range(17)], "each domain has its own scale"
    assert batch["b"].unique().tolist() == [0, 1]
    assert torch.equal(both.train.sources["b"].x.bool(), both.train.target.x >= 8)


def test_a_recipe_chooses_a_dataset_for_a_domain(own_folder: Path) -> None:
    recipe = (
        "# @package _global_\ndefaults:\n  - /data@data.b: digits\n  - override /data: domains\ndata:\n  a: mine\n  size: 8\n"
    )
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/two.yaml").write_text(recipe)
    save("mine", 20, 0)
    config = to_dict(compose_config(["experiment=two", "data.root=."], "conf"))
    assert not values.check(config)
    data = build(config["data"], Dataset, place="data").open(CPU)
    assert (data.spec.name, data.spec["b_label"].names) == ("mine and Digits", tuple("0123456789"))


def test_validation_leaves_images_of_both_to_train_on(own_folder: Path) -> None:
    save("many", 50, 0)
    save("few", 6, 100)
    data = opened(a="many", b="few", validation=39, test=0.2)
    assert [len(split.unpaired["b"]) for split in (data.train, data.validation)] == [1, 4]
    few = opened(a="many", b="few", validation=20, train_size=2, test=0.2)
    assert [len(split.unpaired["b"]) for split in (few.train, few.validation)] == [2, 2], "train_size changes no validation"


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["data.a=gone", "data.b=mine"], r"data\.a: no folder gone\. Give one"),
        (["data.a=mine", "data.b=empty"], r"data\.b: no image in empty\. Known"),
        (["data.a=mine", "data.b=digits"], r"data\.b: for the dataset of nnlab write \+data@data\.b=digits"),
        (["data.a=mine", "data@data.b=digits"], r"nothing is chosen for data@data\.b yet; .*: \+data@data\.b=NAME"),
        (["data.a=mine", "+data@data.b=digit"], r"data@data\.b=digit: no such data; did you mean 'digits'"),
        (
            ["data.a=mine", "+data@data.b=npz", "data.b.file=own.npz"],
            r"data\.b: own is a table, but a domain is a set of images",
        ),
        (["data.a=mine", "+data@data.b=digits", "data.b.clases=[1]"], r"data\.b\.clases: unknown key; did you mean 'classes'"),
        (["data.a=mine", "+data@data.b=digits", "data.b.classes=[x]"], r"data\.b\.classes: Digits has no class 'x'"),
        (["data.a=mine", "+data@data.b=digits", "data.b.limit=9"], r"data\.b\.limit: has no effect.*; give data\.limit"),
        (["data.a=mine", "+data@data.b=digits", "data.b.validation=0"], r"data\.b\.validation: has no effect"),
        (["data.a=mine", "+data@data.b=digits", "data.b.train_size=9"], r"data\.b\.train_size: has no effect"),
        (["data.a=mine", "+data@data.b=digits", "data.b.binarize=dynamic"], r"data\.b\.binarize: dynamic cannot"),
        (["data.a=mine", "+data@data.b=glyphs", "data.b.from=sans", "data.b.to=mono"], r"data\.b: Glyphs holds .*\(input\)"),
        (["+data@data.a=digits", "+data@data.b=digits", "data.size=9"], r"data\.size: has no effect, since neither"),
        (
            ["+data@data.a=digits", "+data@data.b=digits", "data.b.size=9"],
            r"Digits has 9×9 pixels; give a size to one .*data\.a\.size",
        ),
        (["+data@data.a=image_folder", "data.a.folder=gone", "data.b=mine"], r"data\.a\.folder: no folder gone"),
        (["data.b=mine"], r"data\.a: needs a value; add data\.a="),
    ],
)
def test_what_cannot_be_a_domain_is_named(overrides: list[str], problem: str, own_folder: Path) -> None:
    save("mine", 20, 0, 8, 8)
    Path("empty").mkdir()
    np.savez("own.npz", x_train=np.random.default_rng(0).normal(size=(30, 3)))
    with pytest.raises(BadInput, match=problem):
        composed(*overrides).open(CPU)


def test_what_is_downloaded_goes_to_the_one_root_of_both(own_folder: Path) -> None:
    """A run folder from elsewhere says where that is, and nnlab changes `data.root` alone."""
    data = composed("+data@data.a=mnist", "+data@data.b=digits", "data.root=elsewhere", "data.a.root=theirs")
    assert data.downloads
    assert data.folder == data.domains["a"].folder
    assert data.folder.parts[0] == "elsewhere"


def test_a_part_of_a_part_has_one_row_for_each_of_its(own_folder: Path) -> None:
    x, y = torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    b = Other(Part("image", (1, 2, 2)), x[:3], x[:2], paired=False)
    label = Other(Part("label", (), ("one",)), y[:3], y[:3], of="b")
    with pytest.raises(BadInput, match="3 rows of b_label for 2 test examples of b; each needs one"):
        check_rows(Arrays(x, None, x, None, others={"b": b, "b_label": label}), "mine")
    b.aligned_test = True
    with pytest.raises(BadInput, match="2 rows of b for 5 test examples; each needs one"):
        check_rows(Arrays(x, None, x, None, others={"b": b}), "mine")
