"""Run folders for tests of reports, written by hand, and a page taken apart again."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from nnlab.reporting.markup import VOID
from nnlab.runs.folder import RunFolder

VALUES = [300.0, 250.0, 251.5]  # of the validation loss, an epoch each
BETA_VAE = "nnlab.families.vae.beta_vae.BetaVAE"


def png(seed: int = 0, side: int = 24) -> bytes:
    """A picture of noise, which no file format makes smaller without a loss."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def film(frames: int = 8, side: int = 24, kind: str = "PNG") -> bytes:
    """An animation of noise; as a PNG of nnlab's its last frame stands before it."""
    made = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)) for i in range(frames)]
    buffer = io.BytesIO()
    first, more = (
        (made[-1], {"append_images": made, "default_image": True}) if kind == "PNG" else (made[0], {"append_images": made[1:]})
    )
    first.save(buffer, kind, save_all=True, duration=100, loop=0, **more)
    return buffer.getvalue()


def records(values: list[float] = VALUES) -> list[dict]:
    """A training and a validation record for each epoch of five steps, and one of the test."""
    made = []
    for i, value in enumerate(values, 1):
        made.append({"step": 5 * i, "epoch": float(i), "split": "train", "loss": value - 7, "lr": 0.001})
        made.append({"step": 5 * i, "epoch": float(i), "split": "validation", "n": 143, "loss": value, "psnr": 12.5 + i})
    measured = {"n": 360, "estimator": "1 z per image", "checkpoint": "best", "checkpoint_step": 10}
    return [
        *made,
        {"step": 5 * len(values), "epoch": float(len(values)), "split": "test", **measured, "loss": 248.75, "psnr": 14.5},
    ]


def made(
    path: str, *, values: list[float] = VALUES, node: dict | None = None, final: dict | None = None, **status
) -> RunFolder:
    """A completed run of a beta-VAE on digits."""
    folder = RunFolder(Path(path))
    folder.images.mkdir(parents=True)
    config = {
        "seed": 3,
        "data": {"_target_": "nnlab.data.datasets.digits.Digits"},
        "model": {"_target_": BETA_VAE, "beta": 4.0},
    }
    config["model"] |= node or {}
    folder.config.write_text(json.dumps(config, indent=1))  # JSON is YAML
    known = {"status": "completed", "model": "beta_vae", "data": "digits", "step": 15, "epoch": 3.0, "seconds": 3725.4}
    known |= {"began": 1.8e9, "best": {"validation/loss": min(values)}, "higher_is_better": False, "parameters": 1234567}
    known |= {"device": "cpu", "precision": "float32", "threads": 2, "versions": {"nnlab": "0.1.0", "torch": "2.9.0"}}
    known |= {
        "command": f"nnlab train model=beta_vae model.beta={config['model']['beta']}",
        "tags": ["lab"],
        "note": "a first look",
    }
    known |= {"git": {"commit": "1234abcd", "clean": True}, **status}
    folder.status.write_text(json.dumps(known))
    figures = {
        "train/loss": values[-1] - 7,
        "validation/loss": values[-1],
        "test/loss": 248.75,
        "test/psnr": 14.5,
        **(final or {}),
    }
    folder.summary.write_text(json.dumps({"final": figures, "images_per_second": 2345.6, "status": known["status"]}))
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records(values)))
    (folder.images / "sample.png").write_bytes(png())
    return folder


def sweep(path: str, betas: list[float], planned: int | None = None) -> Path:
    """A sweep over beta whose jobs have begun as far as there are values; the jobs after them only stand in the plan."""
    for i, beta in enumerate(betas):
        values = [value + 10 * beta for value in VALUES]
        final = {"test/loss": 248.75 + 10 * beta, "test/psnr": 14.5 - beta}
        folder = made(f"{path}/{i}", values=values, node={"beta": beta}, final=final, began=1.8e9 + 60 * i)
        (folder.path / ".hydra").mkdir()
        (folder.path / ".hydra" / "overrides.yaml").write_text(f"- model=beta_vae\n- model.beta={beta}\n")
    jobs = [["model=beta_vae", f"model.beta={i}"] for i in range(planned or len(betas))]
    (Path(path) / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    words = ["model=beta_vae", "model.beta=1,4", "note='a b'"]
    (Path(path) / "multirun.yaml").write_text(json.dumps({"hydra": {"overrides": {"task": words}}}))
    return Path(path)


class Page(HTMLParser):
    """A page as a browser reads it: elements with their attributes, texts, and the content of its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.style = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, "an element was left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            kind, content = self.scripts[-1]
            self.scripts[-1] = kind, content + data
        elif self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that a reader sees."""
        return "\n".join(self.texts)

    def all(self, name: str, class_: str | None = None) -> list[dict[str, str | None]]:
        """The attributes of the elements of a name, of one class."""
        return [given for tag, given in self.elements if tag == name and (class_ is None or given.get("class") == class_)]

    def curves(self) -> list[list[dict]]:
        """The values of each chart."""
        found = [json.loads(content) for kind, content in self.scripts if kind == "application/json"]
        return [value for value in found if isinstance(value, list)]
