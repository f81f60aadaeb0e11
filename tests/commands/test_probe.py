"""nnlab probe: the same labels for every encoder, the figures that it leaves, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small

from nnlab.experiment import fine_tuning
from nnlab.experiment.loading import open_run
from nnlab.families.ae.pca import PCA
from nnlab.metrics import probe
from nnlab.plotting import label_efficiency

LINE = re.compile(r"^(.*?\(\d+\)) +(.*)$", re.MULTILINE)


@pytest.fixture
def trained(train_once):
    def run(*overrides: str, model: str = "pca") -> None:
        train_once(*small(model), "trainer.show_every=never", *overrides)

    return run


def figures() -> dict:
    return json.loads((only_run().path / "probe.json").read_text(encoding="utf-8"))


def test_the_table_the_file_and_the_chart_agree(nnlab, trained) -> None:
    trained("model.latent_dim=16")
    status, out, error = nnlab("probe", "last", "--labels", "100,10,all", "--seeds", "3")
    assert (status, error) == (0, "")
    assert out.splitlines()[0].split()[-3:] == ["10", "100", "all"]
    table, told = dict(LINE.findall(out)), figures()
    assert list(table) == list(told["encoders"]) == ["codes of PCA (16)", "raw pixels (64)", "PCA (16)"]
    assert (told["n_train"], told["n_test"], told["seeds"], told["C"]) == (1295, 359, 3, 1.0)
    for name, of in told["encoders"].items():
        assert [each["labels"] for each in of.values()] == [10, 100, 1295]
        assert [len(each["accuracies"]) for each in of.values()] == [3, 3, 1], "all labels are the same at every draw"
        assert of["all"]["std"] is None
        assert of["100"]["accuracy"] == pytest.approx(np.mean(of["100"]["accuracies"]))
        assert of["100"]["std"] == pytest.approx(np.std(of["100"]["accuracies"], ddof=1))
        assert f"{100 * of['100']['accuracy']:.1f} ± {100 * of['100']['std']:.1f}" in table[name]
        assert table[name].endswith(f" {100 * of['all']['accuracy']:.1f}")
        assert of["10"]["accuracy"] < of["100"]["accuracy"] < of["all"]["accuracy"]
    assert (only_run().images / "probe.png").exists()


def test_every_encoder_sees_the_same_labels(nnlab, trained) -> None:
    trained("model.latent_dim=8")
    assert nnlab("probe", "last", "--labels", "10,50,all")[0] == 0
    codes, _, rival = figures()["encoders"].values()
    for count in ("10", "50", "all"):  # the rival is the same solution of the same examples, found again
        assert codes[count]["accuracies"] == pytest.approx(rival[count]["accuracies"], abs=0.006)


def test_it_repeats_its_figures(nnlab, trained) -> None:
    trained()
    first, again = (nnlab("probe", "last", "--labels", "20", "--seeds", "2")[1] for _ in range(2))
    assert first == again


def test_by_default_it_takes_as_many_as_there_are(nnlab, trained) -> None:
    trained("data.limit=200")
    assert nnlab("probe", "last", "--seeds", "1")[0] == 0
    told = figures()["encoders"]["raw pixels (64)"]
    assert list(told) == ["10", "100", "all"]
    assert told["all"]["labels"] == 180


def test_of_a_narrow_table_there_are_no_more_components_than_columns(nnlab, trained) -> None:
    trained("data=moons", "model.clusters=10", model="kmeans")
    assert nnlab("probe", "last", "--labels", "20,all", "--seeds", "2")[0] == 0
    told = figures()["encoders"]
    assert list(told) == ["codes of KMeans (10)", "raw columns (2)", "PCA (2)"]
    assert told["codes of KMeans (10)"]["all"]["accuracy"] > told["raw columns (2)"]["all"]["accuracy"] + 0.05, (
        "no straight line parts the moons, distances to ten centres do"
    )


def test_a_fit_that_was_cut_short_is_told(nnlab, trained, monkeypatch) -> None:
    trained()
    assert "converged" not in nnlab("probe", "last", "--labels", "20", "--seeds", "2")[1]
    monkeypatch.setattr(probe, "MOST_STEPS", 1)
    status, out, error = nnlab("probe", "last", "--labels", "20", "--seeds", "2")
    assert (status, error) == (0, "")
    assert (
        "did not converge, and the accuracy may be too low: codes of PCA (4) by 20, raw pixels (64) by 20, PCA (4) by 20" in out
    )
    assert figures()["encoders"]["PCA (4)"]["20"]["converged"] is False


def test_numbers_of_labels_that_cannot_be_are_refused(nnlab, trained) -> None:
    trained()
    for labels, expected in {
        "9,100": "nnlab: --labels 9: Digits has 10 classes, and each needs at least one label\n",
        "10,1296": "nnlab: --labels 1296: there are only 1295 training examples; all uses all of them\n",
    }.items():
        assert nnlab("probe", "last", "--labels", labels)[::2] == (2, expected)
    for labels, expected in {
        "ten": "expected numbers of labels such as 10,100,all, got 'ten'",
        "10,": "expected numbers of labels such as 10,100,all, got '10,'",
        "0": "expected a whole number ≥ 1, got 0",
    }.items():
        status, _, error = nnlab("probe", "last", "--labels", labels)
        assert (status, expected in error) == (2, True), error
    assert not (only_run().path / "probe.json").exists()


def test_data_without_labels_are_refused(nnlab, trained) -> None:
    np.savez("own.npz", x_train=np.random.default_rng(0).random((40, 8, 8)))
    trained("data=npz", "data.root=.", "data.file=own.npz")
    assert nnlab("probe", "last")[::2] == (2, "nnlab: probe: own has no labels to learn from\n")


def test_a_single_class_is_refused(nnlab, trained) -> None:
    trained("data.classes=[4]")
    status, _, error = nnlab("probe", "last")
    assert (status, "all of one class" in error) == (2, True)


def test_classes_that_training_has_not_seen_are_refused(nnlab, trained) -> None:
    trained("data.imbalance={3: 0}")
    status, _, error = nnlab("probe", "last")
    assert status == 2
    assert "1 of the 10 classes of the test examples of Digits have no training example" in error
    assert "nnlab retrieve" in error
    assert "recall_at_1" in error


def test_a_model_that_cannot_encode_is_refused(nnlab, trained, monkeypatch) -> None:
    trained()
    monkeypatch.delattr(PCA, "encode")
    status, _, error = nnlab("probe", "last")
    assert status == 2
    assert error.startswith("nnlab: probe: PCA cannot encode; models that can: aae, ae, ")


def test_several_runs_stand_in_one_table_with_the_same_labels(nnlab, train_once) -> None:
    for name, dim in (("few", 4), ("many", 8)):
        train_once(*small("pca"), f"model.latent_dim={dim}", "trainer.show_every=never", f"hydra.run.dir={name}")
    assert nnlab("probe", "few", "many", "--labels", "20", "--seeds", "2", "-o", "both.png")[0] == 0
    told = json.loads(Path("both.json").read_text(encoding="utf-8"))
    assert list(told["encoders"]) == ["codes of PCA (4)", "codes of PCA (8)", "raw pixels (64)", "PCA (8)"]
    assert len(told["runs"]) == 2
    assert Path("both.png").exists()
    for name in ("few", "many"):
        assert nnlab("probe", name, "--labels", "20", "--seeds", "2")[0] == 0
        alone = json.loads((Path(name) / "probe.json").read_text(encoding="utf-8"))["encoders"]
        own = next(iter(alone))
        assert alone[own]["20"]["accuracies"] == told["encoders"][own]["20"]["accuracies"]


def test_runs_that_are_alike_are_called_by_their_folders(nnlab, train_once) -> None:
    for name in ("one", "two"):
        train_once(*small("pca"), "trainer.show_every=never", f"hydra.run.dir={name}")
    train_once(*small("pca"), "model.latent_dim=3", "trainer.show_every=never", "hydra.run.dir=of/two")
    assert nnlab("probe", "one", "two", "of/two", "--labels", "20", "--seeds", "1", "-o", "all.png")[0] == 0
    names = list(json.loads(Path("all.json").read_text(encoding="utf-8"))["encoders"])[:3]
    assert names == ["codes of PCA (4), one", "codes of PCA (4), two", "codes of PCA (3)"]


def test_runs_of_other_data_are_not_compared(nnlab, train_once) -> None:
    train_once(*small("pca"), "trainer.show_every=never", "hydra.run.dir=one")
    train_once(*small("pca"), "data.seed=7", "trainer.show_every=never", "hydra.run.dir=two")
    status, _, error = nnlab("probe", "one", "two", "-o", "both.png")
    assert status == 2
    assert "probe: two has other examples, or others in its splits, than one" in error
    status, _, error = nnlab("probe", "one", "one")
    assert status == 2
    assert "probe: for several runs give a file for the picture: -o labels.png" in error
    status, _, error = nnlab("probe", "one", "./one", "-o", "both.png")
    assert (status, "one is given twice; give each run once" in error) == (2, True), error


def test_runs_that_see_the_same_examples_as_other_values_are_not_compared(nnlab, train_once) -> None:
    train_once(*small("pca"), "trainer.show_every=never", "hydra.run.dir=gray")
    train_once(*small("pca"), "data.binarize=threshold", "trainer.show_every=never", "hydra.run.dir=bits")
    status, _, error = nnlab("probe", "gray", "bits", "-o", "both.png")
    assert (status, "probe: bits sees its examples as other values than gray" in error) == (2, True), error


def test_a_number_of_draws_without_anything_to_draw_is_refused(nnlab, trained) -> None:
    trained()
    status, _, error = nnlab("probe", "last", "--labels", "all", "--seeds", "3")
    assert (status, "--seeds: nothing is drawn where all examples are labelled" in error) == (2, True), error


def test_each_row_of_the_table_is_a_curve_of_the_chart(nnlab, trained, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    chart = label_efficiency.probe_chart
    monkeypatch.setattr(label_efficiency, "probe_chart", lambda found, name: (drawn.append(found), chart(found, name))[1])
    trained("model.latent_dim=16")
    assert nnlab("probe", "last", "--labels", "10,all", "--seeds", "2")[0] == 0
    (found,) = drawn
    assert list(found) == ["codes of PCA (16)", "raw pixels (64)", "PCA (16)"]
    for of, told in zip(found.values(), figures()["encoders"].values(), strict=True):
        assert [(n, mean) for n, mean, _ in of] == [(each["labels"], each["accuracy"]) for each in told.values()]


def test_fine_tuning_trains_a_copy_of_the_encoder_with_the_same_labels(nnlab, trained) -> None:
    trained("trainer.epochs=20", "model.hidden=[64]", "model.latent_dim=8", model="ae")
    before = Path(only_run().checkpoints / "last.pt").read_bytes()
    status, out, error = nnlab("probe", "last", "--labels", "50,all", "--seeds", "2", "--fine-tune", "800")
    assert (status, error) == (0, "")
    told = figures()["encoders"]
    assert list(told)[-2:] == ["AE (8), fine-tuned", "AE (8), random start"]
    for name in list(told)[-2:]:
        assert name in out
        assert [len(of["accuracies"]) for of in told[name].values()] == [2, 1]
        assert told[name]["50"]["accuracy"] < told[name]["all"]["accuracy"]
    assert ["converged" in of["50"] for of in told.values()] == [True, True, True, False, False]
    assert "converge" not in out
    codes, _, _, tuned, random = (of["all"]["accuracy"] for of in told.values())
    assert tuned > codes, "the layers before the eight coordinates learn too"
    assert tuned != random
    assert Path(only_run().checkpoints / "last.pt").read_bytes() == before


def test_fine_tuning_standardises_codes_by_all_training_images(trained, monkeypatch) -> None:
    trained("model.latent_dim=3", "trainer.steps=2", model="ae")
    run, made, assemble = open_run("last"), [], fine_tuning.assemble
    monkeypatch.setattr(fine_tuning, "assemble", lambda *parts: (made.append(assemble(*parts)), made[-1])[1])
    fine_tuning.fine_tuned(run, run.data, {10: [torch.arange(10)]}, updates=1)
    (experiment,) = made
    with torch.no_grad():
        codes = run.model.encode(run.data.train.values(run.data.train.rows))
    assert len(experiment.data.train) == 10
    assert torch.allclose(experiment.model.body[0].mean, codes.mean(0), atol=1e-5)
    assert torch.allclose(experiment.model.body[0].std, codes.std(0, correction=0), rtol=1e-4)


def test_a_fine_tuning_that_diverges_is_no_result(nnlab, trained, monkeypatch) -> None:
    trained("trainer.steps=2", model="ae")
    compose = fine_tuning.compose_config
    monkeypatch.setattr(fine_tuning, "compose_config", lambda typed: compose([*typed, "optimizer.lr=1e30"]))
    status, _, error = nnlab("probe", "last", "--labels", "20", "--seeds", "1", "--fine-tune", "5")
    assert status == 2
    assert f"--fine-tune: {only_run().path} with 20 labels, seed 0 and earlier weights diverged" in error
    assert "with a smaller optimizer.lr than 1e+30" in error
    assert not (only_run().path / "probe.json").exists()


def test_encoders_without_gradients_are_not_fine_tuned(nnlab, trained, train_once) -> None:
    trained()
    status, _, error = nnlab("probe", "last", "--fine-tune", "10")
    assert (status, error) == (2, "nnlab: --fine-tune: PCA has no weights that learn by gradient; leave it out\n")
    train_once(*small("ae"), "trainer.show_every=never", "hydra.run.dir=own")
    pca = str(only_run().path)
    assert nnlab("probe", pca, "own", "--labels", "20", "--seeds", "1", "--fine-tune", "10", "-o", "both.png")[0] == 0
    told = json.loads(Path("both.json").read_text(encoding="utf-8"))["encoders"]
    assert [name for name in told if "start" in name] == ["AE (4), random start"]
