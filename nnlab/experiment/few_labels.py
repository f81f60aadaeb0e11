"""What `nnlab probe` measures: which examples are labelled, and classifiers of codes beside those of raw inputs and PCA."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nnlab.data.dataset import free_memory
from nnlab.data.feed import BatchBuilder
from nnlab.data.noise.base import Noise
from nnlab.data.split import Data
from nnlab.errors import BadInput
from nnlab.experiment.loading import LoadedRun
from nnlab.families.ae.pca import PCA
from nnlab.metrics.probe import Encoder, Result, draw, features, results_of
from nnlab.model import code_width
from nnlab.runs.find import as_typed

USUAL = (10, 100, 1000)  # the default numbers of labels, as far as there are enough
WIDEST = 4096  # up to this width PCA uses all examples; for wider inputs it uses this many examples


def refuse_other_data(runs: list[LoadedRun]) -> None:
    """Raise BadInput unless all runs have the same examples in the same splits. No data but the first run's are opened."""
    first, folders = runs[0], [run.folder.path.resolve() for run in runs]
    for run in runs[1:]:
        if folders.count(run.folder.path.resolve()) > 1:
            raise BadInput(f"probe: {as_typed(run.folder.path)} is given twice; give each run once")
        mine, other = first.model.spec, run.model.spec
        if (mine.digest, mine.splits, mine.shape) != (other.digest, other.splits, other.shape):
            raise BadInput(
                f"probe: {as_typed(run.folder.path)} has other examples, or others in its splits, than "
                f"{as_typed(first.folder.path)}; compare runs of the same data, data.seed, data.limit and data.validation"
            )
        if seen_values(first) != seen_values(run):
            raise BadInput(
                f"probe: {as_typed(run.folder.path)} sees its examples as other values than {as_typed(first.folder.path)}; "
                "compare runs of the same data.binarize and data.standardize"
            )


def seen_values(run: LoadedRun) -> tuple:
    """What decides how the bytes of an example become the values that a run's model sees."""
    spec = run.model.spec
    return spec.low, spec.high, spec.mean, spec.std, run.config["data"].get("binarize", "none")


@dataclass
class Plan:
    """Which examples are labelled: for each number of labels the draws, each (n,) places in the training split."""

    draws: dict[int, list[torch.Tensor]]
    all: int  # how many all are
    seeds: int

    @property
    def wanted(self) -> torch.Tensor:
        """(all,) bool: the examples that are labelled in any of the draws."""
        wanted = torch.zeros(self.all, dtype=torch.bool)
        wanted[torch.cat([places for drawn in self.draws.values() for places in drawn])] = True
        return wanted

    def name(self, n: int) -> str:
        """A number of labels as a table shows it; "all" where it is the whole training split."""
        return "all" if n == self.all else f"{n:,}"


def planned(data: Data, counts: list[int | None] | None, seeds: int) -> Plan:
    """The labelled examples of each seed. Raises BadInput if the data have no labels, too few, or fewer than asked for."""
    train, name = data.train, data.spec.name
    if not train.labelled or not data.spec.classes:
        raise BadInput(f"probe: {name} has no labels to learn from")
    if not len(data.test) or not data.test.labelled:
        raise BadInput(f"probe: {name} has no labelled test examples")
    labels = train.labels(train.rows).cpu()
    held, n = len(labels.unique()), len(labels)
    if held < 2:
        raise BadInput(f"probe: the {n} training examples of {name} are all of one class")
    tested = data.test.labels(data.test.rows).cpu().unique()
    if unknown := int((~torch.isin(tested, labels)).sum()):
        raise BadInput(
            f"probe: {unknown} of the {len(tested)} classes of the test examples of {name} have no training example, so a "
            "classifier cannot learn them. nnlab retrieve shows the images with the nearest codes; recall_at_1 of model=triplet"
            " says how often the nearest one is of the same class"
        )
    if counts is None:
        counts = [*(count for count in USUAL if held <= count < n), None]
    sizes = sorted({n if count is None else count for count in counts})
    if sizes[0] < held:
        raise BadInput(f"--labels {sizes[0]}: {name} has {held} classes, and each needs at least one label")
    if sizes[-1] > n:
        raise BadInput(f"--labels {sizes[-1]}: there are only {n} training examples; all uses all of them")
    draws = {}
    for size in sizes:
        times = 1 if size == n else seeds
        draws[size] = [draw(labels, size, torch.Generator().manual_seed(seed)) for seed in range(times)]
    return Plan(draws, n, seeds)


def rivals(runs: list[LoadedRun]) -> dict[str, Encoder]:
    """The inputs themselves, and as many principal components as the widest code has coordinates.

    No components where the input is another image than the target, which the components are of.
    """
    model, data = runs[0].model, runs[0].data
    spec = model.spec
    inputs = "pixels" if spec.input.kind == "image" else "columns"
    encoders: dict[str, Encoder] = {f"raw {inputs} ({spec.input.features:,})": lambda x: x.flatten(1)}
    if not spec.paired:
        pca = components(data, max(code_width(run.model) for run in runs))
        encoders[f"PCA ({pca.latent_dim})"] = pca.encode
    return encoders


def components(data: Data, width: int) -> PCA:
    """PCA of the training examples, without their labels, with at most as many components as there are inputs.

    For inputs wider than WIDEST it uses WIDEST evenly spaced examples.
    """
    split, device = data.train, data.train.device
    rows = split.rows if data.spec.features <= WIDEST else split.spread(WIDEST)
    pca = PCA(data.spec, latent_dim=min(width, data.spec.features, len(rows))).to(device)
    pca.init_from_data(split)
    pca.fit(BatchBuilder(split).sequential(torch.Generator(device).manual_seed(0), rows))
    return pca


def probed(data: Data, noise: Noise | None, encoders: dict[str, Encoder], plan: Plan) -> dict[str, dict[int, Result]]:
    """The accuracy on the test split of each encoder for each number of labels.

    noise  that makes the input of the target, where a model learns from another image
    """
    wanted = plan.wanted
    train = features(encoders, BatchBuilder(data.train, noise), wanted)
    everything = torch.ones(len(data.test), dtype=torch.bool)
    test = features(encoders, BatchBuilder(data.test, noise), everything, seed=1)
    labels, truth = (split.labels(split.rows).cpu().numpy() for split in (data.train, data.test))
    place = (wanted.cumsum(0) - 1).numpy()  # of an example among those that are kept
    draws = {n: [place[each.numpy()] for each in drawn] for n, drawn in plan.draws.items()}
    kept = labels[wanted.numpy()]
    return {name: results_of(train.pop(name), kept, test.pop(name).values, truth, draws) for name in encoders}


def check_memory(data: Data, labelled: int) -> None:
    """Raise BadInput if the raw inputs of all that is classified, as float32 and scaled, do not fit."""
    need = 3 * 4 * (labelled + len(data.test)) * data.spec.features  # as read, scaled, and one draw of them
    free = free_memory(torch.device("cpu"))
    if need > free:
        raise BadInput(
            f"--labels: {labelled:,} examples of {data.spec.features:,} inputs take {need / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; ask for fewer labels"
        )
