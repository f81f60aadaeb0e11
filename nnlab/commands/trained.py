"""What the verbs that show data to a trained model share: the run, a split, the images asked for."""

from __future__ import annotations

from argparse import Namespace

import torch

from nnlab.commands.capability import require
from nnlab.config.build import build
from nnlab.data.dataset import Data, Dataset, Split
from nnlab.data.feed import Feed
from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.loading import OpenRun, open_run
from nnlab.noise import NoNoise


def open_able(asked: Namespace, verb: str, *capabilities: type) -> OpenRun:
    """The run asked for. Raises BadInput if it cannot be used, or its model lacks one of the capabilities."""
    run = open_run(asked.run, asked.checkpoint, asked.device)
    for capability in capabilities:
        require(run.model, capability, verb)
    return run


def open_data(run: OpenRun) -> Data:
    """The run's data, without its trainer."""
    return build(run.config["data"], Dataset, place="data").open(run.device)


def take(data: Data, name: str) -> Split:
    """One of the three splits. Raises BadInput if it is empty."""
    split = data.split(name)
    if not len(split):
        raise BadInput(f"--split {name}: it is empty in this run")
    return split


def images_at(data: Data, name: str, indices: list[int], option: str) -> Batch:
    """The images at these places of a split, clean; bits that are drawn at each reading are drawn by one seed.

    Raises BadInput, naming the option and the first index that lies beyond the split.
    """
    split = take(data, name)
    for index in indices:
        if not 0 <= index < len(split):
            raise BadInput(f"{option} {index}: the {name} split has images 0 … {len(split) - 1}")
    device = split.rows.device
    rows = split.rows[torch.tensor(indices, device=device)]
    return Feed(split, NoNoise(data.spec)).batch(rows, torch.Generator(device).manual_seed(0))
