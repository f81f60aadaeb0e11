"""Whether a change of the code changed what it computes: every model and recipe trained briefly, its results hashed.

    python -m benchmarks.fingerprint > before.txt
    # … move, rename …
    python -m benchmarks.fingerprint > after.txt
    diff before.txt after.txt

One line per run: its name and three hashes. Equal lines mean equal bits:

weights   the model's tensors in last.pt, in order
figures   the values in metrics.jsonl
pictures  the PNG files in images/

No name enters a hash, so a renamed metric, picture or module leaves all of them. The bits depend on the machine and on the
versions of the libraries: compare on one machine. A run that fails prints the reason instead.
Recipes need the real data (NNLAB_DATA); without it they are left out. Words at the end choose runs by a part of their name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nnlab import cli

CONFIGS = Path(__file__).parent.parent / "configs"
SHORT = {
    "trainer.epochs": "2",
    "trainer.pretraining.epochs": "1",
    "trainer.precision": "float32",
    "trainer.show_every": "1 epoch",
    "trainer.likelihood.temperatures": "50",
    "trainer.early_stopping.patience": "0",
    "trainer.likelihood_samples": "5",
}
VARIANTS = {
    "boltzmann_mean_field": ["model=boltzmann", "trainer.inference=mean_field"],
    "boltzmann_gibbs": ["model=boltzmann", "trainer.inference=gibbs"],
    "rbm_persistent": ["model=rbm", "trainer.chains=20", "trainer.persistent=true"],
    "dcgan_wgan_gp": ["model=dcgan", "trainer=wgan_gp"],
    "dcgan_judged": ["model=dcgan", "judge=RUN:cnn"],
    "vae_judged": ["model=vae", "judge=RUN:cnn"],
    "unet_gaussian": ["model=unet", "noise=gaussian"],
}


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml") if path.stem != "none")


def runs() -> Iterator[tuple[str, list[str]]]:
    """The name and the overrides of each run."""
    for data in ("digits", "moons"):
        for model in names("model"):
            yield f"{model} {data}", [f"model={model}", f"data={data}", "data.limit=300"]
    for name, overrides in VARIANTS.items():
        yield f"{name} digits", [*overrides, "data=digits", "data.limit=300"]
    if "NNLAB_DATA" in os.environ:
        for recipe in names("experiment"):
            yield f"experiment={recipe}", [f"experiment={recipe}", "data.limit=400"]


def completed(overrides: list[str]) -> list[str]:
    """With what makes a run short, as far as its trainer knows the key; missing runs become one of PCA."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", [o for o in overrides if "RUN:" not in o])
    typed = {o.partition("=")[0] for o in overrides}
    known = [f"{key}={value}" for key, value in SHORT.items() if key not in typed and has(config, key)]
    if config.trainer.get("steps"):  # a recipe that counts its length in steps
        known = ["trainer.steps=8", *(word for word in known if not word.startswith("trainer.epochs"))]
    if OmegaConf.is_missing(config.model, "encoder"):
        known.append(f"model.encoder={trained('pca')}")
    return [run_named(o) for o in overrides] + known


def has(config: object, key: str) -> bool:
    """Whether a config has this key, with any value."""
    *nodes, last = key.split(".")
    for node in nodes:
        config = config.get(node) if config is not None else None
    return config is not None and last in config


def run_named(override: str) -> str:
    key, _, model = override.partition("=RUN:")
    return f"{key}={trained(model)}" if model else override


def trained(model: str) -> Path:
    """The folder of a short run on digits, made once."""
    folder = Path(f"earlier_{model}")
    if not folder.exists():
        train(folder, completed([f"model={model}", "data=digits", "data.limit=300"]))
    return folder


def train(folder: Path, overrides: list[str]) -> str:
    """Train into a folder. Returns what it says on standard error where it is refused."""
    error = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
        status = cli.main(["train", *overrides, f"hydra.run.dir={folder}"])
    return error.getvalue() if status else ""


def digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]


def tensors(state: object) -> Iterator[bytes]:
    if isinstance(state, torch.Tensor):
        yield repr((state.dtype, tuple(state.shape))).encode()
        yield state.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(state, dict):
        for value in state.values():
            yield from tensors(value)


def values(folder: Path) -> list[bytes]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return sorted(float(v).hex().encode() for record in records for v in record.values() if isinstance(v, int | float))


def fingerprint(name: str, overrides: list[str]) -> str:
    folder = Path(name.replace(" ", "_").replace("=", "_"))
    refused = train(folder, completed(overrides))
    if refused:
        return f"{name:45} refused: {refused.splitlines()[0]}"
    weights = torch.load(folder / "checkpoints" / "last.pt", weights_only=True, map_location="cpu")["trainer"]["model"]
    pictures = sorted(path.read_bytes() for path in (folder / "images").glob("*.png"))
    return f"{name:45} {digest(tensors(weights))} {digest(values(folder))} {digest(pictures)}"


def main() -> None:
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, overrides in runs():
            if all(word in name for word in wanted):
                print(fingerprint(name, overrides), flush=True)


if __name__ == "__main__":
    main()
