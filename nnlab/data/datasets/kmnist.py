"""KMNIST, gray images of cursive Japanese characters."""

from nnlab.data.idx import IdxDataset


class KMNIST(IdxDataset):
    """Cursive characters in ten classes (Clanuwat et al. 2018, "Deep learning for classical Japanese literature")."""

    title = "KMNIST"
    torchvision_name = "KMNIST"
