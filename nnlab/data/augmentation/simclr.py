"""The augmentations of SimCLR."""

from __future__ import annotations

from nnlab.data.augmentation.compose import Compose


class SimCLR(Compose):
    """Random crops, mirror images, and changes of colour, composed for contrastive learning (Chen et al. 2020, appendix A).

    The authors leave out the blur for images of 32×32. `simclr.yaml` has the settings of each.
    """
