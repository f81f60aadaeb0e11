"""The loop of most tutorials: torchvision's ToTensor in a DataLoader; otherwise the hand-written loop, fused Adam and all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

from benchmarks.measure import data_root
from benchmarks.peers.vae.handwritten import BATCH, DEVICE, VAE, adam


def loader(workers: int) -> DataLoader:
    images = FashionMNIST(data_root(), train=True, download=True, transform=ToTensor())
    return DataLoader(images, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def loop(workers: int) -> Callable[[], float]:
    batches = loader(workers)
    model = VAE().to(DEVICE)
    optimizer = adam(model)

    def epoch() -> float:
        total = torch.zeros((), device=DEVICE)
        for images, _ in batches:
            x = images.to(DEVICE).flatten(1)
            loss = model(x)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(x)
        return total.item() / len(batches.dataset)

    return epoch


def prepare() -> dict[str, Callable[[], float]]:
    return {f"torchvision DataLoader, {workers} workers": loop(workers) for workers in (0, 2)}
