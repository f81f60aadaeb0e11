"""The run folder: its format, and reading and writing its small files. No torch."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnlab.config import renamed
from nnlab.config.constraints import is_none
from nnlab.errors import BadInput, printable
from nnlab.runs.files import clear, read, write_whole
from nnlab.runs.lock import locked
from nnlab.runs.process import is_alive
from nnlab.runs.text_formats import (
    LONGEST_CONFIG,
    as_json,
    as_record,
    is_json,
    is_number,
    numbers,
    read_checked_json,
    read_json,
    read_yaml,
)

LONGEST_METRICS = 2**32  # bytes
KINDS = {  # of fields of status.json
    **dict.fromkeys(("status", "model", "data", "host", "reason", "device", "precision", "note"), str),
    **dict.fromkeys(("process", "best", "choices", "versions", "git"), dict),
    "tags": list,
}
AMOUNTS = frozenset({"began", "seconds", "epoch", "step", "time", "parameters", "threads"})
STATES = ("running", "completed", "interrupted", "pruned", "diverged", "failed")


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run: the paths of its files, and how they are read and written.

    `nnlab train` writes these files:

    config.yaml     The whole config as YAML, without interpolations. Written once, at the start.
    status.json     The state of the run, one JSON object. Written at the start, with each checkpoint and at the end.
                    status        running, completed, interrupted, pruned (by a search), diverged or failed; `reason` for
                                  the last two
                    model, data, choices, tags, note, command    what was chosen, and the command line
                    process, host, device, precision, threads, versions, parameters    where it runs, and with what
                    git           commit, clean: of the folder where the command was given, if it is in a repository
                    began, time   when the run started, and when the file was written: seconds since 1970
                    step, epoch, stage, seconds    the progress
                    best, higher_is_better         the best monitored metric so far, {"validation/loss": 26.7}
    metrics.jsonl   One JSON object per line; new lines are appended at each record. Its fields:
                    step, epoch   when
                    split         train, validation or test; a record of test is written once, at the end
                    n             number of examples of validation and test
                    the other fields are metrics by name (`nnlab explain NAME`), and how they were estimated
    summary.json    One JSON object, written at the end. `final` and `best` are metrics by SPLIT/NAME; also the seconds, the
                    images per second, the number of parameters and the status.
    checkpoints/    Files of torch.save, read with weights_only=True; written every trainer.save_every.
                    last.pt           the newest checkpoint, for `nnlab resume`; previous.pt is the one before it
                    best.pt           the best of the monitored metric; best-STAGE.pt is the best of an earlier stage
                    step-000500.pt    every trainer.keep_checkpoint_every
                    Their fields: format (1), trainer (weights, optimizer, memory and random states), progress,
                    spec (the shape and range of the data), lengths (sizes of metrics.jsonl and events.out… in bytes)
    judge.pt        The weights of the judge, if there is one. Written once.
    images/         The newest picture of each kind, as .png; an animation is a .png, too. Written every trainer.show_every.
    events.out.tfevents…    The same metrics and pictures over time, for TensorBoard.
    tracker.json    Which run of MLflow or of Weights & Biases it is, if there is one. Written once.
    train.log       The lines of the console, each with its time.
    .hydra/         Hydra's copy of the config and of the overrides.
    .lock           An empty file. A process that trains here locks it.

    Other commands add:

    codes.npz, projector/, projector_config.pbtxt    `nnlab embed`: codes, and the files of TensorBoard's projector
    outliers.csv    `nnlab outliers`: one row per example with its score, sorted
    probe.json      `nnlab probe`: all metrics
    report.html     `nnlab report`: the run as a page to hand in
    export/         `nnlab export`: model.safetensors, config.yaml, PART.onnx, and export.json, which explains them
    images/*.json   `nnlab perturb`, `attribute` and others: the metrics of the picture with the same name
    """

    path: Path

    @property
    def config(self) -> Path:
        """The config of the run, without interpolations."""
        return self.path / "config.yaml"

    @property
    def status(self) -> Path:
        """The state of the run, its progress, and how it was started."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """All metrics, one record per line."""
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """The final and the best metrics of the run."""
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def images(self) -> Path:
        """The folder of pictures."""
        return self.path / "images"

    @property
    def log(self) -> Path:
        """The lines of the console, each with its time."""
        return self.path / "train.log"

    def read_status(self) -> dict[str, Any]:
        """status.json; `killed` replaces `running` if the process does not exist. {} if there is no file."""
        status = well_formed(*read_checked_json(self.status))
        if status.get("best"):
            status["best"] = self._todays_metrics(status["best"])
        if status.get("status") == "running" and not is_alive(status.get("process"), status.get("host")):
            status["status"] = "killed"
        return status

    def write_status(self, status: str, **metadata: Any) -> None:
        """Rewrite status.json: the facts are added to those in the file."""
        assert status in STATES
        known = {key: value for key, value in self.read_status().items() if key != "reason"}
        write_whole(self.status, as_json({**known, "status": status, **metadata, "time": time.time()}))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder during training: two processes cannot train in it. Raises BadInput if another one does."""
        with locked(self.path):
            clear(self.checkpoints, at_once=True)  # only the holder of the lock writes there
            clear(self.images)
            clear(self.path)
            yield

    def read_config(self) -> dict[str, Any]:
        """config.yaml as plain Python. Raises BadInput if this is no run folder."""
        if not self.config.is_file() or self.config.is_symlink():
            raise BadInput(f"{self.path}: no run folder (it has no config.yaml); nnlab runs lists the runs")
        try:
            config, text = read_yaml(self.config)
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(f"{self.config}: cannot be read ({reason})") from error
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise BadInput(f"{self.config}: not the config of a run; train again")
        if "${" in text:
            raise BadInput(f"{self.config}: holds an interpolation ${{…}}; the config of a run is plain values")
        return renamed.upgraded(config)

    def title(self) -> str:
        """The title of a picture of this run: the model and the data."""
        status = self.read_status()
        return printable(f"{status.get('model', '?')} on {status.get('data', '?')}")

    def epoch_of(self, step: int) -> float:
        """The epoch of a step; 0 if status.json does not have the steps per epoch."""
        status = self.read_status()
        return step * status.get("epoch", 0) / (status.get("step") or math.inf)

    def read_summary(self) -> dict[str, Any]:
        """summary.json: `final` and `best` are always metrics by name. {} if there is no file."""
        summary = read_json(self.summary)
        if not isinstance(summary, dict):
            return {}
        return {
            **summary,
            **{key: self._todays_metrics(numbers(summary.get(key))) for key in ("final", "best") if key in summary},
        }

    def read_test_figures(self) -> dict[str, float]:
        """The final metrics of the test split, by name. {} if there are none."""
        final = self.read_summary().get("final", {})
        return {key.removeprefix("test/"): value for key, value in final.items() if key.startswith("test/")}

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Rewrite summary.json."""
        write_whole(self.summary, as_json(summary))

    def read_metrics(self) -> list[dict[str, Any]]:
        """The records of metrics.jsonl. A damaged line (after a crash of the machine, or edited) is left out."""
        if not self.metrics.exists():
            return []
        try:
            lines = read(self.metrics, LONGEST_METRICS).split(b"\n")
        except OSError as error:
            raise BadInput(f"{self.metrics}: cannot be read ({error.strerror})") from error
        return [self._todays_metrics(record) for line in lines if (record := as_record(line))]

    def _todays_metrics(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record with today's names of metrics, if the model is one of nnlab's."""
        old = any(name.rpartition("/")[2] in renamed.METRICS for name in record)
        return renamed.metrics(record) if old and self._model_is_nnlabs() else record

    def _model_is_nnlabs(self) -> bool:
        """Whether the model is one of nnlab's; a user's own model may use any names."""
        try:
            text = read(self.config, LONGEST_CONFIG).decode(errors="replace")
        except OSError:
            return False
        named = r"^model:\s*\n(?:[ #].*\n)*?\s+_target_:\s*['\"]?nnlab\."
        return bool(re.search(named, text, re.MULTILINE))


def labels(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says for those who look for the run: its tags, and its note, "" if there is none."""
    note = config.get("note")  # a run of an older version has none
    return {"tags": config["tags"], "note": "" if is_none(note) else note}


def picture_facts(folder: RunFolder, title: str, step: int) -> dict[str, str]:
    """The metadata of a picture: its title, the run and its command, the step, and the version of nnlab."""
    from importlib.metadata import version

    typed = folder.read_status().get("command")
    command = {"Command": printable(typed)} if isinstance(typed, str) else {}
    about = {"Title": title, "Run": str(folder.path), "Step": str(step), **command}
    return {**about, "Software": f"nnlab {version('nnlab')}"}


def well_formed(status: Any, finite: bool = False) -> dict[str, Any]:
    """The fields of a status.json that have the right type; a file from somebody else must not break a listing.

    finite  whether all its numbers are known to be finite; if not, each field is looked at
    """
    if not isinstance(status, dict):
        return {}
    kept: dict[str, Any] = {}
    for key, value in status.items():
        if key in AMOUNTS:
            right = is_number(value) and 0 <= value < (1e11 if key == "began" else 1e15)
        else:
            right = isinstance(value, KINDS.get(key, object)) and (finite or is_json(value))
        if right:
            kept[key] = value
    kept["best"] = numbers(kept.get("best"))
    kept["tags"] = [tag for tag in kept.get("tags", ()) if isinstance(tag, str)]
    return kept
