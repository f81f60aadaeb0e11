"""Inception v3 as a judge's features, where its weights can be had."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput, because

SIDE = 299
NAME = "torchvision-inception-v3-imagenet1k-v1"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue


class Inception(nn.Module):
    """The 2,048 features before the last layer of torchvision's Inception v3 (Szegedy et al. 2016), trained on ImageNet.

    Images are enlarged to 299×299 and gray ones repeated in three channels. Published FIDs use another port of the network,
    whose figures differ: compare only figures made by this one.
    """

    def __init__(self, spec: DataSpec, network: nn.Module) -> None:
        super().__init__()
        self.spec, self.network = spec, network
        self.network.fc = nn.Identity()

    def features(self, x: Tensor) -> Tensor:
        """(N, 2048) of images (N, C, H, W) within the spec's values."""
        large = functional.interpolate(as_imagenet(x, self.spec), (SIDE, SIDE), mode="bilinear", antialias=True)
        return torch.cat([self.network(part) for part in large.split(50)])


def as_imagenet(x: Tensor, spec: DataSpec) -> Tensor:
    """(N, 3, H, W) of images (N, C, H, W) within the spec's values: colours standardised as networks of ImageNet see them.

    Gray images are repeated in three channels.
    """
    scaled = ((x - spec.low) / spec.value_range).clamp(0, 1)
    colour = scaled.expand(-1, 3, -1, -1) if scaled.shape[1] == 1 else scaled[:, :3]
    # numbers, not tensors: a CUDA graph holds no copy from the host
    return torch.stack([(x - mean) / std for x, mean, std in zip(colour.unbind(1), MEAN, STD, strict=True)], 1)


def inception(spec: DataSpec) -> Inception:
    """Raises BadInput without a network where the weights were never downloaded."""
    if spec.kind != "image":
        raise BadInput(f"judge: inception sees images, but {spec.name} is a table")

    from torchvision.models import Inception_V3_Weights, inception_v3

    try:
        return Inception(spec, inception_v3(weights=Inception_V3_Weights.IMAGENET1K_V1))
    except (OSError, RuntimeError) as error:
        raise BadInput(
            f"judge: Inception's weights could not be downloaded{because(error)}. Run once with a network, "
            "or use judge=auto, a classifier that nnlab trains on the data itself"
        ) from error
