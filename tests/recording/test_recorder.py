"""One record, the same in metrics.jsonl and in TensorBoard."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnlab.recording.recorder import Recorder
from nnlab.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


def record(recorder: Recorder, steps: range) -> None:
    for step in steps:
        recorder.metrics("validation", {"loss": step / 7, "kl": float(step)}, step=step, epoch=step / 10, n=100)


def in_tensorboard(folder: RunFolder, tag: str) -> list[tuple[int, float]]:
    return [(e.step, e.value) for e in EventAccumulator(str(folder.path)).Reload().Scalars(tag)]


def test_a_record_keeps_every_figure_to_the_last_bit(folder):
    recorder = Recorder(folder)
    record(recorder, range(3))
    recorder.close()
    assert folder.read_metrics() == [
        {"step": step, "epoch": step / 10, "split": "validation", "n": 100, "loss": step / 7, "kl": float(step)}
        for step in range(3)
    ]


def test_both_files_hold_the_same_figures_at_the_same_steps(folder):
    recorder = Recorder(folder)
    record(recorder, range(20))
    recorder.close()
    for name in ("loss", "kl"):
        lines = [(line["step"], np.float32(line[name])) for line in folder.read_metrics()]
        assert in_tensorboard(folder, f"validation/{name}") == lines


@pytest.mark.parametrize("killed", [False, True])
def test_cutting_to_a_checkpoint_leaves_no_gap_and_no_double_entry(killed, folder):
    recorder = Recorder(folder)
    record(recorder, range(10))
    lengths = recorder.file_offsets()
    record(recorder, range(10, 15))
    if killed:
        recorder.close()
        with folder.metrics.open("ab") as file:
            file.write(b'{"step": 15, "ep')
        recorder = Recorder(folder)
    recorder.truncate_to(lengths)
    assert recorder.file_offsets() == lengths
    record(recorder, range(10, 20))
    recorder.close()
    assert [line["step"] for line in folder.read_metrics()] == list(range(20))
    assert [step for step, _ in in_tensorboard(folder, "validation/kl")] == list(range(20))


def test_a_line_that_a_kill_cut_short_is_left_out(folder):
    recorder = Recorder(folder)
    record(recorder, range(4))
    recorder.close()
    folder.metrics.write_bytes(folder.metrics.read_bytes()[:-3])
    assert [line["step"] for line in folder.read_metrics()] == [0, 1, 2]


def test_a_figure_that_is_no_number_is_never_written(folder):
    recorder = Recorder(folder)
    with pytest.raises(ValueError, match="not JSON compliant"):
        recorder.metrics("train", {"loss": math.nan}, step=1, epoch=0.1)
    recorder.close()
    assert folder.read_metrics() == []


def test_the_newest_picture_is_a_png_and_all_of_them_are_in_tensorboard(folder):
    recorder = Recorder(folder)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    for step, picture in enumerate(pictures):
        recorder.pictures({"sample": picture}, step=step, epoch=float(step), titles=False)
    recorder.close()
    assert np.array_equal(np.asarray(Image.open(folder.images / "sample.png")), pictures[1])
    assert [image.step for image in EventAccumulator(str(folder.path)).Reload().Images("sample")] == [0, 1]
