"""The trainer of the Hopfield net: recall against load and noise, and recall step by step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.rbm.hopfield import CAPACITY, Hopfield, Rule, stored
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.nn.spaced import evenly_spaced
from nnlab.plotting.axes import FAINT, INK, PALETTE, blank
from nnlab.plotting.images import sheet, to_pixels
from nnlab.plotting.latent import reconstruction_picture
from nnlab.training.passes import OnePassTrainer
from nnlab.training.trainer import Monitor, Preview

RECALLED = 0.95  # smallest overlap of a recalled pattern: at most 2.5 % of its units are wrong
FLIPPED = 0.1  # share of the units that are flipped before recall, in the curve against load
LOADS = (0.02, 0.05, 0.08, 0.1, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
NOISES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
TRIED = 100  # a point of a curve uses at most this many patterns
WIDEST = 2000  # largest N for the curve against load: it takes N³ operations
ROWS = 8  # images whose recall is shown
PARTS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1 sweep": 1.0, "2": 2.0}  # sweeps that are shown
CALLED = {"hebb": "Hebb", "pseudo_inverse": "projection"}


class HopfieldTrainer(OnePassTrainer):
    """Storage in one pass; energy and stability of a split; recall as curves and step by step.

    Figures:
    energy   mean energy of the examples as states: low if they are stored
    overlap  mean agreement of an example with the pattern recalled from it, −1 … 1: 1 if it does not change
    load     stored patterns per unit; Hebb's rule recalls up to about 0.138
    """

    monitor = Monitor("energy")
    lower = OnePassTrainer.lower | {"energy"}
    higher = OnePassTrainer.higher | {"overlap"}

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        model, s = self.model, self.model.to_spins(batch.target)
        overlap = overlaps(s, model.to_spins(model.reconstruct(batch.input)))
        figures = {"energy": model.energy(s), "overlap": overlap}
        return {**figures, **reconstruction_figures(model, batch, model.spec)}

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model, train = self.model, self.data.train
        patterns = model.to_spins(train.values(train.spread(TRIED)))
        pictures = {
            "reconstruction": reconstruction_picture(model, view.few),
            "recall": recall_picture(model, patterns[:ROWS], view.generator),
            "recall_by_noise": noise_chart(model, patterns, view.generator),
        }
        if model.spec.features <= WIDEST:
            own = model.to_spins(train.values(train.rows[: int(LOADS[-1] * model.spec.features)]))
            pictures["recall_by_load"] = load_chart(model.spec, own, model.rule, view.generator)
        return pictures


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """m = (1/N) Σ_i a_i b_i, (P,), of states (P, N): 1 for the same, 0 for unrelated ones."""
    return (a * b).mean(1)


def flipped(s: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """s (P, N) with this share of each state's units flipped, rounded to whole units."""
    u = torch.rand(s.shape, device=s.device, generator=generator)
    turned = u.argsort(1).argsort(1) < round(share * s.shape[1])
    return torch.where(turned, -s, s)


def recall_share(net: Hopfield, patterns: Tensor, share: float, generator: torch.Generator) -> float:
    """The share of patterns (P, N) that is recalled after this share of their units is flipped."""
    recalled = net.settle(flipped(patterns, share, generator))
    return (overlaps(recalled, patterns) >= RECALLED).float().mean().item()


def by_load(spec: DataSpec, patterns: Tensor, rule: Rule, generator: torch.Generator) -> list[tuple[float, float]]:
    """(load, share recalled) of nets that store the first αN of patterns (P, N), for loads up to the number of patterns."""
    net, points = Hopfield(spec, rule=rule).to(patterns.device), []
    for load in LOADS:
        count = round(load * spec.features)
        if count > len(patterns) or not count:
            continue
        net.weight.copy_(stored(patterns[:count], rule))
        tried = patterns[evenly_spaced(count, TRIED)]
        points.append((load, recall_share(net, tried, FLIPPED, generator)))
    return points


def random_patterns(count: int, units: int, generator: torch.Generator) -> Tensor:
    """(count, units) fair coins of ±1."""
    coins = torch.rand((count, units), device=generator.device, generator=generator)
    return torch.where(coins < 0.5, -1.0, 1.0)


def load_chart(spec: DataSpec, own: Tensor, rule: Rule, generator: torch.Generator) -> np.ndarray:
    """Recall against load: random patterns with both rules, and the data with the model's rule."""
    random = random_patterns(round(LOADS[-1] * spec.features), spec.features, generator)
    lines = {f"random, {CALLED[of]}": by_load(spec, random, of, generator) for of in CAPACITY}
    lines[f"{spec.name}, {CALLED[rule]}"] = by_load(spec, own, rule, generator)
    with blank((f"patterns per unit, N = {spec.features}", f"recalled in %, {FLIPPED:.0%} of the units flipped")) as drawn:
        axes = drawn.axes
        axes.axvline(CAPACITY["hebb"], color=FAINT, linestyle="--", linewidth=1.5)
        axes.annotate("0.138", (CAPACITY["hebb"], 4), (-6, 0), textcoords="offset points", ha="right", color=FAINT)
        for i, (name, points) in enumerate(lines.items()):
            if points:
                load, share = zip(*points, strict=True)
                style = {"color": PALETTE[i], "marker": "os^"[i], "markersize": 8, "linewidth": 2.5, "clip_on": False}
                axes.plot(load, [100 * s for s in share], label=name, **style)
        axes.set(ylim=(0, 102), xlim=(0, LOADS[-1] * 1.02))
    return drawn.pixels


def noise_chart(net: Hopfield, patterns: Tensor, generator: torch.Generator) -> np.ndarray:
    """The overlap of the recalled and the stored pattern, against the share of flipped units."""
    by_noise = [overlaps(net.settle(flipped(patterns, share, generator)), patterns) for share in NOISES]
    mean = [m.mean().item() for m in by_noise]
    low, high = ([m.quantile(q).item() for m in by_noise] for q in (0.1, 0.9))
    with blank(("flipped units in %", "overlap with the stored pattern")) as drawn:
        axes, across = drawn.axes, [100 * share for share in NOISES]
        axes.plot(across, [1 - 2 * share for share in NOISES], color=FAINT, linestyle="--", label="before recall")
        axes.fill_between(across, low, high, color=PALETTE[0], alpha=0.2, linewidth=0, label="80 % of the patterns")
        axes.plot(across, mean, color=PALETTE[0], marker="o", markersize=8, linewidth=2.5, label="recalled, the mean")
        axes.axhline(RECALLED, color=INK, linewidth=0.8, alpha=0.4)
        axes.set(ylim=(min(0.0, *low) - 0.02, 1.03), xlim=(0, across[-1]))
    return drawn.pixels


def recall_picture(net: Hopfield, patterns: Tensor, generator: torch.Generator) -> np.ndarray:
    """One row per pattern: stored, damaged, after parts of a sweep, and at the end; the margin shows E before and after."""
    s = flipped(patterns, 0.25, generator)
    order = torch.randperm(s.shape[1], generator=torch.Generator().manual_seed(0))
    columns, names, done = [patterns, s], ["stored", "damaged"], 0
    if net.how == "synchronous":
        for number in range(1, 5):
            s = net.step(s, order)
            columns.append(s)
            names.append(f"step {number}")
    else:
        for name, part in PARTS.items():
            end = round(part * len(order))
            twice = torch.cat([order, order])
            s, done = net.step(s, twice[done:end]), end
            columns.append(s)
            names.append(name)
    final = net.settle(s)
    tiles = to_pixels(torch.stack([net.to_values(c) for c in [*columns, final]], 1), net.spec)
    before, after = net.energy(columns[1]).tolist(), net.energy(final).tolist()
    return sheet(tiles, [f"E {b:.0f}\nto {a:.0f}" for b, a in zip(before, after, strict=True)], [*names, "end"])
