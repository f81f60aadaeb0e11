"""Who judges a run: a classifier of an earlier run, one that nnlab trains once for each dataset, or Inception.

A judge that nnlab trains is a run folder like any other, under data.root, so that every model of a dataset meets the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from nnlab.config import names
from nnlab.config.build import build
from nnlab.config.constraints import is_none
from nnlab.data.dataset import Dataset
from nnlab.data.spec import DataSpec
from nnlab.earlier import Earlier, earlier
from nnlab.errors import BadInput, Interrupted, explain
from nnlab.evaluation import inception
from nnlab.evaluation.judge import Judge
from nnlab.model import Classifies, can
from nnlab.recording.console import Console
from nnlab.runs.files import harmless
from nnlab.runs.folder import RunFolder

WITHOUT_BEARING = ("root", "validation", "limit", "seed")  # keys of a dataset that leave its examples what they are
EPOCHS, LEAST_STEPS = 5, 600  # of a judge's training: small sets need more epochs
CONVOLUTIONAL = ["model=cnn", "model.channels=[16,32]", "model.hidden=128"]  # small: it looks at every evaluation of a run
LEAST_SIDE = 4  # pixels, for the two halvings of the convolutional classifier


def identity(data: Mapping) -> dict:
    """What of a dataset's node says which examples there are. What is absent is left out: an older run has not every key."""
    return {key: value for key, value in data.items() if key not in WITHOUT_BEARING and not is_none(value)}


def judge(node: Any, spec: DataSpec, data: Mapping, device: torch.device) -> Judge | None:
    """The judge of a config's `judge`, without weights if it is an earlier run's (`Judge.fill`).

    Raises BadInput if that run's model tells no classes apart, or has learned from other data.
    """
    if isinstance(node, Mapping):
        known = build(node, Earlier, place="judge")
        model = known.build().to(device)
        if not can(model, Classifies):
            raise BadInput(f"judge: {known.run} holds {type(model).__name__}, which cannot {Classifies.__doc__}")
        refuse_other_data(known, spec, data)
        return Judge(model, spec, known.fingerprint, known)
    if node == "inception":
        return Judge(inception.inception(spec).to(device), spec, inception.NAME)
    return None


def refuse_other_data(known: Earlier, spec: DataSpec, data: Mapping) -> None:
    mine, other = identity(data), identity(known.data)
    same = (known.spec.kind, known.spec.shape, known.spec.classes) == (spec.kind, spec.shape, spec.classes)
    if mine == other and same and known.spec.digest == spec.digest:
        return
    differs = [key for key in {**mine, **other} if mine.get(key) != other.get(key) and key != "_target_"]
    how = f" ({', '.join(f'data.{key}' for key in differs)})" if differs else ""
    raise BadInput(
        f"judge: {known.run} was trained on other data than {spec.name}{how}; "
        "give the run of a classifier of the same data, or judge=auto, which nnlab trains itself"
    )


def own_root() -> Path:
    """The user's own folder of datasets, whatever a run's config says: NNLAB_DATA, or datasets."""
    return Path(os.environ.get("NNLAB_DATA") or "datasets")


def with_judge(config: Mapping, console: Console, root: Path | None = None) -> dict:
    """The config with `judge=auto` replaced by the node of the classifier that nnlab trains for its dataset, once.

    root  where a new one is written, if not under the config's data.root, which in a run's folder is its sender's choice
    """
    if config["judge"] != "auto":
        return dict(config)
    try:
        folder = trained_once(config, console, root)
    except OSError as error:
        raise BadInput(f"judge: {explain(error, Path(config['data']['root']))}") from error
    except Interrupted as error:
        raise Interrupted("interrupted while the judge was trained, of which nothing is kept; run again") from error
    try:
        return {**config, "judge": earlier(str(folder.path), "judge")}
    except BadInput as error:
        raise BadInput(*error.problems, f"judge: remove {folder.path}, and it is trained anew") from error


def trained_once(config: Mapping, console: Console, root: Path | None = None) -> RunFolder:
    """The run folder of a dataset's own judge, trained now if there is none yet."""
    whole = {**config["data"], "validation": "auto", "limit": "none", "seed": 0}
    spec = build(whole, Dataset, place="data").open(torch.device("cpu")).spec
    if len(spec.classes) < 2:
        instead = "give judge=inception, or leave it out" if spec.kind == "image" else "leave it out"
        raise BadInput(f"judge: {spec.name} has no classes for a judge to learn; {instead}")
    digest = hashlib.sha256(json.dumps([identity(whole), spec.digest], sort_keys=True).encode()).hexdigest()[:8]
    name = f"{harmless(spec.name.lower())}-{digest}"
    for known in dict.fromkeys((Path(whole["root"]), root or Path(whole["root"]))):
        folder = RunFolder(known / "judges" / name)
        if completed(folder):
            return folder
    console.line(f"a judge for {spec.name} is trained, once for all runs (minutes); it will be {folder.path}")
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.path.parent.glob(f"{folder.path.name}.*"):  # by a kill while it was trained
        if RunFolder(left).read_status().get("status") == "killed":
            shutil.rmtree(left, ignore_errors=True)
    beside = RunFolder(Path(tempfile.mkdtemp(prefix=f"{folder.path.name}.", dir=folder.path.parent)))
    try:
        train({**config, "data": whole}, spec, beside)
        if not completed(folder):  # else another process was faster, and runs may have named its judge
            shutil.rmtree(folder.path, ignore_errors=True)
            os.replace(beside.path, folder.path)
    finally:
        shutil.rmtree(beside.path, ignore_errors=True)
    right = folder.read_summary()["final"]["test/accuracy"]
    console.line(f"the judge tells {right:.1%} of the test set apart")
    return folder


def completed(folder: RunFolder) -> bool:
    return folder.read_status().get("status") == "completed"


def train(config: Mapping, spec: DataSpec, folder: RunFolder) -> None:
    """A classifier of a dataset, of all its training examples."""
    from nnlab.experiment import assemble, carry_out  # which itself knows judges

    halves = spec.kind == "image" and min(spec.shape[1:]) >= LEAST_SIDE
    chosen = names.plain(names.composed(CONVOLUTIONAL if halves else ["model=fcnn"]))
    chosen["trainer"] |= {"epochs": "none", "steps": LEAST_STEPS, "show_every": "never"}
    experiment = assemble({**chosen, "data": config["data"], "device": config["device"]})
    epochs = max(EPOCHS, -(-LEAST_STEPS // experiment.trainer.steps_per_epoch))
    chosen["trainer"] |= {"epochs": epochs, "steps": "none"}
    del experiment  # its data: a set is on the device once
    whole = assemble({**chosen, "data": config["data"], "device": config["device"]})
    with closing(Console(folder.log, quiet=True)) as console:
        carry_out(whole, folder, console, choices={}, model="judge", data=spec.name, tags=[])
