"""nnlab export: what lies in the folder, that it makes the same model again, and what is said if it cannot be made."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
import yaml
from conftest import only_run, same_bits, train, weights
from safetensors import safe_open
from safetensors.torch import load, load_file, save_file

import nnlab as package
from nnlab.errors import BadInput
from nnlab.export import onnx_file


@pytest.fixture
def run(trained) -> Path:
    trained(model="vae")
    return only_run().path


def export(nnlab, *words: str, status: int = 0) -> list[str]:
    """The lines that it prints."""
    found, out, error = nnlab("export", "last", *words)
    assert found == status, error
    return out.splitlines()


def test_the_folder_explains_itself_and_gives_the_same_model(nnlab, run: Path) -> None:
    lines = export(nnlab)
    folder = run / "export"
    assert lines[-1] == str(folder.relative_to(Path.cwd()) if folder.is_absolute() else folder)
    names = {"model.safetensors", "config.yaml", "encoder.onnx", "decoder.onnx", "export.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert not list(run.glob(".nnlab-*"))
    assert "no generator.onnx: its decoder is one; of z from N(0, 1) it makes new examples" in lines

    state = load_file(folder / "model.safetensors")
    assert same_bits(state, weights(only_run(), "best"))
    with safe_open(folder / "model.safetensors", "pt") as file:
        header = file.metadata()
    known = {"nnlab": package.__version__, "model": "nnlab.families.vae.vae.VAE", "data": "Digits", "checkpoint": "best"}
    assert {**known, "step": "2", "format": "pt"}.items() <= header.items()
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"] == only_run().read_config()["model"]

    model, trained = package.load(folder, device="cpu"), package.load(run, device="cpu")
    x = torch.rand(9, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(model.reconstruct(x), trained.reconstruct(x))
        z = run_onnx(folder / "encoder.onnx", x)
        assert (z - trained.encode(x)).abs().max() <= 1e-4 * max(1, trained.encode(x).abs().max())
        assert (run_onnx(folder / "decoder.onnx", z) - trained.decode(z)).abs().max() <= 1e-4

    record = json.loads((folder / "export.json").read_text())
    assert known.items() <= record.items()
    for name, part in record["parts"].items():
        graph = onnx.load(folder / part["file"]).graph
        assert [value.name for value in graph.input] == list(part["inputs"])
        assert [value.name for value in graph.output] == list(part["outputs"])
        assert f"{part['file']}  {part['bytes']:,} bytes; differs from torch by {part['difference']:.1e}" in lines, name
    assert nnlab("export", "last")[2].endswith("export: exists already; give the name of a new folder\n")


def run_onnx(path: Path, x: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def test_a_part_that_is_not_there_is_told_with_those_that_are(nnlab, run: Path) -> None:
    status, _, error = nnlab("export", "last", "--part", "classifier", "--part", "generator", "-o", "out")
    assert status == 2
    assert error.splitlines() == [
        "nnlab: --part classifier: VAE has none; it has weights, encoder, decoder",
        "nnlab: --part generator: VAE has none (its decoder is one; of z from N(0, 1) it makes new examples); "
        "it has weights, encoder, decoder",
    ]


def test_a_model_without_parts_gives_its_weights_and_says_so(nnlab) -> None:
    Path("outputs").mkdir()
    train("outputs/run", "model=hopfield", "data.limit=20", "trainer.show_every=never", pictures=False)
    lines = export(nnlab, "-o", "out")
    assert lines[1] == "Hopfield has no encoder, decoder, generator, classifier or translator: its weights are all"
    assert {path.name for path in Path("out").iterdir()} == {"model.safetensors", "config.yaml", "export.json"}


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch.onnx: a decoder is refused, another part is a file of a few bytes."""

    def convert(model, part, facts) -> onnx_file.Converted:
        if part.name == "decoder":
            raise onnx_file.CannotConvert("onnxruntime's output differs from torch's by 0.5 of its scale, more than 0.0001")
        return onnx_file.Converted(b"some", 0.0, {"inputs": {}, "outputs": {}})

    monkeypatch.setattr(onnx_file, "convert", convert)


def test_one_part_alone(nnlab, run: Path, converted: None) -> None:
    export(nnlab, "--part", "encoder", "-o", "out")
    assert {path.name for path in Path("out").iterdir()} == {"encoder.onnx", "export.json"}


def test_a_part_that_differs_from_torch_is_not_kept(nnlab, run: Path, converted: None) -> None:
    lines = export(nnlab, "-o", "out", status=1)
    assert "no decoder.onnx: onnxruntime's output differs from torch's by 0.5 of its scale, more than 0.0001" in lines
    assert {path.name for path in Path("out").glob("*.onnx")} == {"encoder.onnx"}
    record = json.loads(Path("out/export.json").read_text())
    assert (list(record["parts"]), list(record["faults"])) == (["encoder"], ["decoder"])


def test_if_it_was_asked_for_by_name_nothing_is_left(nnlab, run: Path, converted: None) -> None:
    status, out, error = nnlab("export", "last", "--part", "encoder", "--part", "decoder", "-o", "out")
    assert (status, out) == (1, "")
    assert error.startswith("nnlab: --part decoder: onnxruntime's output differs")
    assert not Path("out").exists()


@pytest.mark.parametrize("where", ["export.weights", "commands.export"])
def test_a_full_disk_leaves_nothing(nnlab, run: Path, converted: None, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def fail(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(f"nnlab.{where}.write_whole", fail)
    before = set(run.rglob("*"))
    status, out, error = nnlab("export", "last")
    assert (status, out, "the disk is full; make room" in error) == (2, "", True)
    assert set(run.rglob("*")) == before


@pytest.mark.parametrize(("asked", "missing"), [([], "onnx, onnxscript, onnxruntime"), (["--part", "weights"], "")])
def test_without_the_extra_the_command_that_installs_it_is_told(nnlab, run: Path, monkeypatch, asked, missing: str) -> None:
    monkeypatch.setattr("nnlab.extras.installed", lambda module: not module.startswith("onnx"))
    status, _, error = nnlab("export", "last", *asked, "-o", "out")
    if missing:
        assert (status, error) == (2, f"nnlab: export: {missing} are not installed; pip install 'nnlab[export]'\n")
        assert not Path("out").exists()
    else:
        assert status == 0, "safetensors is enough for the weights"


def test_a_folder_that_holds_something_is_left_alone(nnlab, run: Path) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years")
    status, _, error = nnlab("export", "last", "-o", "mine")
    assert (status, error) == (2, "nnlab: -o mine: exists already; give the name of a new folder\n")
    Path("empty").mkdir()
    export(nnlab, "--part", "weights", "-o", "empty")
    assert (Path("empty") / "model.safetensors").is_file()


def test_an_exported_model_is_no_run(nnlab, run: Path) -> None:
    export(nnlab, "--part", "weights", "-o", "out")
    for verb in ("sample", "export", "evaluate"):
        status, _, error = nnlab(verb, "out")
        assert (status, "out: an exported model, not a run" in error) == (2, True)
    with pytest.raises(BadInput, match="which has one; leave it out"):
        package.load("out", checkpoint="best")


def test_a_run_of_an_older_layout_is_exported_in_todays(nnlab, trained) -> None:
    trained("model.clusters=3", model="kmeans")
    config = only_run().config
    old = config.read_text().replace("init: k_means++", "start: k_means++")
    assert "start:" in old
    config.write_text(old)
    export(nnlab, "--part", "weights", "-o", "out")
    assert yaml.safe_load(Path("out/config.yaml").read_text())["model"]["init"] == "k_means++"
    assert package.load("out").init == "k_means++"


def test_a_folder_from_a_stranger_is_data(nnlab, run: Path) -> None:
    export(nnlab, "--part", "weights", "-o", "out")
    file, config = Path("out/model.safetensors"), Path("out/config.yaml")
    whole, text = file.read_bytes(), config.read_text()
    with safe_open(file, "pt") as opened:
        header = opened.metadata()

    def refused(reason: str) -> None:
        with pytest.raises(BadInput, match=reason):
            package.load("out")

    file.write_bytes(whole[: len(whole) // 2])
    refused("cannot be read")
    save_file(load(whole), file, {"format": "pt"})
    refused("its header has no 'spec'; it was not written by nnlab export")
    some = dict(list(load(whole).items())[1:])
    save_file(some, file, header)
    refused("disagree")
    save_file(load(whole), file, {**header, "spec": '{"name": "x", "kind": "image", "shape": [-1]}'})
    refused("cannot be read")
    file.write_bytes(whole)
    config.write_text(text.replace("nnlab.families.vae.vae.VAE", "os.system"))
    refused("lies outside nnlab")
    config.write_text(text)
    file.rename("elsewhere")
    file.symlink_to(Path("elsewhere").absolute())
    refused("a link")
