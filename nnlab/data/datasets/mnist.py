"""MNIST, gray images of handwritten digits."""

from nnlab.data.idx import IdxDataset


class MNIST(IdxDataset):
    """Handwritten digits (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition")."""

    title = "MNIST"
    torchvision_name = "MNIST"
