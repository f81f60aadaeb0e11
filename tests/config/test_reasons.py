"""The reasons beside the values: every value that can be set has one, and nnlab train --help shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

import pytest

from nnlab.commands.train_help import GROUPS
from nnlab.config import composition, names, search
from nnlab.config.reasons import comments, reasons

CHOICES = {group: [f"{group}={name}" for name in search.options(group)] for group in GROUPS}
RECIPES = [[line] for line in CHOICES.pop("experiment")]
BODIES = [["model=distillation", line] for line in CHOICES.pop("model/body")]  # of a model that has one
# one of each group together, so that as few configs as the largest group has choices show all of them
TOGETHER = [[line for line in lines if line] for lines in zip_longest(*CHOICES.values())]


def places(node: Mapping, place: str = "") -> Iterator[str]:
    for key, value in node.items():
        if key not in names.HIDDEN:
            yield from places(value, f"{place}{key}.") if isinstance(value, Mapping) else [place + key]


@pytest.mark.parametrize("choices", [*TOGETHER, *BODIES, *RECIPES], ids=" ".join)
def test_every_value_has_a_reason(choices: list[str]) -> None:
    beside = reasons(choices).beside
    assert [place for place in places(composition.to_dict(composition.compose_config(choices))) if not beside.get(place)] == []


def test_a_comment_belongs_to_the_key_on_its_line() -> None:
    yaml = (
        "# head\nplain: 1\nfirst: 2   # a reason,\n           # which goes on\n  # not this\n"
        'node:\n  inner: "5 # no"  # said\nlast: [1, 2] # end\n'
    )
    assert comments(yaml) == {"plain": "", "first": "a reason, which goes on", "node": "", "node.inner": "said", "last": "end"}


def test_the_later_of_two_files_says_it() -> None:
    assert reasons(["model=ae"]).beside["trainer.batch_size"] == "examples per update"
    found = reasons(["model=rbm"])
    assert (
        found.beside["trainer.batch_size"] == "examples per update: the mean over them lowers the noise of the sampled gradient"
    )
    chosen = {"data": "digits", "optimizer": "sgd_linear", "trainer": "contrastive", "recorder": "tensorboard", "model": "rbm"}
    assert {group: path.stem for group, path in found.chosen.items()} == chosen


def test_the_page_shows_values_and_reasons(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    status, out, error = nnlab("train", "model=rbm", "trainer.k=3", "--help")
    assert (status, error) == (0, "")
    reason = "Gibbs steps per update; with more, the gradient is closer to that of the likelihood"
    assert f"  trainer.k=3                     {reason}\n" in out
    assert "model=rbm: Restricted Boltzmann machine" in out
    assert "_target_" not in out
    assert max(map(len, out.splitlines())) <= 120
    assert not Path("outputs").exists()
    own = own_folder / "conf" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "# nnlab train model=mine\n# My own.\ndefaults:\n  - ae\n  - _self_\nlatent_dim: 3  # mine alone\n"
    )
    status, out, error = nnlab("train", "-cd", "conf", "model=mine", "--help")
    assert (status, error) == (0, "")
    assert "model=mine: My own." in out
    assert "  model.latent_dim=3              mine alone\n" in out
    assert "unknown" in nnlab("train", "model.nope=1", "--help")[2]
