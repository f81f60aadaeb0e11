"""The page of custom scalars of TensorBoard: which curves stand together in a chart, found out from their names. No torch.

One chart has a metric of the training and the validation split. The metrics of several players of a game, of data and
samples, or of two domains, whose names differ by a first or a last word alone, are in one chart, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

SPLITS = ("train", "validation")  # test metrics are single points
SIDES = ("real_", "fake_", "wrong_")  # what a discriminator is shown
ENDS = ("_a", "_b", "_seen", "_unseen")  # domains, and kinds of captions
LOSSES, FIGURES, JUDGE, SCHEDULES = "losses", "terms and metrics", "judge", "schedules"
CATEGORIES = (LOSSES, FIGURES, JUDGE, SCHEDULES)  # in the order of the page

Charts = dict[str, list[str]]  # the tags of each chart, by its title


def arranged(tags: Iterable[str], scheduled: Collection[str] = (), judged: Collection[str] = ()) -> dict[str, Charts]:
    """The charts of each category for the scalars of a run, such as train/loss or, of a stage, train/layer_1/loss.

    scheduled, judged  the names of scheduled numbers and of the judge's metrics
    """
    places = [(stage, name, tag) for tag in tags for split, stage, name in [parts(tag)] if split in SPLITS]
    players = {name.removesuffix("_lr") for _, name, _ in places if name.endswith("_lr")}  # each has a learning rate
    grouped: dict[str, dict[tuple[str, str], dict[str, list[str]]]] = {category: {} for category in CATEGORIES}
    for stage, name, tag in places:
        shared = stem(name, players)
        category = category_of(name, shared, scheduled, judged)
        grouped[category].setdefault((stage, shared), {}).setdefault(name, []).append(tag)
    return {
        category: {title(*place, list(of)): [tag for found in of.values() for tag in found] for place, of in charts.items()}
        for category, charts in grouped.items()
        if charts
    }


def parts(tag: str) -> tuple[str, str, str]:
    """The split, the stage (empty in the last) and the name of a tag."""
    split, _, rest = tag.partition("/")
    stage, _, name = rest.rpartition("/")
    return split, stage, name


def stem(name: str, players: Collection[str]) -> str:
    """What a name shares with the others of its chart: `loss` of generator_loss, `accuracy` of real_accuracy."""
    player = max((player for player in players if name.startswith(f"{player}_")), key=len, default="")
    name = name.removeprefix(f"{player}_") if player else name
    name = next((name.removeprefix(side) for side in SIDES if name.startswith(side)), name)
    return next((name.removesuffix(end) for end in ENDS if name.endswith(end)), name)


def category_of(name: str, shared: str, scheduled: Collection[str], judged: Collection[str]) -> str:
    """The category of a metric."""
    if shared == "lr" or name in scheduled:
        return SCHEDULES
    if name in judged:
        return JUDGE
    return LOSSES if name == "loss" or name.endswith("_loss") else FIGURES


def title(stage: str, shared: str, names: list[str]) -> str:
    """The title of a chart: what its metrics share, then what tells them apart."""
    title = names[0] if len(names) == 1 else f"{shared} ({', '.join(apart(name, shared) for name in names)})"
    return f"{stage}: {title}" if stage else title


def apart(name: str, shared: str) -> str:
    """A name without what it shares with others."""
    before, _, after = name.rpartition(shared)
    return " ".join(word for word in (before.strip("_"), after.strip("_")) if word) or name


def pattern(tags: Iterable[str]) -> str:
    """A regular expression for these tags, which TensorBoard compares with the beginning of a tag."""
    return f"({'|'.join(map(re.escape, tags))})$"
