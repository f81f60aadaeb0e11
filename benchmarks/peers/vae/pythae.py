"""pythae: its VAE with networks of the same size, and its BaseTrainer's epoch with its own optimizer's defaults."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import tempfile
from collections.abc import Callable

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor
from torchvision.datasets import FashionMNIST

from benchmarks.measure import data_root
from benchmarks.peers.vae.handwritten import BATCH, LATENT, RATE, decoder, encoder


class Encoder(BaseEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.layers = encoder()

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.layers(x).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Ends in probabilities, which pythae's cross-entropy reads."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = decoder()

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z).sigmoid())


@contextlib.contextmanager
def quiet():
    """Without its progress bar and its messages in our output."""
    logging.disable(logging.INFO)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            yield
    finally:
        logging.disable(logging.NOTSET)


def prepare() -> dict[str, Callable[[], float]]:
    raw = FashionMNIST(data_root(), train=True, download=True)
    images = BaseDataset(raw.data.flatten(1) / 255, torch.zeros(len(raw.data)))
    model = VAE(VAEConfig(input_dim=(784,), latent_dim=LATENT, reconstruction_loss="bce"), Encoder(), Decoder())
    numbers = itertools.count(1)
    with quiet(), tempfile.TemporaryDirectory() as folder:  # for the model it would save after its last epoch
        options = BaseTrainerConfig(output_dir=folder, learning_rate=RATE, per_device_train_batch_size=BATCH)
        trainer = BaseTrainer(model, images, training_config=options)
        trainer.prepare_training()

    def epoch() -> float:
        with quiet():
            return trainer.train_step(next(numbers))

    return {"pythae": epoch}
