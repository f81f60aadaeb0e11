"""Warnings about a game that goes wrong, from its own metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

WINDOW = 10  # a problem must last for this many records
SURE = 0.995  # with at least this accuracy on both data and samples the discriminator has won
FALLEN, NEVER = 0.5, 0.1  # diversity relative to the highest so far; and the smallest diversity allowed after two windows
STILL = 1e-4  # relative change of a loss


class TrainingMonitor:
    """Checks the means of the terms in each record. It reports a problem once, and again if it comes back."""

    def __init__(self) -> None:
        self.seen: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self.highest = 0.0  # diversity
        self.records = 0
        self.told: set[str] = set()

    def look(self, means: Mapping[str, float], judges: bool) -> list[str]:
        """The problems that start with this record.

        judges  whether the discriminator classifies, so that its accuracy has a meaning
        """
        self.records += 1
        self.seen.append(dict(means))
        self.highest = max(self.highest, min(means["diversity"], 1.0))  # a fall to the data's diversity is not a collapse
        now = self.problems(judges) if len(self.seen) == WINDOW else {}
        new = [text for kind, text in now.items() if kind not in self.told]
        self.told = set(now)
        return new

    def problems(self, judges: bool) -> dict[str, str]:
        """The problems of the last WINDOW records: a message for each kind; empty if there is none.

        won        the discriminator is right for almost all data and samples; only if `judges`
        collapsed  the variance of the samples has fallen, or was never large
        NAME_loss  the loss of this name does not change
        """
        messages = {}
        if judges and all(min(m["real_accuracy"], m["fake_accuracy"]) > SURE for m in self.seen):
            messages["won"] = (
                "the discriminator has won: it recognizes every sample, so that there is almost no gradient for the generator "
                "to learn from. Try trainer.discriminator.instance_noise=0.1, or a smaller learning rate for it, by "
                "optimizer@trainer.discriminator.optimizer=adam_gan trainer.discriminator.optimizer.lr=1e-4"
            )
        diversity = [m["diversity"] for m in self.seen]
        if max(diversity[-WINDOW // 2 :]) < FALLEN * self.highest:
            messages["collapsed"] = (
                f"the samples collapse: their variance is {diversity[-1]:.0%} of the data's, and was {self.highest:.0%}. "
                "Try a smaller optimizer.lr, another trainer.objective, or model.spectral_norm=true if the model has it"
            )
        elif self.records > 2 * WINDOW and self.highest < NEVER:
            messages["collapsed"] = (
                f"the samples are all alike: their variance is {diversity[-1]:.0%} of the data's and was never more than "
                f"{self.highest:.0%}. Try trainer.objective=non_saturating and a smaller optimizer.lr"
            )
        for name in [name for name in self.seen[-1] if name in self.seen[0]]:  # terms may begin later
            values = [m[name] for m in self.seen]
            if name.endswith("_loss") and max(values) - min(values) <= STILL * max(map(abs, values)):
                messages[name] = (
                    f"{name} does not change from {values[-1]:.4g}: nothing is learned from it. "
                    "Start again with a smaller optimizer.lr or another trainer.objective"
                )
        return messages

    def state(self) -> dict:
        """The state for `restore`, so that a resumed run gives the same warnings as an uninterrupted one."""
        return {"seen": list(self.seen), "highest": self.highest, "records": self.records, "told": sorted(self.told)}

    def restore(self, state: dict) -> None:
        """Take up what `state` returned."""
        self.seen.clear()
        self.seen.extend(state["seen"])
        self.highest, self.records, self.told = state["highest"], state["records"], set(state["told"])
