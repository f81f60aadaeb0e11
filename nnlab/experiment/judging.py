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

import torch

from nnlab.checkpoints.reference import auto_classifiers, reference_node
from nnlab.config import composition
from nnlab.config.build import build, target
from nnlab.data.dataset import Dataset
from nnlab.data.datasets.domains import Domains
from nnlab.data.datasets.image_folder import ImageFolder
from nnlab.data.datasets.scenes import Scenes
from nnlab.data.spec import DataSpec
from nnlab.data.split import Data
from nnlab.errors import BadInput, Interrupted, explain
from nnlab.evaluators.build import identity
from nnlab.evaluators.domains import DomainReferences
from nnlab.evaluators.words import WordReferences, told_parts
from nnlab.experiment.run import build_experiment, run_experiment
from nnlab.model import SamplesGiven, can
from nnlab.recording.console import Console
from nnlab.runs.files import harmless
from nnlab.runs.folder import RunFolder

EPOCHS, LEAST_STEPS, LEAST_AUGMENTED = 5, 600, 2400  # of a judge's training: small sets need more epochs
EPOCHS_OF_SCENES = 12  # what an object of a scene is: it stands anywhere and is of any size, and nothing else is augmented
CONVOLUTIONAL = ["model=cnn", "model.channels=[16,32]", "model.hidden=128"]  # small: it looks at every evaluation of a run
READER = ["model=multitask", "model/body=conv", "model.body.channels=[16,32,64]", "model.body.hidden=256"]
READER += ["model.body.dropout=0.3"]  # after three blocks a number comes from 36×36 pixels: from a whole object
WORDS = "words"  # the name of the judge that reads all that captions say
LEAST_SIDE = 4  # pixels, for the two halvings of the convolutional classifier
FEW, PART = 10_000, 14  # a set of fewer training images has them moved, also by up to 1/14 of their side, 2 pixels of 28
DEFORMED = ["augmentation.degrees=15", "augmentation.scale=0.2", "augmentation.shear=15"]


def with_judge(config: Mapping, console: Console, root: Path | None = None) -> dict:
    """The config with `judge=auto` replaced by the node of the classifier that nnlab trains for its dataset, once.

    A key of the model that may be such a classifier, as `model.content` of srgan, is replaced likewise.

    root  where a new one is written, if not under the config's data.root, which in a run's folder is its sender's choice
    """
    if config["judge"] == "auto" and (sides := domain_nodes(config)):
        nodes = {side: classifier_node({**config, "data": node}, console, root) for side, node in sides.items()}
        return {**config, "judge": DomainReferences.node(**nodes)}
    if config["judge"] == "auto" and says_words(config):
        whole = {**config, "data": of_all_classes(config["data"])}
        return {**config, "judge": WordReferences.node(judges={WORDS: classifier_node(whole, console, root, words=True)})}
    keys = auto_classifiers(config)
    if config["judge"] != "auto" and not keys:
        return dict(config)
    place = "judge" if config["judge"] == "auto" else f"model.{keys[0]}"
    node = classifier_node(config, console, root, place)
    judge = node if config["judge"] == "auto" else config["judge"]
    return {**config, "judge": judge, "model": {**config["model"], **dict.fromkeys(keys, node)}}


def classifier_node(
    config: Mapping, console: Console, root: Path | None = None, place: str = "judge", *, words: bool = False
) -> dict:
    """The node of the classifier that nnlab trains for a config's dataset, once; `place` is the key that asks for it.

    words  whether it reads all that captions say, else the label
    """
    try:
        folder = trained_once(config, console, root, place, words=words)
    except OSError as error:
        raise BadInput(f"{place}: {explain(error, Path(config['data']['root']))}") from error
    except Interrupted as error:
        raise Interrupted("interrupted while the judge was trained, of which nothing is kept; run again") from error
    try:
        return reference_node(str(folder.path), place)
    except BadInput as error:
        raise BadInput(*error.problems, f"{place}: remove {folder.path}, and it is trained anew") from error


def domain_nodes(config: Mapping) -> dict[str, dict]:
    """The dataset of each domain that has classes, for a model that translates between two; else none."""
    data = config["data"]
    if "b" not in target(config["model"]["_target_"], "model").needs or target(data["_target_"], "data") is not Domains:
        return {}
    spec = build(data, Dataset, place="data").open(torch.device("cpu")).spec
    names = {"a": spec.classes, "b": spec["b_label"].names if "b_label" in spec else ()}
    folder = {"_target_": f"{ImageFolder.__module__}.{ImageFolder.__name__}"}
    folder |= {key: data[key] for key in ("size", "grayscale", "test") if key in data}
    nodes = {side: {**folder, "folder": data[side]} if isinstance(data[side], str) else dict(data[side]) for side in names}
    return {side: {**nodes[side], "root": data["root"]} for side, known in names.items() if len(known) > 1}


def says_words(config: Mapping) -> bool:
    """Whether the model draws by text, of data that tell what the captions say."""
    draws = can(target(config["model"]["_target_"], "model"), SamplesGiven)
    return draws and target(config["data"]["_target_"], "data") is Scenes


def of_all_classes(node: Mapping) -> dict:
    """The node of scenes of all classes, which are values of their own label and of no other part, with their usual label."""
    whole = {key: value for key, value in node.items() if key != "label"}
    return {**whole, **{key: "none" for key in ("classes", "test_classes") if key in node}}


def whole_of(node: Mapping) -> dict:
    """The node of a dataset with all its examples, each once: so many runs have the same judge."""
    whole = {**node, "validation": "auto", "limit": "none", "train_size": "none", "seed": 0}
    return whole | {"imbalance": "none", "oversample": False, "extra": "none"} | ({"repeats": 1} if "repeats" in whole else {})


def trained_once(
    config: Mapping, console: Console, root: Path | None = None, place: str = "judge", *, words: bool = False
) -> RunFolder:
    """The run folder of a dataset's own judge, trained now if there is none yet; `place` is the key that asks for it."""
    whole = whole_of(config["data"])
    data = build(whole, Dataset, place="data").open(torch.device("cpu"))
    spec, extra, labels = data.spec, augmentation(data), told_parts(data.spec) if words else []
    del data
    if len(spec.classes) < 2 and not labels:
        instead = "leave it out" if spec.kind == "table" else "give judge=inception, or leave it out"
        instead = instead if place == "judge" else f"give {place}=vgg19, or the run of a classifier of other images"
        raise BadInput(
            f"{place}: {spec.name} has no classes for a {'judge' if place == 'judge' else 'classifier'} to learn; {instead}"
        )
    reads = [*READER, f"model.labels=[{','.join(labels)}]"] if labels else []
    epochs = EPOCHS_OF_SCENES if labels or of_objects(spec, whole) else EPOCHS
    known_by = [identity(whole), spec.digest, spec.classes, *reads, *extra, *([epochs] if epochs != EPOCHS else [])]
    digest = hashlib.sha256(json.dumps(known_by, sort_keys=True).encode()).hexdigest()[:8]
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
        train({**config, "data": whole}, spec, reads, extra, epochs, beside, console)
        if not completed(folder):  # else another process was faster, and runs may have named its judge
            shutil.rmtree(folder.path, ignore_errors=True)
            os.replace(beside.path, folder.path)
    finally:
        shutil.rmtree(beside.path, ignore_errors=True)
    final = folder.read_summary()["final"]
    if labels:
        right, of_all = final["test/accuracy"], final["test/exact_match"]
        console.line(f"the judge reads {right:.1%} of the labels of the test set, and all labels of {of_all:.1%} of its images")
    else:
        console.line(f"the judge tells {final['test/accuracy']:.1%} of the test set apart")
    return folder


def completed(folder: RunFolder) -> bool:
    """Whether the folder holds a run that trained to its end."""
    return folder.read_status().get("status") == "completed"


def augmentation(data: Data) -> list[str]:
    """How the training images of a dataset's judge are augmented, as arguments of `nnlab train`.

    Without it the judge of a small set mistakes images of the same classes from elsewhere: another pen, another frame. If
    the data say where something is, its place and size are a part of what is judged, and nothing is moved.
    """
    if placed(data.spec):
        return []
    shift = min(data.spec.shape[1:]) // PART if data.spec.kind == "image" and len(data.train) < FEW else 0
    return ["augmentation=affine", f"augmentation.shift={shift}", *DEFORMED] if shift else []


def of_objects(spec: DataSpec, node: Mapping) -> bool:
    """Whether the label is the class of an object that stands anywhere."""
    return placed(spec) and str(node.get("label", "")).startswith("class")


def placed(spec: DataSpec) -> bool:
    """Whether the data say where something is."""
    return any(part.kind in ("box", "points") for part in spec.parts.values())


def train(
    config: Mapping, spec: DataSpec, reads: list[str], extra: list[str], epochs: int, folder: RunFolder, outer: Console
) -> None:
    """A classifier of a dataset, of all its training examples.

    reads, extra  arguments of `nnlab train`: the model if it is to read several labels, and the augmentation
    outer         shows its epochs
    """
    halves = spec.kind == "image" and min(spec.shape[1:]) >= LEAST_SIDE
    chosen = [*(reads or (CONVOLUTIONAL if halves else ["model=fcnn"])), *extra]
    recipe = composition.to_dict(composition.compose_config(chosen))
    steps = LEAST_AUGMENTED if extra else LEAST_STEPS
    recipe["trainer"] |= {"epochs": "none", "steps": steps, "show_every": "never"}
    experiment = build_experiment({**recipe, "data": config["data"], "device": config["device"]})
    epochs = max(epochs, -(-steps // experiment.trainer.steps_per_epoch))
    recipe["trainer"] |= {"epochs": epochs, "steps": "none"}
    del experiment  # its data: a set is on the device once
    whole = build_experiment({**recipe, "data": config["data"], "device": config["device"]})
    with closing(Console(folder.log, outer=outer)) as console:
        run_experiment(whole, folder, console, choices={}, model="judge", data=spec.name, tags=[])
