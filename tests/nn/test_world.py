"""What several processes compute together is what one process computes of the whole batch."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from copy import deepcopy
from multiprocessing.connection import Connection

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.testing import assert_close

from nnlab.nn.batch_norm import SharedBatchNorm, share_batches
from nnlab.nn.codebook import Codebook
from nnlab.nn.world import World

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "nnlab.nn.world"])
SIZE = 3

pytestmark = pytest.mark.xdist_group("peers")


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Callable[[World], None]], None]]:
    """Calls a function in each of three processes; what one of them raises fails the test."""
    store = str(tmp_path_factory.mktemp("peers") / "store")
    pipes = [CONTEXT.Pipe() for _ in range(SIZE)]
    started = [CONTEXT.Process(target=process, args=(rank, store, theirs)) for rank, (_, theirs) in enumerate(pipes)]
    for each in started:
        each.start()

    def call(check: Callable[[World], None]) -> None:
        for own, _ in pipes:
            own.send(check)
        answers = [own.recv() if own.poll(60) else "no answer" for own, _ in pipes]
        assert answers == [""] * SIZE

    yield call
    for each in started:
        each.kill()


def process(rank: int, store: str, pipe: Connection) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", store=dist.FileStore(store, SIZE), rank=rank, world_size=SIZE)
    while True:
        check = pipe.recv()
        try:
            check(World(rank, SIZE))
            pipe.send("")
        except BaseException:
            pipe.send(traceback.format_exc())


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 5, 3),
        nn.BatchNorm2d(5),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(20, 4),
        nn.BatchNorm1d(4, momentum=None),
    ]
    return nn.Sequential(*layers, nn.Softplus()).double()


def batch() -> Tensor:
    """11 examples, which 3 processes do not divide."""
    return torch.randn(11, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def normalised_batches(world: World) -> None:
    """Gradients, running statistics and outputs with batch normalisation, and with a term of the mean activity of a batch."""
    alone, shared, x = network(), network(), batch()
    share_batches(shared, world)
    assert isinstance(shared[1], SharedBatchNorm)
    own = world.shard(x)
    world.share = len(own) / len(x)
    for _ in range(2):
        for model, part, mean in ((alone, x, lambda y: y), (shared, own, world.mean)):
            y = model(part)
            loss = y.square().sum(1).mean() + mean(y.mean(0)).log().square().sum()
            loss.backward()
    world.average_gradients(shared.parameters())
    for a, b in zip(alone.parameters(), shared.parameters(), strict=True):
        # the gradients of two passes are summed, which averages them once
        assert_close(b.grad, a.grad)
    for a, b in zip(alone.buffers(), shared.buffers(), strict=True):
        assert_close(b, a)
    assert_close(shared.eval()(x), alone.eval()(x))


def codebooks(world: World) -> None:
    torch.manual_seed(0)
    z = torch.randn(11, 3)
    alone, own = Codebook(6, 3, decay=0.5, restart=0.5), world.shard(z)
    shared = deepcopy(alone)
    share_batches(shared, world)
    generator = torch.Generator().manual_seed(world.rank)
    for _ in range(3):
        shared.update(own, shared.nearest(own), generator)
    everywhere = world.gather(dict(shared.state_dict()))
    for part in everywhere:  # restarts are drawn, but all processes draw the same
        for name, value in part.items():
            assert torch.equal(value, everywhere[0][name])
    alone.restart = shared.restart = 0
    shared.load_state_dict(alone.state_dict())
    shared.update(own, shared.nearest(own), generator)
    alone.update(z, alone.nearest(z), generator)
    for a, b in zip(alone.state_dict().values(), shared.state_dict().values(), strict=True):
        assert_close(b, a)


def sums_and_rows(world: World) -> None:
    rows = torch.arange(8)
    own = world.shard(rows)
    assert torch.equal(world.concat([(own[:1], own[:1] * 2), (own[1:], own[1:] * 2)])[1], rows * 2)
    assert world.sum(torch.tensor(world.rank + 1)).item() == 6
    assert world.agree(world.rank == 1)
    assert not world.agree(False)
    received = torch.tensor(world.rank + 5.0)
    world.broadcast([received])
    assert received == 5


@pytest.mark.parametrize("check", [normalised_batches, codebooks, sums_and_rows])
def test_the_parts_of_several_processes_make_the_whole(check: Callable[[World], None], peers) -> None:
    peers(check)
