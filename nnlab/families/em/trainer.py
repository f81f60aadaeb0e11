"""The trainers of k-means, of mixtures and of the generative classifier: passes of EM, figures of clustering, pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.families.classifier.deciding import Deciding
from nnlab.families.em.gmm import GMM
from nnlab.families.em.pictures import clusters_chart, ellipses_plot, means_picture, prototypes_picture
from nnlab.metrics.clustering import SILHOUETTES, agreement, criteria, saved, silhouette
from nnlab.metrics.probe import accuracy, scaling_of
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.nn.distances import euclidean
from nnlab.plotting.animation import ModelHistory
from nnlab.plotting.latent import reconstruction_picture, sample_picture
from nnlab.plotting.plane import concat_targets, is_2d, sample_plot
from nnlab.plotting.regions import regions_plot
from nnlab.training.passes import PassTrainer
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Monitor, Preview, TrainerContext, evaluating

DRAWN = 100  # samples in a picture
LOGISTIC = 5000  # logistic regression trains on at most this many examples: seconds on two cores


class ClusterTrainer(PassTrainer):
    """Metrics of clusters and mixtures: agreement with the classes, silhouette; an animation for points of the plane."""

    higher = PassTrainer.higher | {"nmi", "ari", "silhouette"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        # results of `batch_metrics`, so that `evaluate_split` reads a split only once: clusters, and
        # some of the points
        self.clusters: list[Tensor] = []
        self.points: list[Tensor] = []
        self.every, self.before = 1, 0
        self.footage = ModelHistory(self.model, self.frame, lambda: self.epoch)

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        if step == 0 and is_2d(self.model.spec):
            self.footage.note()  # the first frame is the start
        return super().train(step, n, stop)

    def collect(self, batch: Batch, clusters: Tensor) -> None:
        """Store the clusters (N,) of a batch, and each `every`-th of its points, for the metrics of the whole split."""
        begin = -(self.before + sum(map(len, self.clusters))) % self.every
        self.points.append(batch.target[begin :: self.every])
        self.clusters.append(clusters)

    def evaluate_split(self, split: str) -> dict[str, float]:
        self.clusters.clear()
        self.points.clear()
        part = self.data.split(split)
        self.every = max(1, -(-len(part) // SILHOUETTES))
        self.before = int(self.world.shard(torch.arange(len(part)))[0])  # examples in the processes before this one
        figures, labels = super().evaluate_split(split), part.labels(part.rows)
        (points,), (clusters,) = self.world.concat(zip(self.points)), self.world.concat(zip(self.clusters))
        figures |= silhouette(points, clusters[:: self.every])
        return figures if labels is None else {**figures, **agreement(clusters, labels)}

    def state(self) -> dict:
        return {**super().state(), "footage": self.footage.state()}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, with the frames of the animation."""
        super().restore(state)
        self.footage.restore(state["footage"])

    def frame(self) -> np.ndarray:
        """The model over the points of the plane."""
        raise NotImplementedError

    def confusion(self, k: int) -> dict[str, np.ndarray]:
        """Of clusters with classes, of the validation split if there is one."""
        part = self.data.validation if len(self.data.validation) else self.data.train
        labels = part.labels(part.rows)
        if labels is None or not self.model.spec.classes:
            return {}
        with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            clusters = [self.model.assign(batch.target) for batch in self.builder(part).sequential(generator)]
        return {"confusion": clusters_chart(torch.cat(clusters), labels, k, self.model.spec.classes)}


class KMeansTrainer(ClusterTrainer):
    """Lloyd's passes; inertia, two criteria of clustering, and the volume that prototypes save.

    Figures:
    inertia  sum over the split of the squared distance to the nearest centre; lower is better, for one split
    within_cluster_distance  mean distance of an example to its centre
    between_center_distance  mean distance of the centres to each other
    volume_saved  share of the volume that is saved if prototypes replace the examples
    center_shift  largest distance that a centre moved in this pass
    empty_clusters  clusters that lost all their points in this pass and started again
    """

    monitor = Monitor("inertia")
    lower = ClusterTrainer.lower | {"inertia", "within_cluster_distance"}

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        nearest, clusters = self.model.distances(batch.target).min(1)
        self.collect(batch, clusters)
        figures = {"inertia": nearest, "within_cluster_distance": nearest.sqrt()}
        return {**figures, **reconstruction_figures(self.model, batch, self.model.spec)}

    def evaluate_split(self, split: str) -> dict[str, float]:
        """The inertia is a sum over the split, as usual; the rest are means."""
        figures, n, k = super().evaluate_split(split), len(self.data.split(split)), self.model.clusters
        figures["inertia"] *= n
        if k > 1:
            figures["between_center_distance"] = euclidean(self.model.centres, self.model.centres).sum().item() / (k * (k - 1))
        return {**figures, "volume_saved": saved(n, self.model.spec.features, k)}

    def frame(self) -> np.ndarray:
        model, unnamed = self.model, ("",) * self.model.clusters
        with self.preview() as view:
            return regions_plot(model.spec, concat_targets(view.batches), model.assign, unnamed, model.centres)

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model, spec = self.model, self.model.spec
        if is_2d(spec):
            return {"clusters": self.footage.look(), **self.confusion(model.clusters)}
        if spec.kind == "table":
            return self.confusion(model.clusters)
        return {
            "prototypes": prototypes_picture(model.centres, spec),
            "reconstruction": reconstruction_picture(model, view.few),
            **self.confusion(model.clusters),
        }


class MixtureTrainer(ClusterTrainer):
    """EM's passes; the likelihood, with the regularisation, and criteria for the number of components.

    Figures:
    log_likelihood  mean log p(x), nats per example; higher is better
    bound           EM raises it in each pass, nats per example: log_likelihood plus the log of a prior on the components
    collapsed_components  components that lost their points in this pass and started again
    regularisation  number added to every variance, in squared units of the data
    pseudo_count  of bernoulli_mixture: number added to the counts of 0 and of 1 of each pixel
    """

    monitor = Monitor("log_likelihood", higher_is_better=True)
    lower = ClusterTrainer.lower | {"bic", "aic"}
    higher = ClusterTrainer.higher | {"log_likelihood", "bound"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        for name in ("regularisation", "pseudo_count"):
            if hasattr(self.model, name):
                self.metadata = {**self.metadata, name: getattr(self.model, name)}

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        joint_density = self.model.weighted_log_prob(batch.target)
        self.collect(batch, joint_density.argmax(1))
        likelihood = joint_density.logsumexp(1)
        return {"log_likelihood": likelihood, **reconstruction_figures(self.model, batch, self.model.spec)}

    def evaluate_split(self, split: str) -> dict[str, float]:
        figures, n = super().evaluate_split(split), len(self.data.split(split))
        free = self.model.free + self.model.components - 1
        return {**figures, **criteria(n * figures["log_likelihood"], n, free)}

    def frame(self) -> np.ndarray:
        with self.preview() as view:
            return ellipses_plot(self.model, concat_targets(view.batches))

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model, spec = self.model, self.model.spec
        pictures = self.confusion(model.components)
        if spec.kind == "image":
            pictures["means"] = means_picture(model.means, model.weights, spec)
            pictures["sample"] = sample_picture(model, DRAWN, view.generator)
            pictures["reconstruction"] = reconstruction_picture(model, view.few)
        elif is_2d(spec):
            pictures["sample"] = sample_plot(model, concat_targets(view.batches), view.generator)
        if is_2d(spec) and isinstance(model, GMM):
            pictures["ellipses"] = self.footage.look()
        return pictures


class GenerativeClassifierTrainer(Deciding, PassTrainer):
    """EM's passes for each class's mixture; accuracy and calibration, compared with logistic regression on the same features.

    Figures:
    log_likelihood     mean log p(x|c) of each example under its own class c, nats per example; higher is better
    bound              EM raises it in each pass, nats per example
    collapsed_components  components that lost their points in this pass and started again
    regularisation     number added to every variance, in squared units of the data
    logistic_accuracy  accuracy of logistic regression on the same values, learned from at most 5,000 examples
    """

    monitor = Monitor("log_likelihood", higher_is_better=True)
    higher = Deciding.higher | {"log_likelihood", "bound"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        self.metadata = {**self.metadata, "regularisation": self.model.regularisation}

    def evaluate_split(self, split: str) -> dict[str, float]:
        """Also the mean log p(x|c) of each example's class, nats; for the test split also logistic regression."""
        logits, labels = self.outputs(split)
        own = (logits - self.model.shares.log().cpu()).gather(1, labels[:, None])
        figures = {**super().evaluate_split(split), "log_likelihood": own.double().mean().item()}
        return figures | (self.logistic(split) if split == "test" else {})

    def logistic(self, split: str) -> dict[str, float]:
        """The accuracy of logistic regression, trained on at most 5,000 of the training examples."""
        train, test = self.data.train, self.data.split(split)
        rows = train.spread(LOGISTIC)
        values, labels = train.values(rows).flatten(1).cpu().numpy(), train.labels(rows).cpu().numpy()
        if len(np.unique(labels)) < 2:
            return {}
        scaling = scaling_of(values)
        seen = scaling(test.values(test.rows).flatten(1).cpu().numpy())
        right, _ = accuracy(scaling(values), labels, seen, test.labels(test.rows).cpu().numpy())
        return {"logistic_accuracy": right}

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        spec = self.model.spec
        pictures = {"confusion": self.confusion(*self.outputs(self.seen))}
        if spec.kind == "image":
            pictures["sample"] = sample_picture(self.model, DRAWN, view.generator)
        elif is_2d(spec):
            pictures["decision_regions"] = regions_plot(spec, concat_targets(view.batches), self.model.classify, spec.classes)
        return pictures
