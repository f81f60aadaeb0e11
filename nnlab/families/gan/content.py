"""The content loss: two images are alike if a trained network sees the same in them, not if their pixels are equal."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from nnlab.checkpoints.reference import RunReference
from nnlab.data.feed import eval_batch_size
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import ArgumentError, BadInput, because
from nnlab.evaluators.inception import as_imagenet
from nnlab.families.classifier.cnn import CNN
from nnlab.model import Classifies, can

MEASURED = 1000  # training images whose features give the scale of the loss
VGG_LAYERS = 36  # of VGG19, up to the activation before its last pooling
VGG_SMALLEST = 16  # pixels, for its four poolings


class ContentLoss(nn.Module):
    """E |φ(ŷ) − φ(y)|² / E |φ(y)|², φ the maps of a trained network that does not learn.

    (Johnson et al. 2016, "Perceptual losses for real-time style transfer and super-resolution"; Ledig et al. 2017)

    The unit is a share: 0 for equal images. So its weight means the same for any network; the papers' weights depend on the
    scale of theirs.
    """

    def __init__(self, spec: DataSpec, network: nn.Module) -> None:
        super().__init__()
        self.spec, self.network = spec, network.requires_grad_(False).eval()
        self.register_buffer("square", torch.ones(()))

    def train(self, mode: bool = True) -> ContentLoss:
        """Stay in evaluation mode for any `mode`. Returns itself."""
        return super().train(False)

    def maps(self, x: Tensor) -> Tensor:
        """φ(x) of images (N, *shape)."""
        raise NotImplementedError

    def load(self) -> None:
        """Load the network's weights, at the start of a run. Raises BadInput if they cannot be had."""
        raise NotImplementedError

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        """Load the weights, and measure E |φ(y)|² on the training data."""
        self.load()
        rows = split.spread(MEASURED)
        parts = [self.maps(split.values(part)).square().flatten(1).mean(1) for part in rows.split(eval_batch_size(split))]
        self.square.copy_(torch.cat(parts).mean().clamp(min=1e-12))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar, of outputs and targets (N, *shape)."""
        with torch.no_grad():
            wanted = self.maps(target)
        return (self.maps(output) - wanted).square().mean() / self.square


class ClassifierContent(ContentLoss):
    """φ of an earlier run's classifier: of a `cnn` the maps before its last pooling, of another its features."""

    def __init__(self, spec: DataSpec, run: RunReference) -> None:
        model = run.build()
        if not can(model, Classifies):
            raise ArgumentError("content", f"{run.run} holds {type(model).__name__}, which cannot {Classifies.__doc__}")
        if model.spec.shape != spec.shape:
            sizes = ["×".join(map(str, shape)) for shape in (model.spec.shape, spec.shape)]
            raise ArgumentError("content", f"{run.run} takes images of {sizes[0]}, but the targets have {sizes[1]}")
        super().__init__(spec, model)
        self.run = run
        pools = [i for i, layer in enumerate(model.body) if isinstance(layer, nn.MaxPool2d)] if isinstance(model, CNN) else []
        self.layers = pools[-1] if pools else None

    def maps(self, x: Tensor) -> Tensor:
        return self.network.features(x) if self.layers is None else self.network.body[: self.layers](x).float()

    def load(self) -> None:
        self.network.load_state_dict(self.run.weights())


class VGGContent(ContentLoss):
    """φ of torchvision's VGG19 (Simonyan & Zisserman 2015), trained on ImageNet: the maps before its last pooling."""

    def __init__(self, spec: DataSpec) -> None:
        if min(spec.shape[1:]) < VGG_SMALLEST:
            h, w = spec.shape[1:]
            raise ArgumentError(
                "content", f"vgg19 needs sides of {VGG_SMALLEST} pixels or more, the images have {h}×{w}; use auto"
            )
        from torchvision.models import vgg

        super().__init__(spec, vgg.make_layers(vgg.cfgs["E"], batch_norm=False)[:VGG_LAYERS])

    def maps(self, x: Tensor) -> Tensor:
        return self.network(as_imagenet(x, self.spec)).float()

    def load(self) -> None:
        from torchvision.models import VGG19_Weights

        try:
            weights = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise BadInput(
                f"model.content: VGG19's weights could not be downloaded{because(error)}. Run once with a network, "
                "or use model.content=auto, a classifier that nnlab trains on the data itself"
            ) from error
        own = {name.removeprefix("features."): value for name, value in weights.items() if name.startswith("features.")}
        self.network.load_state_dict(own)


def content_loss(spec: DataSpec, content: RunReference | Literal["auto", "vgg19"]) -> ContentLoss:
    """The content loss that a config names, without weights yet."""
    if content == "vgg19":
        return VGGContent(spec)
    if content == "auto":  # which `nnlab train` replaces
        raise ArgumentError("content", "auto is the classifier that nnlab train makes first; give the run of a classifier here")
    return ClassifierContent(spec, content)
