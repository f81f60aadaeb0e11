"""Figures of texts and images: how they are matched, and what judges read from images that were made of texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from expected_judged import distance, share_inside
from expected_rounds import Round
from recorded_run import Asked, f64, fork_rng, walk
from scipy.special import log_softmax
from sklearn import metrics
from torch import Tensor

from nnlab.data.spec import Batch

ATTRIBUTES = ("class", "colour", "size", "place")


# -- the text encoder ---------------------------------------------------------------------------------------------


def matched(image: np.ndarray, text: np.ndarray, caption: np.ndarray, scale: float) -> tuple[float, float]:
    """The cross-entropies of both ways, and the share of images to which one of their own texts is nearest; sums."""
    scores = scale * image @ text.T
    same = (caption[:, None] == caption[None]).all(2)
    loss = 0.0
    for i in range(len(image)):
        for each in (log_softmax(scores[i]), log_softmax(scores[:, i])):
            loss -= each[same[i]].mean() / 2
    return loss, float(same[np.arange(len(image)), scores.argmax(1)].sum())


def embedded(asked: Asked, x: Tensor, caption: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    joint = asked.model.embedding
    found = [f64(part) for part in (joint.image(x), joint.text(caption))]
    return *(each / np.linalg.norm(each, axis=1, keepdims=True) for each in found), caption.numpy(), joint.scale.exp().item()


def of_split(which: int) -> Callable[[Asked], float]:
    def figure(asked: Asked) -> float:
        """In groups of 64 random examples of a split."""
        with fork_rng(asked.trainer) as generator:
            batches = [batch for batch, _ in walk(asked.trainer, asked.split, generator)]
            x, caption = torch.cat([b.target for b in batches]), torch.cat([b["caption"] for b in batches])
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
            image, text, caption, scale = embedded(asked, x[order], caption[order])
        parts = [slice(start, start + 64) for start in range(0, len(image), 64)]
        return sum(matched(image[part], text[part], caption[part], scale)[which] for part in parts) / len(image)

    return figure


def of_first_step(which: int) -> Callable[[Asked], float]:
    def term(asked: Asked) -> float:
        batch = asked.first
        return matched(*embedded(asked, batch.target, batch["caption"]))[which] / len(batch)

    return term


text_loss, text_accuracy = of_split(0), of_split(1)
first_text_loss, first_text_accuracy = of_first_step(0), of_first_step(1)


# -- the game -----------------------------------------------------------------------------------------------------


def condition_kl(asked: Asked) -> float:
    kept = Round(asked).play.kept
    q = torch.distributions.Normal(kept["mean"], (0.5 * kept["log_variance"]).exp())
    return float(torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean().detach())


def inconsistency(asked: Asked) -> float:
    return float(Round(asked).inconsistency().detach())


def wrong_accuracy(asked: Asked) -> float:
    game = Round(asked)
    said = game.model.discriminate(game.play.real[0], *game.play.wrong.conditions)[game.play.wrong.counts]
    return float((f64(said) < 0).mean())


# -- judges -------------------------------------------------------------------------------------------------------


def reader(asked: Asked) -> torch.nn.Module:
    """The network that reads all labels."""
    (judge,) = asked.trainer.judge.judges.values()
    return judge.model.eval()


def read(asked: Asked, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The features of the judge, and (N, J) the classes that it reads."""
    net = reader(asked)
    with torch.no_grad():
        features = f64(net.body(x))
    return features, np.stack([(features @ f64(head.weight).T + f64(head.bias)).argmax(1) for head in net.heads], 1)


def told(asked: Asked) -> np.ndarray:
    """(N, J) what the captions of a split say."""
    split = asked.trainer.data.split(asked.split)
    return np.stack([split.labels(split.rows, name).numpy() for name in reader(asked).labels], 1)


def clean(asked: Asked) -> Tensor:
    split = asked.trainer.data.split(asked.split)
    return split.values(split.rows)


def made(asked: Asked) -> Tensor:
    """What the model makes of the captions of a split, with the random numbers of a judge, batch after batch."""
    return drawn(asked, lambda batch: {name: batch[name] for name in asked.model.conditions})


def moved(asked: Asked) -> Tensor:
    """The same, each box half of its free room further to the right and down, or back where it would leave the image."""

    def elsewhere(left: float, top: float, width: float, height: float) -> list[float]:
        found = []
        for start, length, side in ((left, width, asked.model.spec.shape[2]), (top, height, asked.model.spec.shape[1])):
            half = (side - length) // 2
            found.append(start + half if start + half + length <= side else start - half)
        return [*found, width, height]

    return drawn(
        asked, lambda batch: {"caption": batch["caption"], "box": torch.tensor([elsewhere(*b) for b in batch["box"].tolist()])}
    )


def drawn(asked: Asked, parts: Callable[[Batch], dict[str, Tensor]]) -> Tensor:
    with fork_rng(asked.trainer) as generator:
        return torch.cat([asked.model.sample_given(parts(b), g) for b, g in walk(asked.trainer, asked.split, generator)])


def of_first_stage(asked: Asked) -> Tensor:
    """The images of stage I enlarged: of the captions that are drawn after those of the samples, with a noise of their own."""
    found = []
    with fork_rng(asked.trainer) as generator:
        for batch, g in walk(asked.trainer, asked.split, generator):
            asked.model.sample_given({"caption": batch["caption"]}, g)
        draw = torch.Generator().manual_seed(0x57AC)
        model = asked.model
        for batch, _ in walk(asked.trainer, asked.split, generator):
            phi, n = (model.embedding.text(batch["caption"]) - model.whitening.mean) @ model.whitening.matrix, len(batch)
            noise = torch.cat([torch.randn(n, size, generator=draw) for size in (model.latent_dim, 4)], 1)
            small = model.averaged["generators"][0](phi, noise)[0]
            found.append(torch.nn.functional.interpolate(small, model.spec.shape[1:], mode="bicubic").clamp(0, 1))
    return torch.cat(found)


def frechet_distance(asked: Asked) -> float:
    return distance(read(asked, clean(asked))[0], read(asked, made(asked))[0])


def stage_1_frechet(asked: Asked) -> float:
    return distance(read(asked, clean(asked))[0], read(asked, of_first_stage(asked))[0])


def kernel_distance(asked: Asked) -> float:
    a, b = (read(asked, images)[0] for images in (clean(asked), made(asked)))
    k = lambda x, y: metrics.pairwise.polynomial_kernel(x, y, degree=3, coef0=1)  # noqa: E731
    n, m = len(a), len(b)
    aa, bb = k(a, a), k(b, b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * k(a, b).mean())


def precision(asked: Asked) -> float:
    return share_inside(read(asked, made(asked))[0], read(asked, clean(asked))[0])


def recall(asked: Asked) -> float:
    return share_inside(read(asked, clean(asked))[0], read(asked, made(asked))[0])


def share_right(images: Callable[[Asked], Tensor], of: str, end: str = "") -> Callable[[Asked], float]:
    """The share of rows, of seen or unseen pairs alone if `end` says so, of which all that belongs to `of` is read as told."""

    def share(asked: Asked) -> float:
        names = list(reader(asked).labels)
        own = [i for i, name in enumerate(names) if of in ("all", name.split("_")[0])]
        right = (read(asked, images(asked))[1] == told(asked))[:, own].all(1)
        split = asked.trainer.data.split(asked.split)
        pair = split.labels(split.rows, "pair").numpy() if end else None
        those = {"": slice(None), "_seen": pair == 0, "_unseen": pair == 1}[end]
        return float(right[those].mean())

    return share


def kept(of: str) -> Callable[[Asked], float]:
    """The share of rows of which a judge reads the same in both places."""

    def share(asked: Asked) -> float:
        index = list(reader(asked).labels).index(f"{of}_1")
        here, there = (read(asked, images(asked))[1][:, index] for images in (made, moved))
        return float((here == there).mean())

    return share


JUDGED = {f"{of}_kept": kept(of) for of in ("class", "colour")}
JUDGED |= {"stage_1_all_as_asked": share_right(of_first_stage, "all"), "stage_1_frechet": stage_1_frechet}
for attribute in (*ATTRIBUTES, "all"):
    for end in ("", "_seen", "_unseen"):
        JUDGED[f"{attribute}_as_asked{end}"] = share_right(made, attribute, end)
        JUDGED[f"judge_{attribute}_accuracy{end}"] = share_right(clean, attribute, end)
