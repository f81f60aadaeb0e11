"""The loop of a process that trains with others and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from nnlab.errors import RunFailed
from nnlab.training.diagnosis import finite
from nnlab.training.loop import Loop
from nnlab.training.options import Options
from nnlab.training.trainer import Trainer


class Silent:
    """In place of a recorder, a console or checkpoints: every call does nothing and returns None."""

    def waiting(self, text: str) -> AbstractContextManager:
        """A context that says nothing."""
        return nullcontext()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class Follower(Loop):
    """The loop of every process but the first: the same updates and evaluations, and so the same decisions, without files.

    Weights and metrics are the same in all processes: both are made of the parts of all.
    """

    def __init__(self, trainer: Trainer, options: Options, stop: Callable[[], bool]) -> None:
        super().__init__(trainer, options, None, Silent(), Silent(), stop)

    def save(self, name: str = "last") -> None:
        """Only look for values that are not finite, as the first process does when it saves."""
        self.synchronize()
        if not finite(self.trainer.model.state_dict().values()):
            self.diverged(self.progress.step, "a weight")

    def show(self, step: int) -> None:
        """Nothing: pictures have no effect on training."""

    def emit_notices(self, step: int) -> None:
        """Forget the notices."""
        self.trainer.notices.clear()

    def diverged(self, step: int, term: str, after: bool = False) -> None:
        """Raise RunFailed; the first process says which layer it was."""
        raise RunFailed(f"{term} is not finite at step {step}")
