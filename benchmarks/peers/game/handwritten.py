"""The deep convolutional GAN as one writes it by hand when speed matters: resident bytes, a gather, fused Adam."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torchvision.datasets import MNIST

from benchmarks.measure import data_root

BATCH, STEPS, RATE, LATENT, DECAY = 64, 40, 2e-4, 100, 0.999
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def generator() -> nn.Sequential:
    start = [nn.Linear(LATENT, 128 * 7 * 7, bias=False), nn.Unflatten(1, (128, 7, 7)), nn.BatchNorm2d(128), nn.ReLU()]
    grown = [nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*start, *grown, nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh())


def discriminator() -> nn.Sequential:
    halved = [nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    halved += [nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)]
    return nn.Sequential(*halved, nn.Flatten(), nn.Linear(128 * 7 * 7, 1))


def loop(precision: torch.dtype, images: Tensor) -> Callable[[], float]:
    """STEPS updates of both; gives the discriminator's mean loss."""
    torch.manual_seed(0)
    g, d = generator().to(DEVICE), discriminator().to(DEVICE)
    average = deepcopy(g).requires_grad_(False)
    both = [torch.optim.Adam(net.parameters(), lr=RATE, betas=(0.5, 0.999), fused=True) for net in (g, d)]
    averages, weights = list(average.parameters()), [p.detach() for p in g.parameters()]

    def autocast() -> torch.autocast:
        return torch.autocast(DEVICE.type, precision, enabled=precision != torch.float32)

    def some() -> float:
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(images), device=DEVICE)[: STEPS * BATCH].split(BATCH):
            real = images.index_select(0, rows).float().div_(127.5).sub_(1)
            with autocast():
                fake = g(torch.randn(BATCH, LATENT, device=DEVICE))
                loss = softplus(-d(real).float()).mean() + softplus(d(fake.detach()).float()).mean()
            loss.backward()
            both[1].step()
            both[1].zero_grad()
            total += loss.detach()
            d.requires_grad_(False)
            with autocast():
                answer = softplus(-d(fake).float()).mean()
            answer.backward()
            d.requires_grad_(True)
            both[0].step()
            both[0].zero_grad()
            torch._foreach_lerp_(averages, weights, 1 - DECAY)
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does
    images = MNIST(data_root(), train=True, download=True).data[:, None].to(DEVICE)
    return {f"hand-written, {name}": loop(dtype, images) for name, dtype in PRECISIONS.items()}
