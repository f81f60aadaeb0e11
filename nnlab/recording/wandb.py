"""Weights & Biases as a tracker: into files, to be sent by `wandb sync`, or to its server at once."""

from __future__ import annotations

import netrc
import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import numpy as np

from nnlab.config.constraints import NonEmpty
from nnlab.errors import BadInput
from nnlab.extras import require
from nnlab.recording.tracker import RunFacts, Tracker
from nnlab.runs.files import own

SERVER = "https://api.wandb.ai"


class WandB(Tracker):
    """Parameters, metrics and pictures of a run, as a run of Weights & Biases. The jobs of a sweep are a group.

    mode     offline writes wandb/ of the outputs folder and needs no network; online sends everything to the server
    project  its name
    entity   the user or the team whose project it is; None is the default of the account
    """

    def __init__(
        self,
        *,
        mode: Literal["offline", "online"] = "offline",
        project: Annotated[str, NonEmpty()] = "nnlab",
        entity: Annotated[str, NonEmpty()] | None = None,
    ) -> None:
        self.mode, self.project, self.entity = mode, project, entity
        require("recorder=wandb", "wandb", "wandb")
        if mode == "online" and not logged_in():
            raise BadInput("recorder.mode=online: nobody is logged in; run wandb login, set WANDB_API_KEY, or use mode offline")

    def start(self, facts: RunFacts, identity: str | None) -> str:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb  # takes seconds

        self.wandb = wandb
        quiet = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
        self.run = wandb.init(
            mode=self.mode,
            project=self.project,
            entity=self.entity,
            dir=str(own(facts.outputs).absolute()),
            id=identity,
            resume="allow" if identity else None,
            reinit="create_new",  # a process may train several runs
            name=facts.name,
            group=facts.sweep or None,
            tags=[tag[:64] for tag in facts.tags if tag],
            notes=facts.note or None,
            config={**facts.parameters, "nnlab": {**facts.about}},
            settings=quiet,
        )
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")  # W&B's own steps never go back, as those of best and test metrics do
        return self.run.id

    def metrics(self, values: dict[str, float], step: int) -> None:
        if values:
            self.run.log({**values, "step": step})

    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        self.run.log({f"images/{name}": self.wandb.Image(np.ascontiguousarray(picture)), "step": step})

    def text(self, name: str, text: str, step: int) -> None:
        self.run.log({name: text, "step": step})

    def finish(self, status: str) -> None:
        self.run.finish(exit_code=0 if status in ("completed", "interrupted", "pruned") else 1)


def logged_in() -> bool:
    """Whether W&B has a key for its server, without which it would ask for one in the middle of a run."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", SERVER)).netloc
    for path in (os.environ.get("NETRC"), Path.home() / ".netrc", Path.home() / "_netrc"):
        try:
            if path and netrc.netrc(str(path)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
