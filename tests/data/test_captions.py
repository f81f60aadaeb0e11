"""A user's own images with captions, boxes and keypoints, in three layouts; and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import built
from PIL import Image

from nnlab.data.captioned import Captioned
from nnlab.data.datasets.captions import Captions
from nnlab.data.feed import BatchBuilder, drawn
from nnlab.data.identity import as_trained, differences
from nnlab.data.split import Data
from nnlab.data.words import decode
from nnlab.errors import BadInput
from nnlab.families.ae.ae import AE

CPU = torch.device("cpu")
TEXTS = [["A red bird.", "a small red bird"], ["a blue bird"], ["the red, red fish", "a fish", "A FISH!"]]
WORDS = [["a red bird", "a small red bird"], ["a blue bird"], ["the red red fish", "a fish", "a fish"]]
SIDES = (6, 8)  # height and width


def pixels(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *SIDES, 3), dtype=np.uint8)


def save_images(root: str, n: int, seed: int = 0) -> None:
    Path(root).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pixels(n, seed)):
        Image.fromarray(image).save(f"{root}/{i:02d}.png")


def texts(root: str, told: list[list[str]]) -> None:
    for i, own in enumerate(told):
        Path(f"{root}/{i:02d}.txt").write_text("\n".join(own) + "\n", encoding="utf-8")


def table(root: str, told: list[list[str]]) -> None:
    lines = [f'{i:02d}.png,"{text}"' for i, own in enumerate(told) for text in own]
    Path(f"{root}/captions.csv").write_text("\n".join(["file,caption", *lines]) + "\n", encoding="utf-8")


def coco(root: str, told: list[list[str]], boxes: dict | None = None, points: dict | None = None) -> None:
    entries = [{"image_id": i + 7, "caption": text} for i, own in enumerate(told) for text in own]
    entries += [{"image_id": i + 7, "bbox": box} for i, own in (boxes or {}).items() for box in own]
    entries += [{"image_id": i + 7, "keypoints": own} for i, own in (points or {}).items()]
    images = [{"id": i + 7, "file_name": f"{i:02d}.png"} for i in range(len(told))]
    Path(f"{root}/annotations.json").write_text(json.dumps({"images": images, "annotations": entries}), encoding="utf-8")


LAYOUTS = {"texts": texts, "table": table, "coco": coco}


def opened(**options) -> Data:
    return Captions(root=".", folder="mine", **{"words_seen": 1, **options}).open(CPU)


def test_a_caption_that_is_given_again_is_told() -> None:
    save_images("mine", 3)
    table("mine", [["a red hat", "A red hat!", "a hat"], ["a hat"], ["a hat", "a hat"]])
    assert opened(test=0.4).remarks == ("2 captions are given again for the same image; each counts once more",)


def made(layout: str = "coco", n: int = 3, boxes: list | None = None, points: list | None = None) -> None:
    """A folder of n images whose captions repeat TEXTS; in coco's layout each may have these boxes and points."""
    save_images("mine", n)
    parts = {name: {i: own for i in range(n)} for name, own in (("boxes", boxes), ("points", points)) if own}  # noqa: C420
    LAYOUTS[layout]("mine", [TEXTS[i % 3] for i in range(n)], **parts)


def all_captions(data: Data, part: str = "train") -> list[list[str]]:
    source = data.split(part).sources["caption"].x.tolist()
    return [[decode(text, data.spec["caption"].names) for text in own if text[0]] for own in source]


# -- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_captions_of_each_image(layout: str, own_folder: Path) -> None:
    save_images("mine/train", 3)
    save_images("mine/test", 2, seed=1)
    LAYOUTS[layout]("mine/train", TEXTS)
    LAYOUTS[layout]("mine/test", TEXTS[:2])
    data = opened(validation=0)
    assert (data.spec.name, data.spec.shape, data.spec.classes) == ("mine", (3, *SIDES), ())
    assert (data.spec["caption"].kind, data.spec["caption"].shape) == ("text", (4,))
    assert all_captions(data) == WORDS
    assert all_captions(data, "test") == WORDS[:2]
    assert np.array_equal(data.train.target.x.numpy(), pixels(3).transpose(0, 3, 1, 2))
    assert set(data.spec.parts) == {"caption"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_a_test_folder_a_share_of_the_images_is_the_test_split(layout: str, own_folder: Path) -> None:
    made(layout, 20)
    data = opened(test=0.2, validation=2)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [14, 2, 4]
    for split in (data.train, data.test):
        captions = all_captions(data, "train" if split is data.train else "test")
        for x, own in zip(split.target.x, captions, strict=True):
            (i,) = [i for i, image in enumerate(pixels(20)) if np.array_equal(x.numpy().transpose(1, 2, 0), image)]
            assert own == WORDS[i % 3]


def test_images_may_lie_in_folders_and_files_may_have_a_mark_of_their_order_of_bytes(own_folder: Path) -> None:
    save_images("mine/one", 3)
    save_images("mine/two", 3)
    lines = [f"{folder}/{i:02d}.png,bird {folder}" for folder in ("one", "./two") for i in range(3)]
    Path("mine/captions.csv").write_text("File , Caption\n" + "\n".join(lines), encoding="utf-8-sig")
    Path("mine/README.txt").write_text("The birds.")
    data = opened(test=0.34)
    assert {text for own in all_captions(data) for text in own} == {"bird one", "bird two"}


def test_the_vocabulary_is_of_the_training_split_and_rare_words_are_unknown(own_folder: Path) -> None:
    for part, told in (("train", [["a bird", "a red bird"], ["a bird"], ["a fish"]]), ("val", [["a whale"]])):
        save_images(f"mine/{part}", len(told))
        texts(f"mine/{part}", told)
    data = opened(words_seen=2, validation=0)
    assert data.spec["caption"].names == ("", "<unknown>", "a", "bird")
    assert all_captions(data) == [["a bird", "a <unknown> bird"], ["a bird"], ["a <unknown>"]]
    assert all_captions(data, "test") == [["a <unknown>"]]
    assert opened(words_seen=1, validation=0).spec["caption"].names == ("", "<unknown>", "a", "bird", "fish", "red")
    assert "whale" not in opened(words_seen=1, validation=0).spec["caption"].names
    with pytest.raises(BadInput, match=r"data\.words_seen: no word occurs 9 times in the training captions; give 4 or fewer"):
        opened(words_seen=9, validation=0)


def test_a_batch_draws_evenly_among_the_captions_that_an_image_has(own_folder: Path) -> None:
    captions = torch.zeros(3, 4, 2, dtype=torch.int64)
    for i, used in enumerate((4, 2, 1)):
        captions[i, :used, 0] = torch.arange(1, used + 1)
    generator, counts = torch.Generator().manual_seed(0), torch.zeros(3, 5)
    for _ in range(2000):
        counts[torch.arange(3), drawn(captions, generator)[:, 0]] += 1
    wanted = torch.tensor([[0, 1 / 4, 1 / 4, 1 / 4, 1 / 4], [0, 1 / 2, 1 / 2, 0, 0], [0, 1, 0, 0, 0]])
    assert (counts / 2000 - wanted).abs().max() < 0.04
    assert not counts[:, 0].any(), "an unused one is never drawn"
    made("texts", 12)
    data = opened(test=0.2)
    feed = BatchBuilder(data.train)
    batches = [feed.batch(data.train.rows, torch.Generator().manual_seed(seed))["caption"] for seed in (0, 0, 1)]
    assert torch.equal(batches[0], batches[1]), "the draw is the generator's"
    assert not torch.equal(batches[0], batches[2])
    assert tuple(batches[0].shape) == (len(data.train), 4)


# -- boxes and keypoints ----------------------------------------------------------------------------------------------


def test_boxes_and_keypoints_are_scaled_with_their_images(own_folder: Path) -> None:
    """A white rectangle in the image is where its box says, before and after a resize."""
    Path("mine").mkdir()
    rng, boxes, points = np.random.default_rng(0), {}, {}
    for i in range(6):
        image = np.zeros((20 + 10 * (i % 2), 40, 3), np.uint8)
        left, top = rng.integers(0, 20), rng.integers(0, 10)
        boxes[i] = [[int(left), int(top), 16, 8]]
        points[i] = [int(left), int(top), 2, int(left) + 16, int(top) + 8, 1, 0, 0, 0]
        image[top : top + 8, left : left + 16] = 255
        Image.fromarray(image).save(f"mine/{i:02d}.png")
    coco("mine", [["a white box"]] * 6, boxes, points)
    data = opened(size=[80, 160], test=0.34, validation=0)
    assert (data.spec["box"].kind, data.spec["box"].shape) == ("box", (4,))
    assert (data.spec["keypoints"].kind, data.spec["keypoints"].shape) == ("points", (3, 2))
    for split in (data.train, data.test):
        batch = BatchBuilder(split).batch(split.rows, torch.Generator())
        bright = batch.target[:, 0] > 0.5
        assert batch["box"].dtype == batch["keypoints"].dtype == torch.float32
        for mask, box, known in zip(bright, batch["box"], batch["keypoints"], strict=True):
            rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
            found = torch.tensor([columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]])
            assert (found - box).abs().max() <= 1
            assert torch.equal(known[0], box[:2])
            assert torch.allclose(known[1], box[:2] + box[2:])
            assert known[2].tolist() == [-1, -1], "a point that is missing"


def test_annotations_of_an_image_are_put_together(own_folder: Path) -> None:
    save_images("mine", 4)
    coco("mine", [["a bird", "one bird"]] * 4, {i: [[0, 0, 2, 2], [4, 1, 3.5, 5]] for i in range(4)})
    data = opened(test=0.25, validation=0)
    assert data.spec["box"].shape == (2, 4)
    assert data.train.sources["box"].x[0].tolist() == [[0, 0, 2, 2], [4, 1, 3.5, 5]]
    assert all_captions(data)[0] == ["a bird", "one bird"]


def test_what_lies_a_little_beyond_the_image_is_cut_off(own_folder: Path) -> None:
    made(boxes=[[-0.5, 0, 9, 6.8]], points=[8.7, -1, 1])
    data = opened(test=0.34, validation=0)
    assert data.train.sources["box"].x[0].tolist() == [0, 0, 8, 6]
    assert data.train.sources["keypoints"].x[0].tolist() == [[8, 0]]


def test_an_augmentation_that_moves_images_is_refused_for_a_model_that_needs_places(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("coco", 20, boxes=[[0, 0, 2, 2]], points=[1, 1, 1])
    own = ["model=ae", "data=captions", "data.root=.", "data.folder=mine", "model.hidden=[4]"]
    built(*own, "augmentation=affine")
    for part in ("box", "keypoints"):
        monkeypatch.setattr(AE, "needs", (part,))
        built(*own)
        with pytest.raises(BadInput, match=f"augmentation: Affine moves images, but not the part '{part}', where AE learns"):
            built(*own, "augmentation=affine")
    made("coco", 20)
    with pytest.raises(BadInput, match="AE needs the part 'keypoints', which mine lacks; data that have it: captions, scenes"):
        built(*own)


# -- the same data or others ------------------------------------------------------------------------------------------


def test_other_captions_are_other_data(own_folder: Path) -> None:
    made("texts", 12)
    before = opened().spec
    Path("mine/00.txt").write_text("a red bird\na small blue bird\n")
    assert opened().spec.digest != before.digest
    for i in range(12):
        path = Path(f"mine/{i:02d}.txt")
        path.write_text("\n".join(TEXTS[i % 3]).replace("red", "ref").replace("Red", "Ref"))
    after = opened()
    assert after.spec.digest != before.digest, "although the numbers of its words are the same"
    assert differences(before, after.spec)[0] == "other words in caption"
    with pytest.raises(BadInput, match=r"other words in caption.*its model cannot take it"):
        as_trained(after, before, allowed=True)
    made("texts", 12)
    assert not differences(before, opened().spec)


def test_its_size_is_the_bytes_that_it_takes(own_folder: Path) -> None:
    made(boxes=[[0, 0, 2, 2]], points=[1, 1, 1, 0, 0, 0])
    dataset = Captions(root=".", folder="mine", size=11, test=0.34)
    size, arrays = dataset.size(), dataset.load()
    held = [arrays.x_train, arrays.x_test, *(x for other in arrays.others.values() for x in (other.train, other.test))]
    assert size == sum(x.nbytes for x in held)
    assert isinstance(dataset, Captioned)


@pytest.mark.usefixtures("blank_charts")
def test_a_run_on_captioned_images_goes_its_whole_way(own_folder: Path, nnlab) -> None:
    made("table", 20)
    own = ["data=captions", "data.root=.", "data.folder=mine"]
    status, _, error = nnlab("train", "model=vae", "model.hidden=[8]", "trainer.epochs=2", *own, "hydra.run.dir=run")
    assert status == 0, error
    for verb in (
        ["resume", "run", "trainer.epochs=3"],
        ["evaluate", "run"],
        ["reconstruct", "run"],
        ["sample", "run", "-n", "4"],
    ):
        status, _, error = nnlab(*verb)
        assert status == 0, error
    Path("mine/captions.csv").write_text(Path("mine/captions.csv").read_text().replace("bird", "whale"))
    status, _, error = nnlab("evaluate", "run")
    assert status == 2
    assert "is not what the run was trained on (other words in caption; other values)" in error


# -- what is wrong ----------------------------------------------------------------------------------------------------


def spoil_json(change) -> None:
    """Change what annotations.json holds by a function."""
    path = Path("mine/annotations.json")
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(change(whole) or whole))


def entry(key: str, value, i: int = 0):
    """A change of annotation i."""
    return lambda whole: whole["annotations"][i].update({key: value})


TEXT_FAULTS = {
    "no image": (lambda: Path("mine/02.png").unlink(), r"captions without an image of the same name: mine/02\.txt"),
    "no text": (lambda: Path("mine/01.txt").unlink(), r"images without a caption beside them: mine/01\.png"),
    "empty": (lambda: Path("mine/01.txt").write_text("\n \n"), r"mine/01\.txt, line 1: the caption is empty; write one"),
    "empty line": (lambda: Path("mine/01.txt").write_text("a\n\nb\n"), r"mine/01\.txt, line 2: the caption is empty"),
    "no word": (lambda: Path("mine/01.txt").write_text("42\x1b[0\n"), r"line 1: '42\\x1b\[0' holds no word"),
    "not UTF-8": (
        lambda: Path("mine/01.txt").write_bytes(b"caf\xe9"),
        r"mine/01\.txt: is no text in UTF-8 .* Save it as UTF-8",
    ),
    "a book": (
        lambda: Path("mine/01.txt").write_text("a\n" * 2**20),
        r"mine/01\.txt: 2,097,152 bytes, too long for the captions",
    ),
    "a chapter": (lambda: Path("mine/01.txt").write_text("a " * 1001), r"line 1: a caption of 1,001 words; at most 1,000"),
    "many": (lambda: Path("mine/01.txt").write_text("a\n" * 1001), r"more than 1,000 captions of an image: mine/01\.png"),
    "two images": (lambda: Path("mine/01.png").rename("mine/00.bmp"), r"mine/01\.txt"),
    "both endings": (
        lambda: Image.fromarray(pixels(1)[0]).save("mine/00.bmp"),
        r"several images for the captions mine/00\.txt; rename all but one",
    ),
    "two layouts": (
        lambda: table("mine", TEXTS),
        r"captions in two layouts \(captions\.csv and texts beside images\); keep one",
    ),
    "a folder": (lambda: (Path("mine/01.txt").unlink(), Path("mine/01.txt").mkdir()), r"mine/01\.txt: cannot be read"),
}


@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_what_is_wrong_with_texts_is_named(fault: str, own_folder: Path) -> None:
    made("texts")
    opened(test=0.34)
    spoil, problem = TEXT_FAULTS[fault]
    spoil()
    with pytest.raises(BadInput, match=problem):
        opened(test=0.34)


TABLE_FAULTS = {
    "no header": ("00.png,a bird\n", r"the first line is '00\.png,a bird'; expected file,caption"),
    "empty file": ("", "the first line is ''; expected file,caption"),
    "no image": ("file,caption\ngone.png,a bird\n", r"captions\.csv, line 2: no image 'gone\.png' beside this file"),
    "outside": ("file,caption\n../02.png,a bird\n", r"line 2: no image '\.\./02\.png'"),
    "no caption": ("file,caption\n00.png,\n", r"line 2: the caption is empty"),
    "a comma": ("file,caption\n00.png,a bird, red\n", r"line 2: 3 columns, expected file,caption; write .* in quotes"),
    "lacking": ("file,caption\n00.png,a\n", r"images without a caption in captions\.csv: mine/01\.png, mine/02\.png"),
    "a quote": ('file,caption\n00.png,"a bird\n', r"line 2: cannot be read \(unexpected end of data\)"),
    "controls": ("file,caption\n\x1b[31m,a\n", r"no image '\\x1b\[31m'"),
    "many faults": ("file,caption\n" + "x,a\n" * 9, r"line 6: no image 'x'[^\n]*\ndata\.folder: … and 4 more$"),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_what_is_wrong_with_a_table_is_named(fault: str, own_folder: Path) -> None:
    made("table")
    text, problem = TABLE_FAULTS[fault]
    Path("mine/captions.csv").write_text(text)
    with pytest.raises(BadInput, match=problem):
        opened(test=0.34)


JSON_FAULTS = {
    "a list": (lambda whole: [whole], r'annotations\.json: holds another layout; expected {"images"'),
    "of strings": (lambda whole: {"images": ["a"], "annotations": []}, "holds another layout"),
    "no annotations": (lambda whole: {"images": whole["images"]}, "holds another layout"),
    "no name": (lambda whole: whole["images"][1].update(file_name=None), r"images\[1\]: has no id or no file_name; expected"),
    "no image": (lambda whole: whole["images"][1].update(file_name="/etc/passwd"), r"images\[1\]: no image '/etc/passwd'"),
    "an id twice": (lambda whole: whole["images"][1].update(id=7), r"images\[1\]: the id 7 is given twice"),
    "an unknown id": (entry("image_id", 99), r"annotations\[0\]: image_id 99 is the id of no image"),
    "an id of another type": (entry("image_id", "7"), r'annotations\[0\]: image_id "7" is the id of no image'),
    "an id that is a list": (entry("image_id", [7]), r"image_id \[7\] is the id of no image"),
    "an image unnamed": (
        lambda whole: whole.update(images=whole["images"][:2]),
        r"annotations\[\d\]: image_id 9 is the id of no image",
    ),
    "an empty caption": (entry("caption", " "), r"annotations\[0\]: the caption is empty"),
    "a number": (entry("caption", 3), r"annotations\[0\]: its caption is 3; expected a text"),
    "nothing": (lambda whole: whole["annotations"].append({"image_id": 7}), "has neither caption nor bbox nor keypoints"),
    "outside": (entry("bbox", [4, 2, 8, 2]), r"the box \[4\.0, 2\.0, 8\.0, 2\.0\] lies outside mine/00\.png of 8×6 pixels"),
    "before": (entry("bbox", [-4, 2, 8, 2]), "lies outside"),
    "beyond": (entry("bbox", [8.5, 2, 0.3, 2]), "has no area within"),
    "no area": (entry("bbox", [4, 2, 0, 2]), r"the box \[4\.0, 2\.0, 0\.0, 2\.0\] of .* has no area"),
    "negative": (entry("bbox", [4, 2, -1, 2]), "has no area"),
    "three": (entry("bbox", [4, 2, 1]), r"its bbox is \[4, 2, 1\]; expected \[x, y, width, height\]"),
    "texts": (entry("bbox", ["4", 2, 1, 1]), "its bbox is"),
    "not finite": (entry("bbox", [4, 2, float("nan"), 1]), r"its bbox is \[4, 2, nan, 1\]; expected numbers of pixels"),
    "infinite": (entry("bbox", [4, 2, 10**400, 1]), "expected numbers of pixels"),
    "some boxes": (entry("bbox", [0, 0, 1, 1]), r"some images have boxes, but these have none: mine/01\.png, mine/02\.png"),
    "no threes": (entry("keypoints", [1, 2]), r"its keypoints is \[1, 2\]; expected \[x, y, v"),
    "a point outside": (entry("keypoints", [1, 20, 1]), r"the point \(1, 20\) lies outside mine/00\.png"),
    "some points": (entry("keypoints", [1, 2, 1]), "some images have points, but these have none"),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_what_is_wrong_with_annotations_is_named(fault: str, own_folder: Path) -> None:
    made("coco")
    change, problem = JSON_FAULTS[fault]
    spoil_json(change)
    with pytest.raises(BadInput, match=problem):
        opened(test=0.34)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", r"annotations\.json: cannot be read as JSON \(.*\). Repair it"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"images": [], "annotations": [' + b"9" * 5000 + b"]}", "cannot be read as JSON"),
    ],
    ids=["broken", "not UTF-8", "deep", "long"],
)
def test_files_that_are_no_json_are_told(content: bytes, problem: str, own_folder: Path) -> None:
    made("coco")
    Path("mine/annotations.json").write_bytes(content)
    with pytest.raises(BadInput, match=problem):
        opened(test=0.34)


def test_images_of_other_numbers_of_boxes_are_named(own_folder: Path) -> None:
    save_images("mine", 3)
    coco("mine", TEXTS, {0: [[0, 0, 1, 1]], 1: [[0, 0, 1, 1]] * 2, 2: [[0, 0, 1, 1]]})
    with pytest.raises(BadInput, match=r"images of another number of boxes than the others, 1: mine/01\.png; give each"):
        opened(test=0.34)


def test_a_file_that_does_not_fit_into_memory_is_refused_before_it_is_read(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("coco")
    monkeypatch.setattr("nnlab.data.annotations.free_memory", lambda device: 2000)
    with pytest.raises(BadInput, match=r"annotations\.json: 0\.0 GiB cannot be parsed in 0\.0 GiB of memory"):
        opened(test=0.34)


def test_folders_that_hold_something_else_are_named(own_folder: Path) -> None:
    with pytest.raises(BadInput, match=r"data\.folder: no folder mine"):
        opened()
    Path("mine").mkdir()
    with pytest.raises(BadInput, match=r"data\.folder: no image in mine\. Known formats"):
        opened()
    save_images("mine", 4)
    with pytest.raises(BadInput, match=r"mine has no captions; expected NAME\.txt beside each image NAME\.png"):
        opened()
    texts("mine", [["a"]] * 4)
    with pytest.raises(BadInput, match=r"data\.test: 0 of 4 images leaves none to test on; give another share, or more images"):
        opened(test=0.0)
    Image.fromarray(pixels(1)[0][:5]).save("mine/03.png")
    with pytest.raises(BadInput, match=r"mine/03\.png: 5×8 pixels, but 00\.png has 6×8\. Add data\.size=64"):
        opened(test=0.25)
    assert opened(test=0.25, size=4).spec.shape == (3, 4, 4)
    Path("mine").rename("other")
    save_images("mine/val", 2)
    with pytest.raises(BadInput, match="has the folder val but no train"):
        opened()
    Path("other").rename("mine/train")
    with pytest.raises(BadInput, match=r"mine/val has no captions"):
        opened(size=4)
    texts("mine/val", [["a"]] * 2)
    with pytest.raises(BadInput, match=r"data\.classes: mine has no labels to choose by"):
        opened(size=4, classes=[1])
