"""TensorBoard's event file, written in place.

torch's SummaryWriter writes from a thread and begins a new file each time; a run that resumes without a gap or a double
entry needs to know how long the file is, to cut it there, and to go on in it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from nnlab.runs.files import appending


class EventFile:
    """events.out.tfevents… of a run folder; opened for appending, made if absent."""

    def __init__(self, folder: Path) -> None:
        # 0.3 s to import, and not needed by a reader of runs
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        existing = sorted(folder.glob("events.out.tfevents.*"))
        self.path = existing[0] if existing else folder / f"events.out.tfevents.{int(time.time())}.nnlab"
        self._file = appending(self.path)
        self._file.seek(0, os.SEEK_END)
        self._writer = RecordWriter(self._file)
        if self._file.tell() == 0:
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def _write(self, event) -> None:
        self._writer.write(event.SerializeToString())

    def _add(self, summary, step: int) -> None:
        self._write(self._event(wall_time=time.time(), step=step, summary=summary))

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Write values at a step, each under its name."""
        from torch.utils.tensorboard.summary import scalar

        for name, value in values.items():
            self._add(scalar(name, value), step)

    def image(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        """Write a picture (H, W, C) at a step; `png` is the same picture, encoded."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        height, width, channels = picture.shape
        image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
        self._add(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def text(self, name: str, text: str, step: int = 0) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        from torch.utils.tensorboard.summary import text as summary

        self._add(summary(name, text), step)

    def hparams(self, parameters: dict[str, float | str | bool], figures: dict[str, float], step: int) -> None:
        """The hyper-parameters with the final figures, in this file and not in a folder of their own."""
        from torch.utils.tensorboard.summary import hparams

        for summary in hparams(parameters, figures):
            self._add(summary, step)

    def flush(self) -> None:
        """Pass written data to the operating system."""
        self._file.flush()

    def length(self) -> int:
        """The length of the file in bytes, with everything written so far."""
        self._file.flush()
        return self._file.tell()

    def truncate_to(self, length: int) -> None:
        """Remove everything after `length` bytes."""
        self._file.flush()
        os.ftruncate(self._file.fileno(), min(length, os.fstat(self._file.fileno()).st_size))
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
