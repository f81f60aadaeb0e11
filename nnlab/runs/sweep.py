"""What a sweep ends with: its jobs gathered, sorted, and the best one named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from nnlab.runs.find import as_typed, find
from nnlab.runs.folder import RunFolder
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
    lines += [(f.path.name, s.get("status", "?"), figure(s), overrides(f)) for s, f in runs]
    print(f"\n{as_typed(Root.path)}, the best last\n{aligned(lines)}")
    done = [(status, folder) for status, folder in runs if status.get("status") == "completed" and status.get("best")]
    tensorboard = f"curves: nnlab tensorboard {as_typed(Root.path)}"
    if len({(status.get("model"), status.get("data")) for status, _ in done}) > 1:
        print(f"{tensorboard}    (figures of different models or data do not compare)")
    else:
        print(f"best: {as_typed(done[-1][1].path)}    {tensorboard}" if done else tensorboard)


def overrides(folder: RunFolder) -> str:
    """What was typed for a job of a sweep."""
    path = folder.path / ".hydra" / "overrides.yaml"
    return " ".join(OmegaConf.load(path)) if path.exists() else ""
