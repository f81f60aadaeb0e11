"""Parameters with one optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from nnlab.config.build import build, target
from nnlab.nn.schedules import Schedule, StageLength
from nnlab.nn.world import ALONE, World
from nnlab.training.eager import spare_the_compiler, stepper

OF_THE_DEVICE = ("lr", "fused", "foreach", "capturable")  # settings of an optimizer's groups that depend on the device


class OptimizerGroup:
    """Parameters, their optimizer from a config node, and the schedule of its learning rate.

    world      the processes over which gradients are averaged before each step
    undecayed  those of the parameters that weight decay leaves as they are
    on_device  whether the rate is a tensor on the device, and the count of steps too, as a CUDA graph needs it
    """

    def __init__(
        self,
        node: Mapping,
        parameters: Iterable[nn.Parameter],
        clock: StageLength,
        device: torch.device,
        *,
        on_device: bool = False,
        world: World = ALONE,
        undecayed: Iterable[nn.Parameter] = (),
    ) -> None:
        node = dict(node)
        self._schedule = build(node.pop("schedule"), Schedule, place="optimizer.schedule")
        self._base, self._clock = node["lr"], clock
        cls = target(node["_target_"], "optimizer")
        takes = inspect.signature(cls).parameters
        how = {"fused": True} if "fused" in takes and device.type in ("cpu", "cuda") else {}
        self.unfit = None if not on_device or how or "capturable" in takes else f"{cls.__name__} counts its steps in Python"
        if on_device and "capturable" in takes:
            how["capturable"] = True
        self.world = world
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        spare_the_compiler()
        self.optimizer = build(node, torch.optim.Optimizer, self.parameters, place="optimizer", **how)
        exclude_from_decay(self.optimizer, undecayed)
        self._step = stepper(self.optimizer)
        self._rate = torch.tensor(float(self._base), device=device) if on_device else None
        self._place_rate()

    def _place_rate(self) -> None:
        if self._rate is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate

    def rate(self, step: int) -> float:
        """The learning rate of a step of the stage."""
        return self._base * self._schedule.factor(step, self._clock)

    def set_rate(self, rate: float | Tensor) -> None:
        """Set the learning rate of all parameters, on the device without waiting for it."""
        if self._rate is None:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        elif isinstance(rate, Tensor):
            self._rate.copy_(rate)
        else:
            self._rate.fill_(rate)

    def average_gradients(self) -> None:
        """The gradients of the mean loss of all processes, from those of each."""
        self.world.average_gradients(self.parameters)

    def gradient_norm(self) -> Tensor:
        """The Euclidean norm of all gradients as one vector, a scalar."""
        norms = torch._foreach_norm([p.grad for p in self.parameters if p.grad is not None])
        return torch.stack(norms).norm()

    def step(self, clip: float | None = None) -> None:
        """A step along the gradients; it removes them.

        clip  the largest norm of all gradients as one vector
        """
        if clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, clip)
        self._step()
        self.optimizer.zero_grad()

    def changes(self) -> Iterator[Tensor]:
        """The optimizer's state."""
        for state in self.optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))

    def state(self) -> dict:
        """The state for a checkpoint, which another kind of device can read, too."""
        state = self.optimizer.state_dict()
        groups = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
        return {**state, "param_groups": groups}

    def restore(self, state: dict) -> None:
        """Restore an optimizer's `state_dict`, but keep the settings of this device."""
        own = [{key: group[key] for key in OF_THE_DEVICE if key in group} for group in self.optimizer.param_groups]
        groups = [{**group, **how} for group, how in zip(state["param_groups"], own, strict=True)]
        self.optimizer.load_state_dict({**state, "param_groups": groups})
        for parameter, own in self.optimizer.state.items():  # a checkpoint may be from before a network had another layout
            own |= {key: laid_out_as(parameter, value) for key, value in own.items() if shaped_as(parameter, value)}
        self._place_rate()


def shaped_as(parameter: nn.Parameter, value: object) -> bool:
    """Whether this is a tensor with a value for each one of the parameter."""
    return isinstance(value, Tensor) and value.shape == parameter.shape


def laid_out_as(parameter: nn.Parameter, value: Tensor) -> Tensor:
    """A tensor in the memory order of its parameter: torch's fused optimizers read both by that order, unchecked."""
    return value if value.stride() == parameter.stride() else torch.empty_like(parameter).copy_(value)


def exclude_from_decay(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> None:
    """These of an optimizer's parameters move into a group without weight decay, if it has some."""
    (group,) = optimizer.param_groups
    excluded = {id(parameter) for parameter in parameters}
    without = [p for p in group["params"] if id(p) in excluded]  # the others belong to another player, or do not learn
    if group.get("weight_decay") and without:
        group["params"] = [p for p in group["params"] if id(p) not in excluded]
        optimizer.add_param_group({**group, "params": without, "weight_decay": 0.0})
