"""MLflow as a tracker: runs in a store that many people and programs can share, or in one file."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import numpy as np

from nnlab.config.constraints import NonEmpty
from nnlab.errors import ArgumentError, BadInput, shortened
from nnlab.extras import require
from nnlab.recording.tracker import RunFacts, Tracker
from nnlab.runs.files import appending, own

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

STORE, ARTIFACTS = "mlflow.db", "mlflow"  # in the outputs folder
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")
MOST_AT_ONCE, LONGEST = 100, 6000  # parameters of one request, and characters of one, as the stores take them
ENDED = {"completed": "FINISHED", "interrupted": "KILLED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
QUIET = {  # unless the user has set them: a server that is gone is told within a minute, and nothing is sent elsewhere
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MLflow(Tracker):
    """Parameters, metrics, pictures and the config of a run, as a run of MLflow.

    The jobs of a sweep are the runs of one experiment. A parameter that `nnlab resume` changes keeps its first value there,
    since MLflow changes none.

    uri         where the store is: sqlite:///FILE, or the address of a server, https://HOST; auto is the file mlflow.db of
                the outputs folder
    experiment  its name; auto is the sweep, or nnlab for runs of none
    """

    def __init__(self, *, uri: Annotated[str, NonEmpty()] = "auto", experiment: Annotated[str, NonEmpty()] = "auto") -> None:
        self.uri, self.experiment = uri, experiment
        scheme = check(uri)
        require("recorder=mlflow", "mlflow", "mlflow", *(["sqlalchemy", "alembic"] if scheme in DATABASES else []))

    def start(self, facts: RunFacts, identity: str | None) -> str:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # takes seconds
        from mlflow.exceptions import MlflowException

        for name in ("mlflow", "alembic"):  # which tell of each table that they make
            logging.getLogger(name).setLevel(logging.ERROR)
        store = store_of(facts) if self.uri == "auto" else self.uri
        with alone(file_of(store)):
            self.client, self.sent = MlflowClient(tracking_uri=store), {}
        try:
            run = self.client.get_run(identity) if identity else None
        except MlflowException:  # another store, or it was deleted there
            run = None
        self.continued = run is not None
        if run is None:
            run = self.client.create_run(self.experiment_id(facts, store), run_name=facts.name, tags=tags(facts))
            self.client.log_text(run.info.run_id, facts.config, "config.yaml")
        self.run = run.info.run_id
        if self.uri == "auto" and not within(run.info.artifact_uri, file_of(store).parent):  # a store may come from a stranger
            raise BadInput(f"{store} keeps pictures outside its folder, in {run.info.artifact_uri}; was it moved?")
        self.client.update_run(self.run, status="RUNNING")
        self.log_parameters(facts, known=run.data.params)
        return self.run

    def experiment_id(self, facts: RunFacts, store: str) -> str:
        """The experiment of a run, made if absent; its pictures lie beside a store that is a file."""
        from mlflow.exceptions import MlflowException

        name = self.experiment if self.experiment != "auto" else facts.sweep or "nnlab"
        place = file_of(store)
        artifacts = own(place.parent / ARTIFACTS).resolve().as_uri() if place else None
        if found := self.client.get_experiment_by_name(name):
            return found.experiment_id
        try:
            return self.client.create_experiment(name, artifact_location=artifacts)
        except MlflowException:  # another job of the sweep was faster
            if found := self.client.get_experiment_by_name(name):
                return found.experiment_id
            raise

    def log_parameters(self, facts: RunFacts, known: dict[str, str]) -> None:
        """The parameters that the run does not have yet."""
        from mlflow.entities import Param

        new = {legal(name): str(value)[:LONGEST] for name, value in facts.parameters.items()}
        params = [Param(name, value) for name, value in new.items() if name not in known]
        for begin in range(0, len(params), MOST_AT_ONCE):
            self.client.log_batch(self.run, params=params[begin : begin + MOST_AT_ONCE])

    def metrics(self, values: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        new = {legal(name): value for name, value in values.items()}
        new = {name: value for name, value in new.items() if (step, value) not in self.before(name)}
        if new:
            self.client.log_batch(self.run, metrics=[Metric(name, value, now, step) for name, value in new.items()])

    def before(self, name: str) -> set[tuple[int, float]]:
        """What a run that goes on has of a metric: what it repeats after its checkpoint would stand there twice."""
        if self.continued and name not in self.sent:
            self.sent[name] = {(m.step, m.value) for m in self.client.get_metric_history(self.run, name)}
        return self.sent.get(name, set())

    def picture(self, name: str, picture: np.ndarray, png: bytes, step: int) -> None:
        from PIL import Image

        self.client.log_image(self.run, Image.fromarray(np.ascontiguousarray(picture)), key=legal(name), step=step)

    def text(self, name: str, text: str, step: int) -> None:
        self.client.log_text(self.run, text, f"{name}/step-{step:06d}.txt")

    def finish(self, status: str) -> None:
        self.client.set_terminated(self.run, ENDED[status])


def check(uri: str) -> str:
    """The scheme of a store's address. Raises ArgumentError if it is none that MLflow can write into."""
    if uri in ("auto", "databricks"):
        return "sqlite" if uri == "auto" else uri
    try:
        parts = urlsplit(uri)
        scheme, host, secret = parts.scheme.partition("+")[0], parts.hostname, parts.password
    except ValueError:
        scheme, host, secret = "", None, None
    if scheme == "file" or (not scheme and os.path.isdir(uri)):
        raise ArgumentError("uri", "MLflow no longer keeps runs in a folder; give a file, as in sqlite:///mlflow.db, or auto")
    if scheme not in (*DATABASES, *SERVERS) or not (parts.path.strip("/") if scheme == "sqlite" else host):
        raise ArgumentError("uri", f"expected auto, sqlite:///FILE or https://HOST, got '{shortened(uri)}'")
    if secret:
        how = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or give the address of a server that knows it"
        raise ArgumentError("uri", f"has a password, which would stand in config.yaml; {how}")
    return scheme


def store_of(facts: RunFacts) -> str:
    """The address of the file in the outputs folder; of the nearest one above the run, if the folders were moved.

    A file without nnlab's lock beside it is another program's.
    """
    stores = [folder / STORE for folder in facts.folder.absolute().parents]
    above = [store for store in stores if store.is_file() and lock_of(store).exists()]
    return f"sqlite:///{next(iter(above), own(facts.outputs).absolute() / STORE)}"


def file_of(uri: str) -> Path | None:
    """The file of a store; None if it is none."""
    return Path(uri.removeprefix("sqlite:///")).absolute() if uri.startswith("sqlite:///") else None


def lock_of(store: Path) -> Path:
    """The file that a process locks while it opens a store."""
    return store.with_name(f".{store.name}.lock")


@contextmanager
def alone(store: Path | None) -> Iterator[None]:
    """One process at a time, if a store is a file: two that make its tables at once, as jobs of a sweep, spoil them."""
    if store is None or fcntl is None:
        yield
        return
    with appending(lock_of(store)) as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def within(uri: str, folder: Path) -> bool:
    """Whether an address is that of a place in a folder."""
    parts = urlsplit(uri)
    return parts.scheme == "file" and not parts.netloc and Path(unquote(parts.path)).resolve().is_relative_to(folder.resolve())


def tags(facts: RunFacts) -> dict[str, str]:
    """What the run says of itself, under MLflow's own names where it has some."""
    own_names = {"command": "mlflow.source.name", "commit": "mlflow.source.git.commit"}
    found = {own_names.get(name, f"nnlab.{name}"): text for name, text in facts.about.items()}
    found |= {f"nnlab.tag.{legal(tag)}": "true" for tag in facts.tags}
    return {**found, **({"mlflow.note.content": facts.note} if facts.note else {})}


def legal(name: str) -> str:
    """A name that MLflow takes: letters, digits and a few signs."""
    return re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)
