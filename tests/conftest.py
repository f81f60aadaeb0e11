from __future__ import annotations

import copy
import gc
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

# before torch is imported, here and in the processes that tests start: nets of a test's size gain nothing from a second
# thread, and lose much where another process wants its core
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from nnlab import cli
from nnlab.checkpoints.reference import resolve_references
from nnlab.config import composition, search
from nnlab.config.build import target
from nnlab.experiment.run import Experiment, build_experiment, run_experiment
from nnlab.recording.console import Console
from nnlab.runs.find import find
from nnlab.runs.folder import RunFolder
from nnlab.training.trainer import Trainer, trainer_of

torch.set_flush_denormal(True)  # before the first parallel product, as in a run: threads take it over when they start
SMALL = {
    "model.hidden": {list: "[32]", int: "16"},
    "model.channels": {list: "[4,8]", str: "[4,8]"},
    "model.latent_dim": {int: "4"},
    "model.width": {int: "4", str: "4"},
    "model.discriminator_width": {int: "4"},
    "model.depth": {int: "1"},
    "model.heads": {int: "2"},
    "model.text_dim": {int: "8"},
    "model.condition_dim": {int: "4"},
    "model.blocks": {int: "1", str: "1"},
}
BODIES = {  # the same of a model's body
    "MLPBody": ["model.body.hidden=[32]"],
    "ConvBody": ["model.body.channels=[4,8]", "model.body.hidden=16"],
}
NEEDED = {  # overrides that give the examples a part that a model needs
    "input": ["noise=edges"],
    "b": ["data=domains", "+data@data.a=digits", "+data@data.b=digits"],
    "caption": ["data=scenes", "data@data.of=digits", "data.size=24"],
}
QUIET = ["trainer.show_every=never", "trainer.precision=float32"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in a folder of its own, without the user's variables."""
    for name in ("NNLAB_OUTPUTS", "NNLAB_PLUGINS", "NNLAB_COMMAND_BEGAN", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[pytest.param(model, marks=pytest.mark.xdist_group(model)) for model in search.options("model")])
def model(request: pytest.FixtureRequest) -> str:
    """Each shipped model; all tests of one run in one process, so that they share its run."""
    return request.param


@pytest.fixture
def curves() -> None:
    """For a test that looks at a run's images/curves.png."""


@pytest.fixture(autouse=True)
def without_curves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart takes a fifth of a second, and most of the runs of these tests need none."""
    if "curves" not in request.fixturenames:
        monkeypatch.setattr("nnlab.experiment.run.draw_curves", lambda folder, titles: None)


@pytest.fixture
def blank_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts stay white, where a test looks at everything else: matplotlib takes longer for one than a small run for itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    monkeypatch.setattr(FigureCanvasAgg, "draw", FigureCanvasAgg.get_renderer)


@pytest.fixture
def untitled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures without their titles, where pixels are compared; titles have tests of their own."""
    for module in ("plotting.picture", "recording.recorder"):
        monkeypatch.setattr(f"nnlab.{module}.headed", lambda picture, *title: picture)


@pytest.fixture
def nnlab(capsys: pytest.CaptureFixture[str]):
    """Run a command line in this process: status, standard output, standard error."""

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = cli.main(list(argv))
        except SystemExit as stop:  # argparse
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory):
    """Make a run once for several tests of this process: `shared_run(name, make)`; none of them may write into it."""
    made: dict[str, RunFolder] = {}

    def run(name: str, make: Callable[[], RunFolder]) -> RunFolder:
        if name not in made:
            before = Path.cwd()
            os.chdir(tmp_path_factory.mktemp(name))
            try:
                made[name] = RunFolder(make().path.absolute())
            finally:
                os.chdir(before)
        return made[name]

    return run


@pytest.fixture(scope="session")
def trained_already(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, ...], Path], Path]:
    """What `train_once` has trained in this process: where each command line's files are, and the folder of all of them."""
    return {}, tmp_path_factory.mktemp("trained")


def once(trained_already: tuple[dict[tuple[str, ...], Path], Path], make: Callable[..., object]) -> Callable[..., None]:
    """`make(*words)` at the first time, in a folder of its own; a copy of the files that it left there afterwards."""
    known, root = trained_already

    def run(*words: str) -> None:
        here, key = Path.cwd(), (make.__name__, *words)
        alone = not any(word.startswith(("data.root=", "model.encoder=", "judge=")) for word in words)
        if alone and key not in known:
            known[key] = root / str(len(known))
            known[key].mkdir()
            os.chdir(known[key])
        if not alone or Path.cwd() != here:
            try:
                make(*words)
            finally:
                os.chdir(here)
        if alone:
            shutil.copytree(known[key], here, dirs_exist_ok=True)
            for path in known[key].rglob("status.json"):  # so that `last` is the one that was asked for last
                copy = here / path.relative_to(known[key])
                copy.write_text(json.dumps({**json.loads(copy.read_text()), "began": time.time()}))

    return run


@pytest.fixture
def train_once(nnlab, trained_already):
    """`train_once(*words)`: what `nnlab train` with these words leaves in a test's folder.

    It trains at the first time and copies the files afterwards, so it is for runs that a test only looks at. Words that name
    files of the test's own are trained each time.
    """

    def typed(*words: str) -> None:
        status, _, error = nnlab("train", *words)
        assert status == 0, error

    return once(trained_already, typed)


@pytest.fixture
def trained(trained_already):
    """`trained(*overrides, model="ae")`: a small model, hardly trained, as the newest run of the test's folder.

    As `train_once`, without a command line and without pictures, which take longer than such a training.
    """

    def untyped(*words: str) -> None:
        Path("outputs").mkdir(exist_ok=True)
        train(f"outputs/{hashlib.sha256(' '.join(words).encode()).hexdigest()[:8]}", *words, pictures=False)

    def run(*overrides: str, model: str = "ae") -> None:
        lengths = {"kmeans": ["trainer.epochs=1"], "pca": []}
        length = lengths.get(model, ["trainer.steps=2", "trainer.precision=float32"])
        once(trained_already, untyped)(*small(model), "trainer.show_every=never", *length, *overrides)

    return run


# the files with the longest tests and groups of tests; begun last, they would keep one process busy while the others wait
LONGEST = ("test_project", "test_figures", "test_processes", "test_models", "test_sweep", "test_models_data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file that share runs go to one process. The longest come first (with --no-loadscope-reorder of xdist)."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    for item in items:
        if {"train_once", "shared_run"} & set(item.fixturenames) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_collection_finish() -> None:
    """Spare the garbage collector the modules that are there: it would look at all of torch and Hydra again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def config_of(*overrides: str) -> dict:
    variables = [item for item in os.environ.items() if item[0].startswith("NNLAB")]
    return copy.deepcopy(composed(overrides, tuple(variables)))


@lru_cache(maxsize=1000)
def composed(overrides: tuple[str, ...], variables: tuple[tuple[str, str], ...]) -> dict:
    """A config of the shipped files, once per process: a test asks for that of its model several times."""
    return composition.to_dict(composition.compose_config(list(overrides)))


def model_node(model: str) -> DictConfig:
    """The YAML of a shipped model, as it is written: much faster than a composition."""
    return OmegaConf.load(search.options("model")[model])


def trainer_class(model: str) -> type[Trainer]:
    """The class that trains a shipped model."""
    return trainer_of(target(model_node(model)["_target_"], "model"))


def built(*overrides: str) -> Experiment:
    config, problems = resolve_references(config_of(*overrides))
    assert not problems
    return build_experiment(config)


def small(model: str, *data: str) -> list[str]:
    """Overrides that make a shipped model small enough for a test; one that builds on an earlier run gets one, on the data."""
    config = config_of(f"model={model}")
    node = config["model"]
    sizes = [f"{key}={SMALL[key][type(node[name])]}" for key in SMALL if (name := key.removeprefix("model.")) in node]
    sizes += BODIES[node["body"]["_target_"].rpartition(".")[2]] if "body" in node else []
    sizes += earlier_runs(node, *data)
    sizes += ["model.width=32"] if "patch" in node else []  # a narrower transformer learns nothing in three epochs
    sizes += needed(model)
    sizes += ["trainer.pretraining.epochs=1"] if "pretraining" in config["trainer"] else []
    return [f"model={model}", *sizes]


def needed(model: str) -> list[str]:
    """Overrides that give the examples the parts that a model needs, unless its YAML does."""
    makes_input = not config_of(f"model={model}")["noise"]["_target_"].endswith(".NoNoise")
    return [override for part in needs(model) if not (part == "input" and makes_input) for override in NEEDED[part]]


def needs(model: str) -> tuple[str, ...]:
    """The parts of an example that a shipped model needs."""
    return target(model_node(model)["_target_"], "model").needs


def uses_noise(model: str) -> bool:
    """Whether any noise may be given to a shipped model; where it makes the input, another one would not do."""
    return "noise" in trainer_class(model).uses and "input" not in needs(model)


def inputs(experiment: Experiment, n: int) -> torch.Tensor:
    """(n, *shape) what a model sees of the first training examples: clean, unless a noise makes another image of them."""
    feed = experiment.trainer.builder(experiment.data.train)
    feed.noise = feed.noise if experiment.model.spec.paired else None
    return feed.batch(feed.split.rows[:n], torch.Generator().manual_seed(0)).input


def legal(model: str, *overrides: str) -> list[str]:
    """Those of the overrides that a model's way of learning knows."""
    config, uses = config_of(f"model={model}"), {"optimizer", "augmentation"} & trainer_class(model).uses
    uses |= {"noise"} if uses_noise(model) else set()
    known = [o for o in overrides if "." not in o or OmegaConf.select(OmegaConf.create(config), o.split("=")[0]) is not None]
    return [o for o in known if not o.startswith(("noise", "optimizer")) or o.split("=")[0].split(".")[0] in uses]


def train(name: str, *overrides: str, state: dict | None = None, pictures: bool = True) -> RunFolder:
    """A run in the folder `name`, from a checkpoint's state if given."""
    folder = RunFolder(Path(name))
    folder.path.mkdir(exist_ok=True)
    experiment = built(*overrides)
    if not pictures:  # which take longer than a short training
        experiment.trainer.show = dict
    run_experiment(experiment, folder, Console(), state)
    return folder


def earlier_run(*data: str) -> str:
    """The folder of a small run on digits, or on other data."""
    if not Path("earlier").exists():
        train("earlier", "model=pca", "model.latent_dim=4", "trainer.show_every=never", *data)
    return "earlier"


def earlier_runs(node: Mapping, *data: str) -> list[str]:
    """Overrides that give a model that builds on earlier runs small ones."""
    made = {"encoder": earlier_run, "content": earlier_classifier, "teacher": earlier_classifier}
    return [f"model.{key}={run(*data)}" for key, run in made.items() if key in node]


def earlier_classifier(*data: str) -> str:
    """The folder of a small classifier of digits, or of other data."""
    if not Path("classifier").exists():
        train("classifier", "model=fcnn", "model.hidden=[16]", "trainer.steps=2", "trainer.show_every=never", *data)
    return "classifier"


def only_run(root: str = "outputs") -> RunFolder:
    (folder,) = find(Path(root))
    return folder


def weights(folder: RunFolder, name: str = "last") -> dict[str, torch.Tensor]:
    return torch.load(folder.checkpoints / f"{name}.pt", weights_only=True)["trainer"]["model"]


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def shared_data() -> Path | None:
    root = os.environ.get("NNLAB_DATA")
    return Path(root).absolute() if root else None
