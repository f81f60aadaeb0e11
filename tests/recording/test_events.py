"""The event file, as TensorBoard itself reads it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from nnlab.plotting.picture import png
from nnlab.recording.events import EventFile
from nnlab.recording.tracker import RunFacts


def events(path: Path) -> list[Event]:
    return [Event.FromString(record) for record in RawEventFileLoader(str(path)).Load()]


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = EventAccumulator(str(path)).Reload()
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}


def write(file: EventFile, steps: range) -> None:
    for step in steps:
        file.metrics({"train/loss": step / 3, "train/kl": -float(step)}, step)


def expected(steps: range) -> dict[str, list[tuple[int, float]]]:
    return {
        "train/loss": [(step, np.float32(step / 3)) for step in steps],
        "train/kl": [(step, -float(step)) for step in steps],
    }


def test_tensorboard_reads_the_scalars_that_were_written(tmp_path):
    file = EventFile(tmp_path)
    write(file, range(50))
    file.close()
    assert scalars(file.path) == expected(range(50))
    assert events(file.path)[0].file_version == "brain.Event:2"


def test_what_was_flushed_can_be_read_while_the_run_goes_on(tmp_path):
    file = EventFile(tmp_path)
    write(file, range(5))
    file.flush()
    assert scalars(file.path) == expected(range(5))
    file.close()


def test_a_second_process_goes_on_in_the_same_file(tmp_path):
    for steps in (range(5), range(5, 9)):
        file = EventFile(tmp_path)
        write(file, steps)
        file.close()
        file.path = file.path.rename(tmp_path / "events.out.tfevents.1.nnlab")  # as of another second
    assert list(tmp_path.iterdir()) == [file.path]
    assert scalars(file.path) == expected(range(9))
    assert sum(event.HasField("file_version") for event in events(file.path)) == 1


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("torn", [0, 1, 13])
def test_cutting_to_a_checkpoint_leaves_no_gap_and_no_double_entry(reopened, torn, tmp_path):
    file = EventFile(tmp_path)
    write(file, range(10))
    length = file.length()
    write(file, range(10, 17))
    if reopened:
        file.close()
        with file.path.open("ab") as half:  # a kill in the middle of a record
            half.write(b"\x18" * torn)
        file = EventFile(tmp_path)
    file.truncate_to(length)
    assert file.length() == length == file.path.stat().st_size
    write(file, range(10, 20))
    file.close()
    assert scalars(file.path) == expected(range(20))


def test_cutting_beyond_the_end_adds_nothing(tmp_path):
    file = EventFile(tmp_path)
    write(file, range(3))
    length = file.length()
    file.truncate_to(length + 1000)
    write(file, range(3, 5))
    file.close()
    assert scalars(file.path) == expected(range(5))


def test_an_image_comes_back_pixel_by_pixel(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    file = EventFile(tmp_path)
    file.picture("sample", picture, png(picture), step=4)
    file.close()
    (image,) = EventAccumulator(str(file.path)).Reload().Images("sample")
    assert (image.step, image.height, image.width) == (4, 7, 9)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.encoded_image_string))), picture)


def test_texts_and_hyper_parameters_stand_in_the_same_file(tmp_path):
    file = EventFile(tmp_path)
    file.text("config", "model: vae")
    file.start(RunFacts(tmp_path, tmp_path, parameters={"optimizer.lr": 0.001, "model": "vae", "clip": True}))
    file.finish("completed")
    file.close()
    tags = {value.tag for event in events(file.path) for value in event.summary.value}
    assert any(tag.startswith("config") for tag in tags)
    assert any(tag.startswith("_hparams_") for tag in tags)
    assert list(tmp_path.iterdir()) == [file.path]
