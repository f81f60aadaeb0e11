"""Old names of verbs, keys, metrics and classes. Imports no torch.

Run folders of older versions are read with today's names. A typed old name is an error that gives the new name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

VERBS = {"fit": "batch-size", "encode": "compress", "decode": "decompress", "vary": "perturb"}

KEYS = {  # by the node that holds them
    "data": {"few": "train_size"},
    "discriminator": {"steps": "n_critic"},
    "model": {"start": "init"},
    "trainer": {"average": "ema_decay", "keep_every": "keep_checkpoint_every"},
}
PSEUDO_COUNT = ("prior", "pseudo_count")  # of model=bernoulli_mixture; the `prior` of a GAN is a distribution

METRICS = {
    "answers_of": "critic_examples",
    "between": "between_center_distance",
    "collapsed": "collapsed_components",
    "empty": "empty_clusters",
    "least_class_share": "min_class_share",
    "moved": "center_shift",
    "requested_accuracy": "conditional_accuracy",
    "saved": "volume_saved",
    "used": "codebook_usage",
    "within": "within_cluster_distance",
}

DATASETS = [
    "blobs",
    "cifar10",
    "colours",
    "csv",
    "digits",
    "fashion_mnist",
    "image_folder",
    "iris",
    "kmnist",
    "mnist",
    "moons",
    "npz",
    "rings",
]
MODULES = {  # of classes that a config names
    **{f"nnlab.data.{name}": f"nnlab.data.datasets.{name}" for name in DATASETS},
    "nnlab.training.schedules": "nnlab.nn.schedules",
    "nnlab.earlier": "nnlab.checkpoints.reference",
}
CLASSES = {
    "nnlab.noise.NoNoise": "nnlab.data.noise.none.NoNoise",
    "nnlab.noise.Gaussian": "nnlab.data.noise.gaussian.Gaussian",
    "nnlab.noise.SaltPepper": "nnlab.data.noise.salt_pepper.SaltPepper",
    "nnlab.noise.Masking": "nnlab.data.noise.masking.Masking",
    "nnlab.noise.Darkening": "nnlab.data.noise.darkening.Darkening",
    "nnlab.noise.Hole": "nnlab.data.noise.hole.Hole",
    "nnlab.noise.Cut": "nnlab.data.noise.cut.Cut",
    "nnlab.augmentation.NoAugmentation": "nnlab.data.augmentation.none.NoAugmentation",
    "nnlab.augmentation.Affine": "nnlab.data.augmentation.affine.Affine",
    "nnlab.earlier.Earlier": "nnlab.checkpoints.reference.RunReference",
}
WITHOUT_EFFECT = {  # keys that did nothing, by the class that no longer takes them
    "nnlab.families.rbm.options.ContrastiveOptions": {"compile"},
    "nnlab.families.rbm.options.StackedContrastiveOptions": {"compile"},
    "nnlab.families.rbm.options.SettlingOptions": {"compile"},
}


def upgraded(node: Any, name: str = "") -> Any:
    """A config, or its part `name`, in the form of this version."""
    if isinstance(node, list):
        return [upgraded(part) for part in node]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    dropped = WITHOUT_EFFECT.get(target, ()) if isinstance(target, str) else ()
    new = {}
    for key, value in node.items():
        if key == "_target_" and isinstance(value, str):
            new[key] = class_name(value) or value
        elif key not in dropped:
            new[KEYS.get(name, {}).get(key, key)] = upgraded(value, key)
    old, pseudo_count = PSEUDO_COUNT
    if name == "model" and isinstance(new.get(old), int | float):
        new[pseudo_count] = new.pop(old)
    return new


def class_name(target: str) -> str | None:
    """Today's name of a class that has moved; None if it has not."""
    module, _, name = target.rpartition(".")
    return CLASSES.get(target) or (f"{MODULES[module]}.{name}" if module in MODULES else None)


def key(place: str, legal: Iterable[str]) -> str | None:
    """Today's place of a key that was renamed, such as data.train_size for data.few.

    legal  the keys that its node has: a model without `init` has none of another name either
    None if the key was not renamed.
    """
    *nodes, last = place.split(".")
    node = nodes[-1] if nodes else ""
    new = KEYS.get(node, {}).get(last) or (PSEUDO_COUNT[1] if (node, last) == ("model", PSEUDO_COUNT[0]) else None)
    return ".".join([*nodes, new]) if new in legal else None


def metric(name: str) -> str:
    """Today's name of a metric, with its prefix: test/least_class_share becomes test/min_class_share."""
    prefix, slash, last = name.rpartition("/")
    return f"{prefix}{slash}{METRICS.get(last, last)}"


def metrics(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its metrics under today's names."""
    return {metric(name): value for name, value in record.items()}
