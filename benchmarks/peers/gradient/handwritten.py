"""Every gradient model as one writes it by hand when speed matters, in plain torch: resident bytes, a gather, fused Adam.

The same layers, losses and optimizer as configs/model/*.yaml, but for the schedule of the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import FashionMNIST

from benchmarks.measure import data_root

BATCH, STEPS, RATE, LATENT, CLASSES = 128, 60, 1e-3, 16, 10
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Loss = Callable[[Tensor, Tensor], Tensor]


def mlp(*widths: int, activation: type[nn.Module] = nn.SiLU) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers[:-1]


def conv_encoder(outputs: int) -> nn.Sequential:
    downsampling = [nn.Conv2d(1, 32, 4, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.SiLU()]
    return nn.Sequential(*downsampling, nn.Flatten(), *mlp(64 * 7 * 7, 256, outputs))


def conv_decoder() -> nn.Sequential:
    grown = [nn.SiLU(), nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)]
    return nn.Sequential(*mlp(LATENT, 256, 64 * 7 * 7), nn.Unflatten(1, (64, 7, 7)), *grown)


def mlp_pair(hidden: list[int], code: int) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(nn.Flatten(), *mlp(784, *hidden, code))
    return encoder, nn.Sequential(*mlp(LATENT, *reversed(hidden), 784), nn.Unflatten(1, (1, 28, 28)))


def autoencoder(encoder: nn.Module, decoder: nn.Module) -> tuple[nn.Module, Loss]:
    def loss(x: Tensor, label: Tensor) -> Tensor:
        return (decoder(encoder(x)).float().sigmoid() - x).square().sum() / len(x)

    return nn.ModuleList([encoder, decoder]), loss


def variational(encoder: nn.Module, decoder: nn.Module) -> tuple[nn.Module, Loss]:
    def loss(x: Tensor, label: Tensor) -> Tensor:
        mean, log_variance = encoder(x).float().chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(decoder(z).float(), x, reduction="sum")
        return (reconstruction + 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()) / len(x)

    return nn.ModuleList([encoder, decoder]), loss


def iwae(codes: int = 5) -> tuple[nn.Module, Loss]:
    encoder, decoder = mlp_pair([1024, 512], 2 * LATENT)

    def loss(x: Tensor, label: Tensor) -> Tensor:
        mean, log_variance = (part[:, None] for part in encoder(x).float().chunk(2, dim=1))
        noise = torch.randn((len(x), codes, LATENT), device=x.device)
        z = mean + (0.5 * log_variance).exp() * noise
        output, every = decoder(z.flatten(0, 1)).float(), x.repeat_interleave(codes, 0)
        reconstruction = F.binary_cross_entropy_with_logits(output, every, reduction="none").flatten(1).sum(1).view(-1, codes)
        divergence = 0.5 * (z.square() - noise.square() - log_variance).sum(2)
        return -(-reconstruction - divergence).logsumexp(1).mean()

    return nn.ModuleList([encoder, decoder]), loss


def cvae() -> tuple[nn.Module, Loss]:
    encoder, decoder = (
        nn.Sequential(*mlp(784 + CLASSES, 1024, 512, 2 * LATENT)),
        nn.Sequential(*mlp(LATENT + CLASSES, 512, 1024, 784)),
    )

    def loss(x: Tensor, label: Tensor) -> Tensor:
        x, given = x.flatten(1), CLASSES * F.one_hot(label, CLASSES).float()
        mean, log_variance = encoder(torch.cat([x, given], 1)).float().chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        output = decoder(torch.cat([z, given], 1)).float()
        reconstruction = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
        return (reconstruction + 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()) / len(x)

    return nn.ModuleList([encoder, decoder]), loss


def squared_error(output: Tensor, x: Tensor) -> Tensor:
    return (output.float() - x).square().sum() / len(x)


def linear_ae() -> tuple[nn.Module, Loss]:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, LATENT), nn.Linear(LATENT, 784), nn.Unflatten(1, (1, 28, 28)))
    return network, lambda x, label: squared_error(network(x), x)


def sparse_ae() -> tuple[nn.Module, Loss]:
    reader, atoms = nn.Linear(784, 1024), nn.Linear(1024, 784)

    def loss(x: Tensor, label: Tensor) -> Tensor:
        x = x.flatten(1)
        code = reader(x - atoms.bias).relu().float()
        output = F.linear(code, F.normalize(atoms.weight, dim=0), atoms.bias)
        return squared_error(output, x) + 0.3 * code.sum() / len(x)

    return nn.ModuleList([reader, atoms]), loss


def contractive_ae() -> tuple[nn.Module, Loss]:
    layer, back = nn.Linear(784, 128), nn.ParameterList([torch.zeros(784)])

    def loss(x: Tensor, label: Tensor) -> Tensor:
        x = x.flatten(1)
        code = layer(x - x.new_zeros(784)).sigmoid().float()
        output = F.linear(code, layer.weight.T, back[0]).float().sigmoid()
        contraction = (code * (1 - code)).square() @ layer.weight.square().sum(1)
        return squared_error(output, x) + 0.1 * contraction.sum() / len(x)

    return nn.ModuleList([layer, back]), loss


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        def twice(inputs: int, width: int) -> nn.Sequential:
            first, second = nn.Conv2d(inputs, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
            return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

        self.high, self.middle, self.low = twice(1, 32), twice(32, 64), twice(64, 128)
        self.up_middle, self.up_high = twice(128, 64), twice(64, 32)
        self.narrow_low, self.narrow_middle, self.last = nn.Conv2d(128, 64, 1), nn.Conv2d(64, 32, 1), nn.Conv2d(32, 1, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        high = self.high(x)
        middle = self.middle(F.max_pool2d(high, 2))
        low = F.interpolate(self.narrow_low(self.low(F.max_pool2d(middle, 2))), scale_factor=2)
        low = F.interpolate(self.narrow_middle(self.up_middle(torch.cat([middle, low], 1))), scale_factor=2)
        return self.last(self.up_high(torch.cat([high, low], 1)))


def unet() -> tuple[nn.Module, Loss]:
    network = UNet()
    return network, lambda x, label: squared_error(network(x).float().sigmoid(), x)


def classifier(*layers: nn.Module) -> tuple[nn.Module, Loss]:
    network = nn.Sequential(*layers)

    def loss(x: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(network(x).float(), label)

    return network, loss


def fcnn() -> tuple[nn.Module, Loss]:
    hidden = [nn.Linear(784, 512), nn.SiLU(), nn.Dropout(0.2), nn.Linear(512, 256), nn.SiLU(), nn.Dropout(0.2)]
    return classifier(nn.Flatten(), *hidden, nn.Linear(256, CLASSES))


def cnn() -> tuple[nn.Module, Loss]:
    layers: list[nn.Module] = []
    for inputs, width in ((1, 32), (32, 64)):
        for before in (inputs, width):
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    hidden = [nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, 256), nn.ReLU(), nn.Dropout(0.3)]
    return classifier(*layers, *hidden, nn.Linear(256, CLASSES))


MODELS: dict[str, Callable[[], tuple[nn.Module, Loss]]] = {
    "ae": lambda: autoencoder(*mlp_pair([512, 256], LATENT)),
    "conv_ae": lambda: autoencoder(conv_encoder(LATENT), conv_decoder()),
    "vae": lambda: variational(*mlp_pair([1024, 512], 2 * LATENT)),
    "conv_vae": lambda: variational(conv_encoder(2 * LATENT), conv_decoder()),
    "iwae": iwae,
    "cvae": cvae,
    "linear_ae": linear_ae,
    "sparse_ae": sparse_ae,
    "contractive_ae": contractive_ae,
    "unet": unet,
    "fcnn": fcnn,
    "cnn": cnn,
}


def loop(model: str, precision: torch.dtype, images: Tensor, labels: Tensor) -> Callable[[], float]:
    """STEPS updates; gives the mean loss."""
    torch.manual_seed(0)
    network, loss_of = MODELS[model]()
    optimizer = torch.optim.Adam(network.to(DEVICE).parameters(), lr=RATE, fused=True)

    def some() -> float:
        network.train()
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(images), device=DEVICE)[: STEPS * BATCH].split(BATCH):
            x, label = images.index_select(0, rows).float().div_(255), labels.index_select(0, rows)
            with torch.autocast(DEVICE.type, precision, enabled=precision != torch.float32):
                loss = loss_of(x, label)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach()
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does: fading means of Adam are denormals, which CPUs add slowly
    data = FashionMNIST(data_root(), train=True, download=True)
    images, labels = data.data[:, None].to(DEVICE), data.targets.to(DEVICE)
    return {f"{model}, {name}": loop(model, dtype, images, labels) for model in MODELS for name, dtype in PRECISIONS.items()}
