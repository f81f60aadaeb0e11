"""TensorBoard's event file, written in place.

torch's SummaryWriter writes from a thread and begins a new file each time; a run that resumes without a gap or a double
entry needs to know how long the file is, to cut it there, and to go on in it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from nnlab.recording.layout import arranged, pattern
from nnlab.recording.tracker import RunFacts, Tracker
from nnlab.runs.files import appending

ENDED = {  # a run that goes on has none
    **dict.fromkeys(("completed", "pruned"), "STATUS_SUCCESS"),
    **dict.fromkeys(("failed", "diverged"), "STATUS_FAILURE"),
}


class EventFile(Tracker):
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
        self._begun = self._file.tell() > 0
        if not self._begun:
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._facts = RunFacts(folder, folder)
        self._tags: dict[str, None] = {}  # in the order of their first values

    def _write(self, event) -> None:
        self._writer.write(event.SerializeToString())

    def _add(self, summary, step: int) -> None:
        self._write(self._event(wall_time=time.time(), step=step, summary=summary))

    def start(self, facts: RunFacts, identity: str | None = None) -> None:
        """Write the config, and the hyper-parameters for the table of runs.

        TensorBoard makes the columns of the table from those of all runs, if none of them brings a list of columns, as the
        `hparams` of torch does: then it shows the columns of that one alone.
        """
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

        self._facts, self._tags = facts, dict.fromkeys(facts.recorded)
        if self._begun:  # a run that goes on: TensorBoard reads its first beginning
            return
        self.text("config", f"```yaml\n{facts.config}\n```", 0)
        begun = SessionStartInfo(start_time_secs=time.time())
        for name, value in facts.parameters.items():
            kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            setattr(begun.hparams[name], f"{kind}_value", value)
        self._hparams("_hparams_/session_start_info", HParamsPluginData(session_start_info=begun))

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Write values at a step, each under its name; and a new layout of the charts, if there are new names."""
        from torch.utils.tensorboard.summary import scalar

        for name, value in values.items():
            self._add(scalar(name, value), step)
        if not self._tags.keys() >= values.keys():
            self._tags |= dict.fromkeys(values)
            self._layout()

    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        """Write a picture (H, W, C) at a step; `png` is the same picture, encoded."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        height, width, channels = picture.shape
        image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
        self._add(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def text(self, name: str, text: str, step: int = 0) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        from torch.utils.tensorboard.summary import text as summary

        self._add(summary(name, text), step)

    def finish(self, status: str) -> None:
        """Write how the run has ended, for the table of runs; nothing if it is to go on."""
        from tensorboard.plugins.hparams import api_pb2
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

        if status in ENDED:
            ended = SessionEndInfo(status=getattr(api_pb2, ENDED[status]), end_time_secs=time.time())
            self._hparams("_hparams_/session_end_info", HParamsPluginData(session_end_info=ended))

    def _hparams(self, tag: str, data) -> None:
        """A value whose metadata are all that the plug-in reads."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams.metadata import NULL_TENSOR, create_summary_metadata

        value = Summary.Value(tag=tag, metadata=create_summary_metadata(data), tensor=NULL_TENSOR)
        self._add(Summary(value=[value]), 0)

    def _layout(self) -> None:
        """Which curves stand together on the page of custom scalars; TensorBoard takes the last layout of a file."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.plugins.custom_scalar import layout_pb2, metadata

        layout = layout_pb2.Layout()
        for category, charts in arranged(self._tags, self._facts.scheduled, self._facts.judged).items():
            shown = [
                layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=[pattern(of)]))
                for title, of in charts.items()
            ]
            layout.category.add(title=category, chart=shown)
        tensor = TensorProto(dtype="DT_STRING", string_val=[layout.SerializeToString()])
        described = {"metadata": metadata.create_summary_metadata(), "tensor": tensor}
        self._add(Summary(value=[Summary.Value(tag=metadata.CONFIG_SUMMARY_TAG, **described)]), 0)

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
