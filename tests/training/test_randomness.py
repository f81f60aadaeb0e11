"""Everything random can be kept, brought back, and left alone."""

from __future__ import annotations

import contextlib
import io
import random

import numpy as np
import pytest
import torch

from nnlab.training import randomness

CPU = torch.device("cpu")
DRAWS = {
    "torch": lambda: torch.randn(3).tolist(),
    "numpy": lambda: [np.random.normal(), np.random.random()],
    "python": lambda: [random.gauss(0, 1), random.random()],
}
each_source = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@pytest.fixture(autouse=True)
def leave_no_trace():
    generator = torch.Generator()
    saved = randomness.state(generator, CPU)
    yield
    randomness.restore(saved, generator, CPU)


@each_source
@pytest.mark.parametrize("seed", [0, 5, 2**32 - 2])
def test_a_seed_decides_every_global_generator(draw, seed):
    randomness.seed_everything(seed)
    first = draw()
    randomness.seed_everything(seed)
    assert draw() == first
    randomness.seed_everything(seed + 1)
    assert draw() != first


@pytest.mark.parametrize("draws_before", [0, 1, 3])
def test_every_generator_goes_on_where_its_saved_state_was(draws_before):
    training = randomness.generator(0, randomness.TRAINING, CPU)
    draws = {**DRAWS, "training": lambda: torch.randn(3, generator=training).tolist()}
    for draw in draws.values():
        for _ in range(draws_before):
            draw()
    random.gauss(0, 1), np.random.normal()  # each now holds the second of a pair of normals
    file = io.BytesIO()
    torch.save(randomness.state(training, CPU), file)
    following = {name: [draw(), draw()] for name, draw in draws.items()}
    randomness.restore(torch.load(io.BytesIO(file.getvalue()), weights_only=True), training, CPU)
    assert {name: [draw(), draw()] for name, draw in draws.items()} == following


@each_source
@pytest.mark.parametrize("fails", [False, True])
def test_what_is_drawn_aside_leaves_the_training_alone(draw, fails):
    def evaluate():
        with randomness.fork_rng(0, CPU) as generator:
            torch.randn(5, generator=generator)
            draw()
            if fails:
                raise ArithmeticError

    randomness.seed_everything(1)
    expected = draw()
    randomness.seed_everything(1)
    with contextlib.suppress(ArithmeticError):
        evaluate()
    assert draw() == expected


@each_source
def test_what_is_drawn_aside_is_always_the_same(draw):
    def inside():
        with randomness.fork_rng(3, CPU) as generator:
            return draw(), torch.randn(3, generator=generator).tolist()

    first = inside()
    DRAWS["torch"](), DRAWS["numpy"](), DRAWS["python"]()
    assert inside() == first


@pytest.mark.parametrize("seed", range(3))
def test_the_streams_of_a_seed_have_nothing_in_common_with_each_other_or_the_global_one(seed):
    streams = [randomness.generator(seed, stream, CPU) for stream in (randomness.TRAINING, randomness.EVALUATION)]
    streams.append(torch.Generator().manual_seed(seed))  # the global one, which draws the first weights
    drawn = torch.stack([torch.randn(1000, generator=generator) for generator in streams])
    assert (torch.corrcoef(drawn) - torch.eye(3)).abs().max() < 0.15
