"""A trained network that compares what a model makes with data: in the space of its features, and by the classes it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nnlab.data.feed import BatchBuilder, eval_batch_size
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.metrics.frechet import Moments, frechet_distance
from nnlab.metrics.mmd import kernel_distance
from nnlab.metrics.mode_coverage import class_agreement, class_divergence, class_recalls, class_shares, mode_coverage
from nnlab.metrics.precision_recall import precision_recall
from nnlab.model import Classifies, Model, Reconstructs, Samples, SamplesClasses, SamplesInSteps, Varies, can

FEWEST = 10  # examples of a split without which nothing is said of samples
VALIDATION_SAMPLES = 2000  # examples that are looked at in the course of a run; at its end all of the test split
PAIRS = 2000  # examples whose features are compared pair by pair; means and covariances take all

LOWER = frozenset({"frechet_distance", "kernel_distance", "class_divergence", "reconstruction_frechet"})
HIGHER = frozenset({"precision", "recall", "mode_coverage", "min_class_share", "class_agreement"})
HIGHER |= {"conditional_accuracy", "worst_conditional_accuracy"}


@dataclass
class FeatureStatistics:
    """A set of examples as a judge sees it: the moments of all features, some of them, and all class probabilities.

    every  one of so many features is kept for the comparison by pairs
    """

    every: int = 1

    moments: Moments = field(default_factory=Moments)
    some: list[Tensor] = field(default_factory=list)
    probabilities: list[Tensor] = field(default_factory=list)
    finite: bool = True  # a model that has diverged makes what has no features

    def keep(self, features: Tensor) -> None:
        """Add features (N, d) to the moments, and every `every`-th of them to those that are kept."""
        skipped = -self.moments.n % self.every
        self.some.append(features[skipped :: self.every])
        self.moments.add(features)

    def pairs(self) -> Tensor:
        """(≤ PAIRS, d), at even distances: files may come sorted by class."""
        return torch.cat(self.some)


class Judge:
    """Names itself in every record by `name`, the fingerprint of its weights.

    spec    of the data that the judged models see: a table may be standardised otherwise than for the judge
    model   gives features, and where it is a classifier class probabilities
    load    gives the weights that it is yet to be given by `load_weights`; None if it has them
    """

    lower, higher = LOWER, HIGHER  # the figures of which less is better, and more

    def __init__(
        self, model: nn.Module, spec: DataSpec, name: str, load: Callable[[], dict[str, Tensor]] | None = None
    ) -> None:
        self.model, self.spec, self.name, self.load = model.eval().requires_grad_(False), spec, name, load
        self._real: dict[tuple[int, int], FeatureStatistics] = {}

    def load_weights(self, weights: dict[str, Tensor] | None = None) -> None:
        """Take over these weights, or those of the earlier run. Raises BadInput if that run is gone or has changed."""
        if self.load:
            self.model.load_state_dict(weights or self.load())

    def state(self) -> dict[str, Tensor] | None:
        """The weights that a resumed run needs although the judge's own run may be gone."""
        return self.model.state_dict() if self.load else None

    def adapt(self, x: Tensor) -> Tensor:
        """(N, *shape) as the judged models see or make it → as the judge has learned to read it."""
        own = self.model.spec
        if (own.mean, own.std) == (self.spec.mean, self.spec.std):
            return x
        units = self.spec.original(x)
        mean, std = (torch.tensor(values, dtype=units.dtype, device=x.device) for values in (own.mean, own.std))
        return ((units - mean) / std).to(x)

    def extract(self, batches: Iterator[Tensor], every: int = 1) -> FeatureStatistics:
        """Take in batches (N, *shape)."""
        seen = FeatureStatistics(every)
        for x in batches:
            if not self.look(x, seen):
                break
        return seen

    def look(self, x: Tensor, seen: FeatureStatistics) -> bool:
        """Take in a batch (N, *shape); False if its features are not finite."""
        features = self.model.features(self.adapt(x))
        if not features.isfinite().all():
            seen.finite = False
            return False
        seen.keep(features)
        if can(self.model, Classifies):
            seen.probabilities.append(self.model.decide(features))
        return True

    def figures(self, model: Model, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """How a model's samples and reconstructions compare with these rows of a split, as many samples as rows."""
        figures = {}
        if can(model, Samples) and len(rows) >= FEWEST:
            figures |= self.of_samples(model, feed, rows, generator)
            figures |= self.of_steps(model, feed, rows, generator) if can(model, SamplesInSteps) else {}
        if can(model, Reconstructs) or can(model, Varies):
            figures |= self.of_outputs(model, feed, rows, generator)
        return figures

    def headline(self, model: Model) -> list[str]:
        """The names of the figures that stand in the rows of a run's epochs: the distance of what this model makes."""
        known = {"frechet_distance": Samples, "reconstruction_frechet": Reconstructs, "variation_frechet": Varies}
        return [name for name, capability in known.items() if can(model, capability)][:1]

    def real(self, split: Split, rows: Tensor) -> FeatureStatistics:
        """The examples themselves, looked at once, with a generator of its own: the samples' numbers do not depend on when."""
        if (id(split), len(rows)) not in self._real:
            generator = torch.Generator(split.device).manual_seed(0)
            batches = BatchBuilder(split).sequential(generator, rows)
            self._real[id(split), len(rows)] = self.extract((batch.target for batch in batches), -(-len(rows) // PAIRS))
        return self._real[id(split), len(rows)]

    def of_samples(self, model: Samples, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Fréchet and kernel distance, precision and recall; of a classifier also which classes the samples hold.

        A model that draws by class is asked for as many examples of each as there are among the rows.

        Figures:
        frechet_distance    squared Fréchet distance of the judge's features of samples and of data, each taken as a Gaussian;
                            with judge=inception the FID (Heusel et al. 2017). Lower is better; compare equal judges and
                            numbers of examples only
        kernel_distance     squared maximum mean discrepancy of the features under a cubic kernel; with judge=inception the KID
                            (Bińkowski et al. 2018). Lower is better
        precision           share of the samples that lie among the data in feature space (Kynkäänniemi et al. 2019);
                            higher is better
        recall              share of the data that lie among the samples in feature space; higher is better
        mode_coverage       how many of the classes the samples hold: at least a tenth as often as the data do
        min_class_share   share of the samples that are of the class which they hold least of
        conditional_accuracy  share of the samples that the judge takes for the class that was asked for
        worst_conditional_accuracy  the same share among the samples of one class, for the class where it is smallest
        class_divergence    KL divergence, nats, of the samples' classes from the data's; lower is better
        """
        n, size = len(rows), eval_batch_size(feed.split)
        real = self.real(feed.split, rows)
        by_class = can(model, SamplesClasses) and can(self.model, Classifies)
        labels = feed.split.labels(rows) if by_class else None
        fake = self.extract(samples(model, n, size, generator, labels), -(-n // PAIRS))
        if not fake.finite:
            return {"frechet_distance": float("nan")}
        figures = distances(real, fake)
        if fake.probabilities:
            said, shares = torch.cat(fake.probabilities), class_shares(torch.cat(real.probabilities))
            figures["mode_coverage"] = float(mode_coverage(said, shares))
            figures["min_class_share"] = class_shares(said)[shares > 0].min().item()
            if labels is not None:
                figures["conditional_accuracy"] = class_agreement(said, labels)
                figures["worst_conditional_accuracy"] = class_recalls(said, labels).min().item()
            if (shares > 0).all():  # a split so small that it lacks a class has no finite one
                figures["class_divergence"] = class_divergence(said, shares)
        return figures

    def of_steps(self, model: SamplesInSteps, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """How far samples are from these rows of a split before their last step: NAME_frechet of each step by its name."""
        real, size = self.real(feed.split, rows), eval_batch_size(feed.split)
        seen: dict[str, FeatureStatistics] = {}
        for start in range(0, len(rows), size):
            states = model.sample_steps(min(size, len(rows) - start), generator)
            for name, x in list(states.items())[:-1]:
                known = seen.setdefault(name, FeatureStatistics(-(-len(rows) // PAIRS)))
                known.finite = known.finite and self.look(x, known)
        return {
            f"{name}_frechet": frechet_distance(real.moments, known.moments) if known.finite else float("nan")
            for name, known in seen.items()
        }

    def of_outputs(self, model: Model, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """How reconstructions, or the outputs for the inputs of pairs, compare with the clean examples: all of them together,
        and whether each is seen as its class. The same of variations, one of each example, and of the model's rivals
        (`Model.rivals`), with their names before it.

        Figures:
        reconstruction_frechet  Fréchet distance of the judge's features of the reconstructions and of the clean examples; lower
                                is better. A blurred output may have a high PSNR, but it does not look like data
        class_agreement  share of the reconstructions that the judge takes for the class of their input; higher is better
        judge_accuracy   share of the clean examples that it takes for their class: the most to hope for
        input_frechet          as reconstruction_frechet, of the inputs of pairs: the result of a model that copies them, or
                               enlarges them (bicubic)
        input_class_agreement  as class_agreement, of the inputs of pairs
        """
        outputs = {**outputs_of(model, generator), **model.rivals()}
        every = -(-len(rows) // PAIRS)
        parts = {
            name: self.extract((made(batch) for batch in feed.sequential(generator, rows)), every)
            for name, made in outputs.items()
        }
        real, figures = self.real(feed.split, rows), {}
        label = feed.split.labels(rows) if can(self.model, Classifies) else None
        for name, part in parts.items():
            distance = f"{name or 'reconstruction'}_frechet"
            if not part.finite:
                figures[distance] = float("nan")
                continue
            if len(rows) >= FEWEST:
                figures[distance] = frechet_distance(real.moments, part.moments)
            if label is not None:
                figures[f"{name}_class_agreement".lstrip("_")] = class_agreement(torch.cat(part.probabilities), label)
        if label is not None:
            figures["judge_accuracy"] = class_agreement(torch.cat(real.probabilities), label)
        return figures


def distances(real: FeatureStatistics, fake: FeatureStatistics) -> dict[str, float]:
    """How far samples are from data in the space of the features: frechet_distance, kernel_distance, precision, recall."""
    return {
        "frechet_distance": frechet_distance(real.moments, fake.moments),
        "kernel_distance": kernel_distance(real.pairs(), fake.pairs()),
        **precision_recall(real.pairs(), fake.pairs()),
    }


def outputs_of(model: Model, generator: torch.Generator) -> dict[str, Callable[[Batch], Tensor]]:
    """What a model makes of a batch, by the name before its figures."""
    outputs: dict[str, Callable[[Batch], Tensor]] = {}
    if can(model, Reconstructs):
        outputs[""] = lambda batch: model.reconstruct(batch.input)
    if can(model, Varies):

        def varied(batch: Batch) -> Tensor:
            x = batch.input
            return model.vary(x, torch.randn((len(x), model.latent_dim), device=x.device, generator=generator))

        outputs["variation"] = varied
    return outputs


def samples(model: Samples, n: int, size: int, generator: torch.Generator, labels: Tensor | None = None) -> Iterator[Tensor]:
    """n examples (…, *shape) in batches of `size`; of the classes (n,) that are asked for, if any are."""
    for start in range(0, n, size):
        if labels is None:
            yield model.sample(min(size, n - start), generator)
        else:
            yield model.sample_class(labels[start : start + size], generator)
