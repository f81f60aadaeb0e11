"""MNIST, gray images of handwritten digits."""

from nnlab.data.idx import IdxDataset


class MNIST(IdxDataset):
    """Handwritten digits (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition")."""

    title = "MNIST"
    torchvision_name = "MNIST"
    class_names = tuple("0123456789")  # torchvision's are "0 - zero" …, which no other set of digits has
