"""The trainer of games between two domains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, Part
from nnlab.evaluators import domains
from nnlab.evaluators.domains import DomainJudges
from nnlab.families.gan.trainer import GameTrainer
from nnlab.metrics.reconstruction import mse, psnr
from nnlab.training.trainer import MEASURED, Preview, TrainerContext


class DomainGameTrainer(GameTrainer):
    """A game between two domains, a and b. Where a split does hold pairs, translations have a true answer."""

    lower = GameTrainer.lower | domains.LOWER
    higher = GameTrainer.higher | domains.HIGHER | {"translation_psnr_a", "translation_psnr_b"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        spec = self.data.spec
        names = set(spec.classes), set(spec["b_label"].names if "b_label" in spec else ())
        if isinstance(self.judge, DomainJudges) and all(names) and names[0] != names[1]:
            self.notices.append("judge: the classes of a and b have different names, so class_agreement is not measured")

    def evaluate_split(self, split: str) -> dict[str, float]:
        figures = super().evaluate_split(split)
        return figures | self.translation_figures(split) if "b" in self.data.split(split).aligned else figures

    def translation_figures(self, split: str) -> dict[str, float]:
        """The PSNR of translations whose true answer the split has.

        Figures:
        translation_psnr_b  PSNR of G(a) against b, dB, the mean over the pairs; higher is better
        translation_psnr_a  PSNR of F(b) against a, dB; higher is better
        identity_psnr       PSNR of a itself against b, dB: what a translation that changes nothing has
        """
        values: dict[str, list[Tensor]] = {}
        with self.evaluation(split) as (batches, _):
            for batch in batches:
                for name, each in self.of_pairs(batch).items():
                    values.setdefault(name, []).append(each.double() if each.device.type != "mps" else each)
        return {name: torch.cat(each).mean().item() for name, each in values.items()}

    def of_pairs(self, batch: Batch) -> dict[str, Tensor]:
        """Each figure of a batch of pairs, (N,)."""
        a, b = batch.target, batch["b"]
        sides: dict[str, tuple[Tensor, Tensor, Part]] = {}
        for to, given, truth in (("b", a, b), ("a", b, a)):
            sides[f"translation_psnr_{to}"] = self.model.translate(given, to), truth, self.model.directions()[to][1]
        if a.shape == b.shape:
            sides["identity_psnr"] = a, b, self.model.directions()["b"][1]
        return {name: psnr(mse(made, truth), part) for name, (made, truth, part) in sides.items()}

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        pictures = super().pictures(view)
        if isinstance(self.judge, DomainJudges):
            split = self.data.validation if len(self.data.validation) else self.data.train
            pictures |= self.judge.confusions(self.model, split, split.spread(MEASURED))
        return pictures
