"""The loop that one writes by hand when speed matters: the set resident as bytes, a gather a batch, fused Adam.

The reference of the others, and as `python -m benchmarks.peers.vae.handwritten` a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import FashionMNIST

from benchmarks.measure import data_root

HIDDEN, LATENT, BATCH, RATE = 512, 16, 128, 1e-3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def encoder() -> nn.Sequential:
    """(N, 784) → (N, 2·16)."""
    return nn.Sequential(nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT))


def decoder() -> nn.Sequential:
    """(N, 16) → (N, 784), logits."""
    return nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784))


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder(), decoder()

    def forward(self, x: Tensor) -> Tensor:
        """The negative ELBO of images (N, 784), the mean over the batch, nats."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(self.decoder(z).float(), x, reduction="sum")
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (reconstruction + kl) / len(x)


def adam(model: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), lr=RATE, fused=True)


def loop(precision: torch.dtype) -> Callable[[], float]:
    images = FashionMNIST(data_root(), train=True, download=True).data.flatten(1).to(DEVICE)
    model = VAE().to(DEVICE)
    optimizer = adam(model)

    def epoch() -> float:
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(images), device=DEVICE).split(BATCH):
            x = images.index_select(0, rows).float().div_(255)
            with torch.autocast(DEVICE.type, precision, enabled=precision != torch.float32):
                loss = model(x)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(x)
        return total.item() / len(images)

    return epoch


def prepare() -> dict[str, Callable[[], float]]:
    return {
        "hand-written loop, float32": loop(torch.float32),
        "hand-written loop, bfloat16 autocast": loop(torch.bfloat16),
    }


if __name__ == "__main__":
    print(f"loss {loop(torch.float32)():.2f}")
