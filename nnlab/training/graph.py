"""The step as a CUDA graph: captured once and launched many times, so that the GPU does not wait for Python.

All inputs of a step are on the device: the rows of the epoch's batches, the scheduled numbers, and the number of the step,
which the step increases. Examples that are on the device are gathered inside the graph. Those in a file are copied into
buffers before each launch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from nnlab.errors import BadInput
from nnlab.training import synchronisation
from nnlab.training.meter import Meter

PER_LAUNCH = 10  # updates per launch: the time between launches is then a tenth per update
WARM_UP = 3  # updates before a capture, in which libraries allocate their workspaces (see torch's documentation)
TOLERANCE = 1e-2  # largest relative difference between a captured and an eager update

Launch = Callable[[], None]


class Capturable(Protocol):
    """The methods of a trainer that a graph needs: the update as device code, its inputs, and the tensors that it changes."""

    sampler: Any
    feed: Any
    players: Mapping[str, Any]
    meter: Meter
    generator: torch.Generator
    device: torch.device
    batch_size: int
    steps_per_epoch: int
    notices: list[str]

    def order(self, epoch: int) -> Tensor:
        """The rows of the training set in the order that an epoch (from 0) reads them, int64."""
        ...

    def rows(self, step: int) -> Tensor:
        """The rows of the batch of a step of the stage (from 0), int64."""
        ...

    def rates(self, step: int) -> dict[str, float]:
        """The scheduled numbers at a step of the stage (from 0), by name."""
        ...

    def set_rates(self, values: Iterable[float | Tensor]) -> None:
        """Set the scheduled numbers, in the order of `rates`."""
        ...

    def update(self, batch: Any) -> dict[str, Tensor]:
        """Make one update with a batch. Returns its terms, which stay on the device."""
        ...

    def train_eagerly(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make up to `n` updates from `step` on without a graph, until `stop()` is true. Returns how many were made."""
        ...

    def changes(self) -> Iterator[Tensor]:
        """All tensors that an update changes in place."""
        ...


def available(device: torch.device) -> bool:
    """Whether the device can capture CUDA graphs."""
    return device.type == "cuda"


def capture(body: Callable[[], None], generators: Iterable[torch.Generator], pool: Any = None) -> Launch:
    """Record the device operations of the body without running them; the returned function runs them.

    pool  the memory of what the body makes, of `pool_of`; graphs may share it, since they run one after another and keep
          nothing in it
    """
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    for generator in generators:
        register(graph, generator)
    try:
        with torch.cuda.graph(graph, pool, capture_error_mode="thread_local"):  # another thread may write files meanwhile
            body()
    finally:
        torch.cuda.set_stream(stream)  # a failed capture leaves its own
    return graph.replay


def register(graph: torch.cuda.CUDAGraph, generator: torch.Generator) -> None:
    """Let a graph advance a generator. In torch 2.14 graphs do so unasked, and the method only warns."""
    if hasattr(graph, "register_generator_state"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*register_generator_state.*")
            graph.register_generator_state(generator)


def pool_of(device: torch.device) -> Any:
    """A pool of memory for `capture`; None on a device that has none."""
    return torch.cuda.graph_pool_handle() if device.type == "cuda" else None


@contextmanager
def side_stream() -> Iterator[None]:
    """Run on another stream, as needed before a capture."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)


class CudaGraphRunner:
    """Updates of a gradient trainer, several per launch.

    The first update of a stage is eager: it creates the optimizer's state. All others are graph launches, also in a resumed
    run. The updates of the capture itself are undone. A step that cannot be captured, or whose capture gives other results,
    runs eagerly, and the trainer's `notices` says why.
    """

    @staticmethod
    def wanted(choice: str, device: torch.device) -> bool:
        """Whether to capture. Raises BadInput if trainer.graph=always and there is no CUDA."""
        if choice == "always" and not available(device):
            raise BadInput(f"trainer.graph: a CUDA graph needs an NVIDIA GPU, but the device is {device.type}; use auto")
        return choice != "none" and available(device)

    def __init__(self, trainer: Capturable) -> None:
        self.trainer = t = trainer
        self.full, self.rest = divmod(t.sampler.images_per_epoch, t.batch_size)
        steps, device = t.steps_per_epoch, t.device
        columns = t.order(0).shape[1:]  # none, or one per unpaired part
        self.rows = torch.zeros((steps, t.batch_size, *columns), dtype=torch.int64, device=device)
        self.numbers = torch.zeros((steps, len(t.rates(0))), device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        self.buffers: dict[str, Tensor] = {}  # (PER_LAUNCH, batch_size, …) of each part that is not on the device
        self.slot = torch.zeros(1, dtype=torch.int64, device=device)  # the update within a launch
        self.names: list[str] = []
        self.terms: Tensor | None = None  # (steps, terms)
        self.launches: dict[tuple[int, int], Launch] = {}  # by number of updates and rows per batch
        self.pool = pool_of(device)
        self.at: tuple[int, int] | None = None  # epoch and position of the data on the device
        self.eager = next((player.unfit for player in t.players.values() if player.unfit), None)  # the reason for eager mode
        if self.eager:
            self.report()

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        """Make up to `n` updates from `step` on, until `stop()` is true. Returns how many were made."""
        done = 0
        while done < n and not stop():
            if self.eager or step + done == 0:
                left = n - done if self.eager else 1
                done += self.trainer.train_eagerly(step + done, left, stop)
            else:
                done += self.launch(step + done, n - done)
        return done

    def launch(self, step: int, n: int) -> int:
        """Some of the next `n` updates, all of one epoch. Returns how many; 0 if they cannot be captured."""
        epoch, position = divmod(step, self.trainer.steps_per_epoch)
        self.make_ready(epoch, position)
        whole = min(n, self.full - position)
        updates, size = (PER_LAUNCH if whole >= PER_LAUNCH else 1, self.trainer.batch_size) if whole else (1, self.rest)
        if not self.trainer.feed.split.resident:
            self.fill(step, updates, size)
        for each in sorted({1, updates}):  # a single update is the one that is compared with the eager one
            if (each, size) not in self.launches and not self.prepare(each, size):
                return 0
        self.launches[updates, size]()
        self.at = (epoch, position + updates)
        taken = self.terms[position : position + updates].clone()
        self.trainer.meter.add_rows(self.names, taken, [size] * updates)
        if position + updates == self.trainer.steps_per_epoch:
            self.trainer.order(epoch + 1)  # computed while the device works
        return updates

    def make_ready(self, epoch: int, position: int) -> None:
        """Copy an epoch's rows and scheduled numbers to the device, and set the number of the step."""
        if self.at == (epoch, position):
            return
        t = self.trainer
        if self.at is None or self.at[0] != epoch:
            order = t.order(epoch)[: t.steps_per_epoch * t.batch_size]
            self.rows.flatten(0, 1)[: len(order)].copy_(order)
            first = epoch * t.steps_per_epoch
            values = [list(t.rates(first + i).values()) for i in range(t.steps_per_epoch)]
            self.numbers.copy_(torch.tensor(values))
        self.position.fill_(position)
        self.at = (epoch, position)

    def fill(self, step: int, updates: int, size: int) -> None:
        """Copy the examples of the next updates from their file to the device, while it still computes the launch before."""
        t = self.trainer
        raw = t.feed.gather(torch.cat([t.rows(step + i) for i in range(updates)]))
        for name, part in raw.items():
            if name not in self.buffers:
                self.buffers[name] = torch.zeros((PER_LAUNCH, t.batch_size, *part.shape[1:]), dtype=part.dtype, device=t.device)
            self.buffers[name][:updates, :size].copy_(part.unflatten(0, (updates, size)), non_blocking=True)
        self.slot.zero_()

    def parts(self, size: int) -> dict[str, Tensor]:
        """The parts of the next batch as they are stored: gathered on the device, or what `fill` copied there."""
        if not self.buffers:
            return self.trainer.feed.gather(self.rows.index_select(0, self.position)[0, :size])
        return {name: buffer.index_select(0, self.slot)[0, :size] for name, buffer in self.buffers.items()}

    def step(self, size: int) -> None:
        """One update for the capture: it uses no Python number that changes."""
        t = self.trainer
        t.set_rates(self.numbers.index_select(0, self.position).view(-1).unbind())
        terms = t.update(t.feed.assemble(self.parts(size), t.generator))
        self.slot.add_(1)
        values = torch.stack([term.float() for term in terms.values()])
        if self.terms is None:
            self.names = list(terms)
            self.terms = torch.zeros((t.steps_per_epoch, len(terms)), device=t.device)
        self.terms.index_copy_(0, self.position, values[None])
        self.position.add_(1)

    # -- capturing ------------------------------------------------------------------------------------------------

    def prepare(self, updates: int, size: int) -> bool:
        """Capture this many updates. Returns whether it worked; if not, the trainer runs eagerly from here on."""
        position = int(self.position)
        start = self.save()
        try:
            self.launches[updates, size] = self.captured(updates, size, start)
        except Exception as error:  # any error of torch: its type depends on the version
            if isinstance(error, torch.OutOfMemoryError):
                raise
            self.eager = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.report()
        finally:
            self.load(start)
            self.position.fill_(position)
        return self.eager is None

    def captured(self, updates: int, size: int, start: list[Tensor]) -> Launch:
        """Warm up, capture, and compare with the eager step. Raises CaptureMismatch, SyncError, or an error of torch.

        start  of `save`
        """
        with side_stream():
            for i in range(WARM_UP):
                self.load(start)
                # the first may wait: it compiles, and it copies constants that a resumed run does not yet have there
                with synchronisation.forbid_sync() if i else nullcontext():
                    self.step(size)
        eager = self.save()
        self.load(start)

        def body() -> None:
            for _ in range(updates):
                self.step(size)

        launch = capture(body, [self.trainer.generator], self.pool)
        if updates == 1:
            self.load(start)
            launch()
            if not same_update(start, eager, self.save()):
                raise CaptureMismatch(
                    "the captured step does not do what the eager step does: does it read a number that changes?"
                )
        return launch

    def save(self) -> list[Tensor]:
        """Copies of all tensors that an update changes; the random states are last."""
        t = self.trainer
        copies = [x.detach().clone() for x in (*t.changes(), self.position, self.slot)]
        return [*copies, t.generator.get_state(), default_state(t.device)]

    def load(self, saved: list[Tensor]) -> None:
        """Undo the changes of a capture: tensors, the number of the step and both random states."""
        t = self.trainer
        *copies, own, default = saved
        with torch.no_grad():
            for x, copy in zip((*t.changes(), self.position, self.slot), copies, strict=True):
                x.copy_(copy)
        t.generator.set_state(own)
        set_default_state(default, t.device)

    def report(self) -> None:
        """Add the reason for eager mode to the trainer's notices."""
        self.trainer.notices.append(f"the step runs without a CUDA graph: {self.eager}")


class CaptureMismatch(Exception):
    """A captured step whose results differ from the eager step's."""


def same_update(start: list[Tensor], eager: list[Tensor], captured: list[Tensor]) -> bool:
    """Whether two updates from the same state made the same change and drew equally many random numbers.

    What is counted has to be equal: a count is large beside the change of the weights. The other tensors have to move in both
    or in neither, and their changes may differ by TOLERANCE of the whole change, since one of them may be mostly rounding.
    """
    *_, own, default = zip(eager, captured, strict=True)
    if not all(torch.equal(a, b) for a, b in (own, default)):
        return False
    error, whole = 0.0, 0.0
    for before, a, b in zip(start[:-2], eager[:-2], captured[:-2], strict=True):
        change = a.double() - before.double()
        if not a.is_floating_point() or (a.ndim == 0 and change == change.round()):  # such as Adam's number of updates
            if not torch.equal(a, b):
                return False
            continue
        if torch.equal(a, before) != torch.equal(b, before):
            return False
        error += (a.double() - b.double()).square().sum().item()
        whole += change.square().sum().item()
    return error <= TOLERANCE**2 * whole


def default_state(device: torch.device) -> Tensor:
    """The state of the generator that layers (dropout) use."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_default_state(state: Tensor, device: torch.device) -> None:
    """Set the state of torch's default generator of this device: CUDA on a GPU, else the CPU."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
