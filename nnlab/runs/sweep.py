"""What a sweep ends with: its jobs gathered, sorted, and the best one named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from nnlab.runs import gallery
from nnlab.runs.find import as_typed, find
from nnlab.runs.folder import RunFolder, read_yaml
from nnlab.runs.table import aligned, figure, worst_first


class Root(Callback):
    """Hydra calls it when a sweep begins; remembers where the sweep is."""

    path: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        Root.path = Path(config.hydra.sweep.dir)


def show() -> None:
    """The jobs of the sweep of this process, also when some of them failed."""
    if Root.path is None:
        return
    runs = sorted(((folder.read_status(), folder) for folder in find(Root.path)), key=lambda run: worst_first(run[0]))
    if not runs:
        return
    lines = [("job", "status", "best figure", "overrides")]
    lines += [(f.path.name, s.get("status", "?"), figure(s), " ".join(typed(f))) for s, f in runs]
    print(f"\n{as_typed(Root.path)}, the best last\n{aligned(lines)}")
    jobs = apart(Root.path)
    if lines := compared(jobs):
        print(f"\n{aligned(lines)}\n")
    shown = gallery.side_by_side({name: folder.images for name, folder in jobs.items()}, Root.path / "images")
    if shown:
        print(f"side by side: {as_typed(Root.path)}/images ({', '.join(path.stem for path in shown)})")
    done = [(status, folder) for status, folder in runs if status.get("status") == "completed" and status.get("best")]
    tensorboard = f"curves: nnlab tensorboard {as_typed(Root.path)}"
    if len({(status.get("model"), status.get("data")) for status, _ in done}) > 1:
        print(f"{tensorboard}    (figures of different models or data do not compare)")
    else:
        print(f"best: {as_typed(done[-1][1].path)}    {tensorboard}" if done else tensorboard)


def typed(folder: RunFolder) -> list[str]:
    """What was typed for a job of a sweep."""
    path = folder.path / ".hydra" / "overrides.yaml"
    try:
        words, _ = read_yaml(path)
    except (OSError, ValueError):
        return []
    return [str(word) for word in words] if isinstance(words, list) else []


def apart(sweep: Path) -> dict[str, RunFolder]:
    """The jobs of a sweep that are complete, in the order of their numbers, by what tells them apart."""
    complete = [folder for folder in find(sweep) if folder.read_status().get("status") == "completed"]
    complete.sort(key=lambda folder: (len(folder.path.name), folder.path.name))
    return by_what_differs(complete)


def by_what_differs(folders: list[RunFolder]) -> dict[str, RunFolder]:
    """Runs by what tells them apart: what was typed for one and not for all; their folder where that does not."""
    said = [typed(folder) for folder in folders]
    common = set.intersection(*map(set, said)) if said else set()
    names = [" ".join(word for word in words if word not in common) for words in said]
    return {
        name if name and names.count(name) == 1 else str(as_typed(folder.path)): folder
        for name, folder in zip(names, folders, strict=True)
    }


def compared(jobs: dict[str, RunFolder]) -> list[tuple[str, ...]]:
    """A line a job with the figures of the test split that all of them have; none of fewer than two jobs."""
    found = {name: folder.read_test_figures() for name, folder in jobs.items()}
    shared = [key for key in next(iter(found.values()), {}) if all(key in figures for figures in found.values())]
    if len(found) < 2 or not shared:
        return []
    return [("test", *shared), *((name, *(f"{figures[key]:.5g}" for key in shared)) for name, figures in found.items())]
