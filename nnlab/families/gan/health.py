"""What goes wrong in a game, seen in its own terms, and said in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

WINDOW = 10  # records that something must last
SURE = 0.995  # share of right answers on data and on samples alike from which the discriminator has won
FALLEN, NEVER = 0.5, 0.1  # diversity against the highest seen; and the least that samples come to after two windows
STILL = 1e-4  # change of a loss against its size


class TrainingMonitor:
    """Looks at the means of the terms, record after record, and says each trouble once, and again if it comes back."""

    def __init__(self) -> None:
        self.seen: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self.highest = 0.0  # diversity
        self.records = 0
        self.told: set[str] = set()

    def look(self, means: Mapping[str, float], judges: bool) -> list[str]:
        """The troubles that begin with this record.

        judges  whether the answers of the discriminator have a meaning of their own, and so its accuracy
        """
        self.records += 1
        self.seen.append(dict(means))
        self.highest = max(self.highest, min(means["diversity"], 1.0))  # to come back to the data's is no fall
        now = self.problems(judges) if len(self.seen) == WINDOW else {}
        new = [text for kind, text in now.items() if kind not in self.told]
        self.told = set(now)
        return new

    def problems(self, judges: bool) -> dict[str, str]:
        """What is wrong over the last WINDOW records: a text to show, by the kind of the trouble; empty if all is well.

        won        the discriminator is right of nearly all data and samples, said only if `judges`
        collapsed  the samples' variance has fallen, or never rose
        NAME_loss  the loss of this name stands still
        """
        found = {}
        if judges and all(min(m["real_accuracy"], m["fake_accuracy"]) > SURE for m in self.seen):
            found["won"] = (
                "the discriminator has won outright: it tells every sample from data, so that little is left for the generator "
                "to learn by. Try trainer.discriminator.instance_noise=0.1, or a smaller rate of its own, by "
                "optimizer@trainer.discriminator.optimizer=adam_gan trainer.discriminator.optimizer.lr=1e-4"
            )
        diversity = [m["diversity"] for m in self.seen]
        if max(diversity[-WINDOW // 2 :]) < FALLEN * self.highest:
            found["collapsed"] = (
                f"the samples collapse: of the data's variance they have {diversity[-1]:.0%}, after {self.highest:.0%}. "
                "Try a smaller optimizer.lr, another trainer.objective, or model.spectral_norm=true where there is one"
            )
        elif self.records > 2 * WINDOW and self.highest < NEVER:
            found["collapsed"] = (
                f"the samples are all alike: their variance is {diversity[-1]:.0%} of the data's and was never more than "
                f"{self.highest:.0%}. Try trainer.objective=non_saturating and a smaller optimizer.lr"
            )
        for name in self.seen[-1]:
            values = [m[name] for m in self.seen]
            if name.endswith("_loss") and max(values) - min(values) <= STILL * max(map(abs, values)):
                found[name] = (
                    f"{name} stands still at {values[-1]:.4g}: nothing is learned from it any more. "
                    "Begin again with a smaller optimizer.lr or another trainer.objective"
                )
        return found

    def state(self) -> dict:
        """What `restore` needs so that a resumed run says neither more nor less than an uninterrupted one."""
        return {"seen": list(self.seen), "highest": self.highest, "records": self.records, "told": sorted(self.told)}

    def restore(self, state: dict) -> None:
        """Take up what `state` returned."""
        self.seen.clear()
        self.seen.extend(state["seen"])
        self.highest, self.records, self.told = state["highest"], state["records"], set(state["told"])
