"""Judges: what they say of models whose truth is known, who may judge whom, and who is named in a result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import built, only_run, same_bits, weights
from torch import nn

from nnlab.config import names
from nnlab.data.feed import BatchBuilder
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.evaluators import inception
from nnlab.evaluators.judge import HIGHER, LOWER, Judge
from nnlab.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("blank_charts")

SHORT = ["trainer.epochs=2", "trainer.show_every=never", "trainer.precision=float32"]
OF_SAMPLES = {"frechet_distance", "kernel_distance", "precision", "recall", "mode_coverage", "class_divergence"}


@pytest.fixture
def classifier(train_once) -> RunFolder:
    train_once("model=fcnn", "model.hidden=[32]", *SHORT, "trainer.epochs=15", "outputs=judges")
    return only_run("judges")


class Copier(nn.Module):
    """Samples the examples of a split, one after the other; reconstructs by giving back what it is given."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__()
        self.x, self.place = x, 0

    def sample(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        self.place += n
        return self.x[torch.arange(self.place - n, self.place) % len(self.x)]

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def rivals(self) -> dict:
        return {}


def judged(model: nn.Module, net: nn.Module, split: str = "test") -> dict[str, float]:
    data = built("model=fcnn").data
    feed = BatchBuilder(data.split(split))
    with torch.inference_mode():
        return Judge(net, data.spec, "known").figures(model, feed, feed.split.rows, torch.Generator().manual_seed(0))


@pytest.fixture
def net(classifier: RunFolder) -> nn.Module:
    import nnlab as package

    return package.load(classifier.path)


@pytest.fixture
def test_images() -> torch.Tensor:
    split = built("model=fcnn").data.test
    return split.values(split.rows)


def test_the_data_themselves_are_at_no_distance(net: nn.Module, test_images: torch.Tensor) -> None:
    figures = judged(Copier(test_images), net)
    assert figures["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert (figures["precision"], figures["recall"], figures["mode_coverage"]) == (1, 1, 10)
    assert figures["class_divergence"] == pytest.approx(0, abs=1e-9)
    assert figures["class_agreement"] == figures["judge_accuracy"] > 0.85


def test_a_collapsed_model_is_seen_as_one(net: nn.Module, test_images: torch.Tensor) -> None:
    figures = judged(Copier(test_images[:1]), net)
    assert figures["frechet_distance"] > 1
    assert figures["precision"] == 1, "it is a real image"
    assert figures["recall"] < 0.05
    assert figures["mode_coverage"] == 1
    assert figures["class_divergence"] > 2  # log 10 = 2.3 nats


def test_noise_is_far_from_the_data(net: nn.Module, test_images: torch.Tensor) -> None:
    near = judged(Copier(test_images.flip(0).roll(7, 0)), net)
    far = judged(Copier(torch.rand(test_images.shape, generator=torch.Generator().manual_seed(0))), net)
    assert far["frechet_distance"] > 100 * near["frechet_distance"] + 1
    assert far["kernel_distance"] > near["kernel_distance"]


def test_a_model_that_makes_no_numbers_is_told_as_such(net: nn.Module, test_images: torch.Tensor) -> None:
    assert not judged(Copier(test_images * torch.nan), net)["frechet_distance"] < float("inf")


def test_a_judged_run_records_the_judge_and_its_figures(nnlab, classifier: RunFolder) -> None:
    status, _, error = nnlab("train", "model=vae", "model.hidden=[32]", *SHORT, f"judge={classifier.path}")
    assert status == 0, error
    folder = only_run()
    last = [r for r in folder.read_metrics() if r["split"] == "validation"][-1]
    name = folder.read_config()["judge"]["fingerprint"]
    assert last["judge"] == name
    assert OF_SAMPLES - {"class_divergence"} <= last.keys()
    assert {f"test/{figure}" for figure in OF_SAMPLES | {"class_agreement"}} <= folder.read_summary()["final"].keys()
    assert "validation/frechet_distance" in folder.read_summary()["best"]
    assert set(last) & (LOWER | HIGHER)


@pytest.mark.parametrize("model", ["model=vae model.hidden=[32] trainer.precision=float32", "model=kmeans"])
def test_a_judge_changes_no_weights(nnlab, classifier: RunFolder, model: str) -> None:
    """Nor what a model draws at its start."""
    run = ["train", *model.split(), "trainer.epochs=2", "trainer.show_every=never"]
    assert nnlab(*run, "outputs=alone")[0] == 0
    assert nnlab(*run, f"judge={classifier.path}")[0] == 0
    assert same_bits(weights(only_run("alone")), weights(only_run()))


def test_a_resumed_run_needs_the_judges_run_no_more(nnlab, classifier: RunFolder) -> None:
    vae = ["model=vae", "model.hidden=[32]", *SHORT]
    assert nnlab("train", *vae, f"judge={classifier.path}")[0] == 0
    folder = only_run()
    figures = folder.read_summary()["final"]
    shutil.rmtree(classifier.path)
    status, out, error = nnlab("evaluate", str(folder.path), "--checkpoint", "best")
    assert status == 0, error
    assert json.loads(out)["test/frechet_distance"] == pytest.approx(figures["test/frechet_distance"])
    assert nnlab("resume", str(folder.path), "trainer.epochs=3")[0] == 0


def test_the_judges_weights_are_stored_once_and_checkpoints_of_before_hold_them(nnlab, classifier: RunFolder) -> None:
    vae = ["model=vae", "model.hidden=[32]", *SHORT]
    assert nnlab("train", *vae, f"judge={classifier.path}")[0] == 0
    folder = only_run()
    states = {path: torch.load(path, weights_only=True) for path in folder.checkpoints.glob("*.pt")}
    assert not any("judge" in state["trainer"] for state in states.values())
    judge = torch.load(folder.path / "judge.pt", weights_only=True)["judge"]
    assert same_bits(judge, weights(classifier, "best"))
    expected = nnlab("evaluate", "last")[1]
    shutil.rmtree(classifier.path)
    (folder.path / "judge.pt").unlink()
    for path, state in states.items():
        state["trainer"]["judge"] = judge
        torch.save(state, path)
    assert nnlab("evaluate", "last") == (0, expected, "")


def test_a_resumed_run_is_judged_as_if_it_had_not_been_stopped(nnlab, classifier: RunFolder) -> None:
    """Bits that are drawn at each reading, and a noise: neither is drawn from what the samples are drawn from."""
    run = ["train", "model=vae", "model.hidden=[32]", *SHORT, "trainer.epochs=3", "noise=masking", "data.binarize=dynamic"]
    assert nnlab("train", "model=fcnn", "model.hidden=[32]", *SHORT, "data.binarize=dynamic", "outputs=own")[0] == 0
    judge = f"judge={only_run('own').path}"
    assert nnlab(*run, judge, "hydra.run.dir=whole")[0] == 0
    assert nnlab(*run, judge, "hydra.run.dir=longer", "trainer.keep_checkpoint_every=1 epoch")[0] == 0
    longer, whole = RunFolder(Path("longer")), RunFolder(Path("whole"))
    assert nnlab("resume", "longer", "--checkpoint", "step-000011")[0] == 0
    assert longer.metrics.read_bytes() == whole.metrics.read_bytes()


def test_any_run_can_be_judged_afterwards(nnlab, classifier: RunFolder) -> None:
    assert nnlab("train", "model=pca", "model.latent_dim=30", "trainer.show_every=never")[0] == 0
    status, out, error = nnlab("evaluate", "last", "--judge", str(classifier.path))
    assert status == 0, error
    figures = json.loads(out)
    assert figures["test/class_agreement"] > 0.8
    assert figures["judge"]
    assert "test/frechet_distance" not in figures, "it does not sample"


def test_auto_is_trained_once_and_kept_under_the_data_root(nnlab, monkeypatch) -> None:
    from nnlab.experiment import judging

    monkeypatch.setattr(judging, "LEAST_STEPS", 30)
    monkeypatch.setenv("NNLAB_DATA", "datasets")
    run = ["train", "model=vae", "model.hidden=[32]", *SHORT, "judge=auto"]
    status, out, error = nnlab(*run)
    assert status == 0, error
    told = out.index("a judge for Digits is trained, once for all runs")
    assert told < out.index("epoch  train loss") < out.index("the judge tells"), "its epochs are seen"
    assert out.count("parameters") == 1, "of the run alone"
    (folder,) = Path("datasets/judges").iterdir()
    trained = RunFolder(folder)
    assert trained.read_status()["status"] == "completed"
    assert "MaxPool" not in trained.config.read_text()
    status, out, _ = nnlab(*run, "data.limit=500", "outputs=other")
    assert status == 0
    assert "a judge for" not in out, "a part of the set has the whole set's judge"
    judges_named = {only_run(root).read_config()["judge"]["fingerprint"] for root in ("outputs", "other")}
    assert len(judges_named) == 1
    assert list(Path("datasets/judges").iterdir()) == [folder]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data.binarize=threshold"], "judge: RUN was trained on other data than Digits (data.binarize); give the run"),
        (["data=moons"], "judge: RUN was trained on other data than Moons"),
        (["data.classes=[1,2,3]"], "judge: RUN was trained on other data than Digits (data.classes)"),
        (["model=fcnn"], "judge: has no use, FCNN neither samples nor reconstructs; leave it out"),
        (["judge=outputs/nowhere"], "judge: outputs/nowhere: no such run folder"),
    ],
)
def test_who_may_not_judge(nnlab, classifier: RunFolder, overrides: list[str], expected: str) -> None:
    given = [] if any(override.startswith("judge") for override in overrides) else [f"judge={classifier.path}"]
    model = [] if any(override.startswith("model=") for override in overrides) else ["model=vae"]
    status, _, error = nnlab("train", *model, "model.hidden=[32]", *SHORT, *given, *overrides)
    assert status == 2
    assert error.startswith(f"nnlab: {expected.replace('RUN', str(classifier.path))}"), error
    assert not Path("outputs").exists()


def test_what_makes_other_examples_of_images_may_be_judged() -> None:
    problems = names.check(["model=dagan", "data=digits", "judge=auto"]).problems
    assert not [problem for problem in problems if problem.startswith("judge")]


def test_a_table_standardised_otherwise_has_the_same_judge(nnlab, monkeypatch) -> None:
    from nnlab.experiment import judging

    monkeypatch.setattr(judging, "LEAST_STEPS", 300)
    monkeypatch.setenv("NNLAB_DATA", "datasets")
    run = ["train", "model=ae", "model.hidden=[32]", "model.latent_dim=2", "data=iris", *SHORT, "judge=auto"]
    for seed in (0, 1):
        status, _, error = nnlab(*run, f"data.seed={seed}", f"outputs=seed{seed}")
        assert status == 0, error
        assert only_run(f"seed{seed}").read_summary()["final"]["test/judge_accuracy"] > 0.85
    assert len(list(Path("datasets/judges").iterdir())) == 1


def test_another_file_of_the_same_name_has_another_judge(nnlab, monkeypatch) -> None:
    import numpy as np

    from nnlab.experiment import judging

    monkeypatch.setattr(judging, "LEAST_STEPS", 10)
    own = ["data=npz", "data.root=.", "data.file=own.npz"]
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        np.savez("own.npz", x_train=rng.random((100, 8, 8)), y_train=np.arange(100) % 3)
        assert nnlab("train", "model=ae", "model.hidden=[8]", *own, *SHORT, "judge=auto", f"outputs=seed{seed}")[0] == 0
    assert len(list(Path("judges").iterdir())) == 2
    first = only_run("seed0").read_config()["judge"]["run"]
    status, _, error = nnlab("train", "model=ae", *own, *SHORT, f"judge={first}")
    assert status == 2
    assert "was trained on other data than own" in error


def test_the_judge_of_a_small_set_of_images_sees_them_shifted(nnlab, monkeypatch) -> None:
    """Twelve pixels are too few for a shift, and other sets are large enough as they are."""
    from nnlab.experiment import judging

    monkeypatch.setattr(judging, "LEAST_STEPS", 10)
    monkeypatch.setattr(judging, "LEAST_AUGMENTED", 20)
    monkeypatch.setenv("NNLAB_DATA", "datasets")
    for size, few, expected in ((28, 10_000, "Affine"), (28, 1, "NoAugmentation"), (12, 10_000, "NoAugmentation")):
        monkeypatch.setattr(judging, "FEW", few)
        run = ["train", "model=ae", "model.hidden=[4]", f"data.size={size}", *SHORT, "trainer.epochs=1", "judge=auto"]
        assert nnlab(*run, f"outputs=from{size}of{few}")[0] == 0
        known = RunFolder(Path(only_run(f"from{size}of{few}").read_config()["judge"]["run"])).read_config()
        assert known["augmentation"]["_target_"].endswith(expected)
        assert known["augmentation"].get("shift", 2) == 2
    assert len(list(Path("datasets/judges").iterdir())) == 3, "the recipe is a part of the judge's name"


def test_a_root_that_cannot_be_written_is_a_sentence(nnlab, monkeypatch) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("NNLAB_DATA", "file")
    status, _, error = nnlab("train", "model=vae", *SHORT, "judge=auto")
    assert status == 2
    assert error.startswith("nnlab: judge: "), error
    assert not Path("outputs").exists()


@pytest.mark.parametrize("model", ["vae", "ae"])
def test_the_epochs_of_a_run_show_a_distance_that_its_judge_measures(nnlab, classifier: RunFolder, model: str) -> None:
    """Of samples, or of reconstructions where a model makes no samples."""
    trainer = ["trainer.epochs=1", "trainer.show_every=never", "trainer.precision=float32"]
    assert nnlab("train", f"model={model}", "model.hidden=[8]", *trainer, f"judge={classifier.path}")[0] == 0
    (last,) = [r for r in only_run().read_metrics() if r["split"] == "validation"]
    experiment = built(f"model={model}", "model.hidden=[8]")
    judge = Judge(nn.Identity(), experiment.data.spec, "known")
    assert judge.headline(experiment.model) == [{"vae": "frechet_distance", "ae": "reconstruction_frechet"}[model]]
    assert set(judge.headline(experiment.model)) <= last.keys()


def test_a_run_that_tells_no_classes_apart_is_no_judge(nnlab) -> None:
    assert nnlab("train", "model=pca", "outputs=other", "trainer.show_every=never")[0] == 0
    run = only_run("other")
    status, _, error = nnlab("train", "model=vae", *SHORT, f"judge={run.path}")
    assert (status, error) == (2, f"nnlab: judge: {run.path} holds PCA, which cannot tell classes apart\n")


def test_a_set_without_labels_has_no_judge_of_its_own(nnlab) -> None:
    import numpy as np

    np.savez("own.npz", x_train=np.random.default_rng(0).random((50, 8, 8)))
    own = ["data=npz", "data.root=.", "data.file=own.npz"]
    status, _, error = nnlab("train", "model=vae", *own, *SHORT, "judge=auto")
    assert status == 2
    assert error == "nnlab: judge: own has no classes for a judge to learn; give judge=inception, or leave it out\n"
    assert not Path("judges").exists() or not list(Path("judges").iterdir())


def test_inception_sees_gray_and_colour_alike_and_says_so_without_weights(monkeypatch) -> None:
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False).eval()
    gray = DataSpec("gray", "image", (1, 8, 8))
    net = inception.Inception(gray, network).eval()
    x = torch.rand(3, 1, 8, 8)
    with torch.inference_mode():
        features = net.features(x)
        colour = inception.Inception(DataSpec("colour", "image", (3, 8, 8)), network).eval().features(x.expand(-1, 3, -1, -1))
    assert features.shape == (3, 2048)
    assert torch.equal(features, colour)
    monkeypatch.setattr("torchvision.models.inception_v3", lambda weights: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(BadInput, match="Inception's weights could not be downloaded"):
        inception.inception(gray)
    with pytest.raises(BadInput, match="iris is a table"):
        inception.inception(DataSpec("iris", "table", (4,)))
