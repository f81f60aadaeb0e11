"""Each recorded figure is explained, from the docstring of the code that makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import built, small
from omegaconf import OmegaConf

from nnlab.config import search
from nnlab.config.build import target
from nnlab.config.glossary import entries, glossary
from nnlab.model import Model

DOC = """A summary.

Figures:
loss      what is minimised,
          nats per image
a, b      two of one meaning
long_name_of_a_figure, another_name
          what stands on a line of its own

Something else, with  two spaces.
"""


def test_a_docstring_tells_of_its_figures() -> None:
    assert entries(DOC) == [
        (["loss"], "what is minimised, nats per image"),
        (["a", "b"], "two of one meaning"),
        (["long_name_of_a_figure", "another_name"], "what stands on a line of its own"),
    ]
    assert entries("No figures.") == []


def test_a_figure_is_explained_where_it_is_made(nnlab) -> None:
    status, out, error = nnlab("explain", "hole_psnr", "test/layer_1/loss")
    assert (status, error) == (0, "")
    assert out.startswith("hole_psnr\n  [metrics/reconstruction] PSNR of the values that the noise removed, dB")
    for family in ("ae", "vae", "rbm", "classifier"):
        assert f"[families/{family}]" in out.partition("\nloss\n")[2]
    assert max(map(len, out.splitlines())) <= 100


def test_without_a_name_all_are_explained(nnlab) -> None:
    status, out, _ = nnlab("explain")
    assert status == 0
    names = [line for line in out.splitlines() if not line.startswith(" ")]
    assert names == sorted(names) == list(glossary())
    assert len(names) > 90


def test_a_name_that_is_none_is_answered(nnlab) -> None:
    assert nnlab("explain", "psrn") == (2, "", "nnlab: psrn: no figure has this name; did you mean 'psnr'?\n")
    assert nnlab("explain", "\x1b[31m")[0] == 2


@pytest.mark.parametrize("name", list(glossary()))
def test_a_meaning_is_short_and_plain(name: str) -> None:
    for meaning in glossary()[name]:
        assert 10 < len(meaning.text) < 320
        assert "  " not in meaning.text
        assert "`" not in meaning.text
        assert not meaning.text.endswith(".")


def test_what_is_better_is_said_of_every_figure_that_has_a_better() -> None:
    """By the direction that the summary of a run keeps the best of."""
    from nnlab.evaluators import judge
    from nnlab.families.em.trainer import MixtureTrainer
    from nnlab.families.rbm.trainer import RBMTrainer
    from nnlab.families.vae.trainer import VAETrainer
    from nnlab.metrics import reconstruction

    told = glossary()
    higher = {*judge.HIGHER, *reconstruction.HIGHER, *MixtureTrainer.higher, *RBMTrainer.higher, *VAETrainer.higher}
    for name in higher:
        assert not any("ower is better" in meaning.text for meaning in told[name]), name
    for name in judge.LOWER:
        assert any("ower is better" in meaning.text for meaning in told[name]), name


def test_a_models_own_metrics_are_explained_with_unit_and_direction() -> None:
    """The record of a metric has neither, so its explanation must."""
    classes = {name: target(OmegaConf.load(path)["_target_"], "model") for name, path in search.options("model").items()}
    own = [name for name, cls in classes.items() if cls.metrics is not Model.metrics]
    assert own
    for metric in [metric for name in own for metric in built(*small(name)).model.metrics()]:
        for name, direction in metric.directions.items():
            said = " ".join(meaning.text for meaning in glossary()[name])
            assert metric.unit in said
            assert direction is None or f"{direction} is better" in said


def test_the_figures_of_plug_ins_are_explained_too(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "myfigures").mkdir()
    (own_folder / "myfigures" / "pairs.py").write_text('"""Pairs.\n\nFigures:\nl1  mean absolute error; lower is better\n"""\n')
    monkeypatch.syspath_prepend(own_folder)
    monkeypatch.setenv("NNLAB_PLUGINS", "myfigures, absent")
    glossary.cache_clear()
    status, out, error = nnlab("explain", "l1", "nothing_like_it")
    glossary.cache_clear()
    assert status == 2
    assert "mean absolute error; lower is better" in out
    assert "nothing_like_it: no figure has this name" in error
