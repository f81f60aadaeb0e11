"""Fashion-MNIST, gray images of clothes."""

from nnlab.data.idx import IdxDataset


class FashionMNIST(IdxDataset):
    """Clothes in ten classes (Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a novel image dataset")."""

    title = "Fashion-MNIST"
    torchvision_name = "FashionMNIST"
