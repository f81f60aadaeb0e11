"""The trainer of the self-organizing map: winners, schedules of rate and radius, metrics and pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.families.som import updates
from nnlab.families.som.options import MapOptions
from nnlab.families.som.pictures import class_map, component_planes, lattice_plot, prototypes, u_matrix
from nnlab.families.som.som import AVERAGES, SOM
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.metrics.som import distortion, topographic_error
from nnlab.plotting.animation import ModelHistory
from nnlab.plotting.latent import reconstruction_picture
from nnlab.plotting.plane import concat_targets, is_2d
from nnlab.plotting.regions import regions_plot
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Monitor, Preview, Trainer, TrainerContext, evaluating

CELLS = 16  # with at most this many units the plane is divided into their cells; with more only borders would be visible


class MapTrainer(Trainer):
    """One step: find the winners of one batch and move their neighbourhoods; the order of examples is new in each epoch.

    Online and mini-batch updates move the units in every step, a batch update at the end of an epoch. Rate and radius follow
    their schedules from the first step to the last.

    Figures:
    quantization_error  mean distance of an example to its winner; lower is better
    topographic_error   share of the examples whose two nearest units are not neighbours on the lattice; lower is better
    distortion          mean Σ_j h_j d_j² over all units j , h the neighbourhood of the winner; lower is better
    distortion_radius   radius of that neighbourhood: the radius at the end of the run
    radius              radius of the neighbourhood at this step
    rate                share of the way that a winner moves towards an example, at this step
    """

    options = MapOptions
    description = "by competition: the nearest unit wins"
    monitor = Monitor("quantization_error")
    lower = Trainer.lower | {"quantization_error", "topographic_error", "distortion"}
    model: SOM

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        options = context.options
        self.check(options)
        self.update, self.rate = options.update, options.rate
        longer = max(self.model.lattice.rows, self.model.lattice.columns)
        self.radius = options.radius and options.radius.of(longer)
        self.metadata = {**self.metadata, "distance": self.model.distance, "distortion_radius": self.last_radius}
        self.footage = ModelHistory(self.model, self.frame, lambda: self.epoch)

    def check(self, options: MapOptions) -> None:
        """Raise BadInput if the model and the options do not fit."""
        model, problems = self.model, []
        if options.update == "batch" and not model.averages:
            problems.append(
                f"trainer.update: with {model.distance} the best unit is not a mean, so there is no batch rule; choose "
                f"trainer=som (mini_batch) or trainer=som_online, or one of the distances {', '.join(AVERAGES)}"
            )
        if options.update != "online" and model.neighbourhood == "mexican_hat":
            problems.append(
                f"trainer.update: a mexican_hat pushes units away, and has no {options.update} rule; choose trainer=som_online"
            )
        if model.neighbourhood == "none" and options.radius is not None:
            problems.append("trainer.radius: not used without a neighbourhood; leave trainer= out, or choose trainer=wta")
        if model.neighbourhood != "none" and options.radius is None:
            problems.append(f"trainer.radius: a {model.neighbourhood} neighbourhood needs one; choose trainer=som")
        if problems:
            raise BadInput(*problems)

    # -- learning -------------------------------------------------------------------------------------------------

    @property
    def last_radius(self) -> float:
        """The neighbourhood's radius at the end of the run, in units of the lattice; 0 without a neighbourhood."""
        return self.radius.end if self.radius else 0.0

    def share(self, step: int) -> float:
        """The share of the run before a step; for batch updates, before its epoch."""
        unit = self.steps_per_epoch if self.update == "batch" else 1
        return (step // unit) / max(self.stages[0].steps // unit - 1, 1)

    def rates(self, step: int) -> dict[str, float]:
        t = self.share(step)
        return {name: decay.at(t) for name, decay in (("rate", self.rate), ("radius", self.radius)) if decay}

    @torch.no_grad()
    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        if step == 0 and is_2d(self.model.spec):
            self.footage.note()  # the first frame is the start
        for i in range(step, step + n):
            if stop():
                return i - step
            x = self.feed.batch(self.sampler.rows(0, i), self.generator).target.flatten(1)
            self.meter.add({"quantization_error": self.move(i, x).mean()}, len(x))
        return n

    def move(self, step: int, x: Tensor) -> Tensor:
        """Make a step with examples (N, D). Returns their distances to the winner before it, (N,)."""
        now = self.rates(step)
        if self.update == "batch":
            sums, distances = updates.gather(self.model, x, self.memory.group("sums"))
            if (step + 1) % self.steps_per_epoch == 0:
                updates.batch(self.model, sums, self.model.spread(now.get("radius", 0.0)))
                sums = None
            self.memory.set_group("sums", sums)
            return distances
        rule = updates.online if self.update == "online" else updates.mini_batch
        return rule(self.model, x, self.model.spread(now.get("radius", 0.0)), now["rate"])

    def state(self) -> dict:
        return {**super().state(), "footage": self.footage.state()}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, with the frames of the animation."""
        super().restore(state)
        self.footage.restore(state["footage"])

    # -- figures and pictures -------------------------------------------------------------------------------------

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        d, squared = self.model.distances(batch.target), self.model.distance not in ("dot", "cosine")
        # without a neighbourhood, neighbours on the lattice are not similar
        ordered = {"topographic_error": topographic_error(d, self.model.around)} if self.ordered else {}
        return {
            "quantization_error": d.amin(1),
            **ordered,
            "distortion": distortion(d, self.model.spread(self.last_radius), squared),
            **reconstruction_figures(self.model, batch, self.model.spec),
        }

    @property
    def ordered(self) -> bool:
        """Whether there is a neighbourhood, so that neighbours on the lattice are similar."""
        return self.model.neighbourhood != "none"

    def frame(self) -> np.ndarray:
        """The lattice over the points of the plane, (H, W, 3), with the start of its units."""
        first = self.footage.looks[0]["units"] if self.footage.looks else self.model.units
        with self.preview() as view:
            return lattice_plot(self.model, concat_targets(view.batches), first, edges=self.ordered)

    def winners(self) -> tuple[Tensor, Tensor | None]:
        """The winners and labels of the validation split, if there is one, on the CPU."""
        part = self.data.validation if len(self.data.validation) else self.data.train
        with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            units = [self.model.assign(batch.target).cpu() for batch in self.builder(part).sequential(generator)]
        labels = part.labels(part.rows)
        return torch.cat(units), None if labels is None else labels.cpu()

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model, spec = self.model, self.model.spec
        winners, labels = self.winners()
        pictures = {"hits": class_map(model.lattice, winners, labels, spec.classes)}
        if self.ordered and not model.lattice.chain:
            pictures["u_matrix"] = u_matrix(model)
        if spec.kind == "image":
            pictures["map"] = prototypes(model)
            pictures["reconstruction"] = reconstruction_picture(model, view.few)
        elif is_2d(spec):
            if model.lattice.size <= CELLS:
                unnamed = ("",) * model.lattice.size
                pictures["cells"] = regions_plot(spec, concat_targets(view.batches), model.assign, unnamed, model.units)
        else:
            pictures["components"] = component_planes(model)
        if is_2d(spec):
            pictures["unfolding"] = self.footage.look()
        return pictures
