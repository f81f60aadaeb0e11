"""Lightning's Trainer over the DataLoader without workers; without its logger, bar, summary and checkpoints."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import lightning
import torch
from torch import Tensor

from benchmarks.peers.vae.dataloader import loader
from benchmarks.peers.vae.handwritten import DEVICE, VAE, adam


class Module(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.vae = VAE()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return adam(self.vae)

    def on_train_epoch_start(self) -> None:
        self.total = torch.zeros((), device=self.device)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x = batch[0].flatten(1)
        loss = self.vae(x)
        self.total += loss.detach() * len(x)
        return loss


def prepare() -> dict[str, Callable[[], float]]:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module, batches = Module(), loader(workers=0)

    def epoch() -> float:
        silent = {f"enable_{what}": False for what in ("checkpointing", "progress_bar", "model_summary")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises more workers
            trainer = lightning.Trainer(accelerator=DEVICE.type, devices=1, max_epochs=1, logger=False, **silent)
            trainer.fit(module, batches)
        return module.total.item() / len(batches.dataset)

    return {"Lightning": epoch}
