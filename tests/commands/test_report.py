"""nnlab report: one page that says what the runs' folders say, and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from conftest import only_run
from reports import VALUES, Page, film, made, png, records, sweep

from nnlab.reporting.words import WORDS

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)></script>"
TAME = "a/word or/two"  # as many slashes
FETCHING = {"link", "iframe", "object", "embed", "video", "audio", "source", "base", "form", "image", "use"}


@pytest.fixture
def report(nnlab):
    """Make a report and take it apart again."""

    def run(*words: str) -> Page:
        status, out, error = nnlab("report", *words)
        assert (status, error) == (0, ""), error
        return Page(Path(out.strip()).read_text(encoding="utf-8"))

    return run


def cells(html: str, name: str) -> list[str]:
    """The texts of the row of a table that begins with a name."""
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", html) if re.match(rf'<th scope="row">{re.escape(name)}</th>', row))
    return re.findall(r"<td>(.*?)</td>", row)


def test_a_real_run_is_reported_whole(train_once, report) -> None:
    train_once("model=vae", "model.hidden=[8]", "model.latent_dim=2", "data.limit=60", "trainer.epochs=2", "seed=5")
    run = only_run()
    page = report("last")
    html = (run.path / "report.html").read_text(encoding="utf-8")
    for name, value in run.read_test_figures().items():
        assert cells(html, name)[0] == f"{value:.5g}", name
    assert "KL(q(z|x) ‖ p(z)), nats per example: the information in the code about the image" in page.text
    status = run.read_status()
    assert status["command"] in page.text
    assert all(f"{name} {version}" in page.text for name, version in status["versions"].items())
    assert run.config.read_text(encoding="utf-8").strip() in page.text
    shown = [base64.b64decode(given["src"].partition("base64,")[2]) for given in page.all("img")]
    assert shown == [path.read_bytes() for path in sorted(run.images.glob("*.png")) if path.stem != "curves"]
    losses = next(curve for curve in page.curves()[0] if curve["key"] == 1)
    recorded = [r["loss"] for r in run.read_metrics() if r["split"] == "validation"]
    assert losses["value"] == pytest.approx(recorded, rel=1e-6)


def test_what_was_run_is_told(report, own_folder: Path) -> None:
    made("run")
    page = report("run", "--title", "Lab 3")
    assert page.texts.count("Lab 3") == 2, "above the page, and as the name of its tab"
    told = [
        "2027-01-15 ",
        "1:02:05",
        "1,234,567",
        "2,346",
        "cpu, float32, threads: 2",
        "1234abcd",
        "a first look",
        "torch 2.9.0",
    ]
    told += ["torch 2.9.0", "nnlab train model=beta_vae model.beta=4.0", "n 360, estimator 1 z per image, checkpoint best"]
    assert [fact for fact in told if fact not in page.text] == []
    assert "not complete" not in page.text


def test_the_page_asks_no_other_host(report, own_folder: Path) -> None:
    folder = made("run", note="https://example.com/note")
    (folder.images / "history.gif").write_bytes(film(kind="GIF"))
    page = report("run")
    assert not FETCHING & {tag for tag, _ in page.elements}
    addresses = [given[key] for _, given in page.elements for key in given.keys() & {"src", "href", "data", "srcset"}]
    assert len(addresses) == 2
    assert all(re.match(r"data:image/(png|gif);base64,[A-Za-z0-9+/=]+$", address) for address in addresses)
    assert "url(" not in page.style
    assert "@import" not in page.style
    (script,) = [content for kind, content in page.scripts if kind is None]
    assert not re.search(r"https?:|fetch|XMLHttp|WebSocket|import\b|eval|innerHTML|outerHTML|document\.write", script)
    policy = page.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{own}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def spoilt(path: str, text: str) -> None:
    """A failed run with a text in every place that holds one."""
    status = {"status": "failed"} | dict.fromkeys(("reason", "model", "data", "command", "device", "precision", "note"), text)
    status |= {"versions": {text: text}, "git": {"commit": text}, "choices": {"experiment": text}, "tags": [text]}
    status["best"] = {f"validation/{text}": 1}
    folder = made(path, node={"beta": text, text: 1}, final={f"test/{text}": 1.5}, **status)
    lines = [record | {text: 1.0 + i} for i, record in enumerate(records()[:-1])]
    lines.append(records()[-1] | {"estimator": text, f"{text}_by": text})
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    name = text.replace("/", "_")
    (folder.images / f"{name}.png").write_bytes(png())
    (folder.images / f"{name}.json").write_text(json.dumps({text: 2.5}))
    (folder.path / ".hydra").mkdir()
    (folder.path / ".hydra" / "overrides.yaml").write_text(json.dumps([text, f"path={path}"]))


def test_a_strangers_run_runs_no_script(report, own_folder: Path) -> None:
    for name, text in (("evil", EVIL), ("tame", TAME)):
        spoilt(f"{name}/a", text)
        spoilt(f"{name}/b", text)
    for more in (["a"], ["a", "b"]):
        evil, tame = (
            report(*(f"{name}/{run}" for run in more), "-o", f"{name}.html", "--title", text)
            for name, text in (("evil", EVIL), ("tame", TAME))
        )
        assert [tag for tag, _ in evil.elements] == [tag for tag, _ in tame.elements]
        assert [given.keys() for _, given in evil.elements] == [given.keys() for _, given in tame.elements]
        assert [kind for kind, _ in evil.scripts] == [kind for kind, _ in tame.scripts]
        assert evil.scripts[-1] == tame.scripts[-1], "the page's own script, which the policy names by its hash"
        assert all(given["src"].startswith("data:image/") for given in evil.all("img"))
        assert evil.text.count(EVIL) > 20, "a reader sees what was written"


def test_several_runs_stand_side_by_side(report, own_folder: Path) -> None:
    sweep("sweep", [1.0, 4.0], planned=3)
    page = report("sweep")
    html = Path("sweep/report.html").read_text(encoding="utf-8")
    assert page.texts.count("2 runs: beta_vae on digits") == 2
    assert cells(html, "loss") == ["<b>258.75</b>", "288.75"], "the best is bold"
    assert cells(html, "psnr") == ["<b>13.5</b>", "10.5"]
    assert cells(html.split("What differs")[1], "2. model.beta=4.0") == ["4.0"]
    assert "model=beta_vae model.beta=2" in page.text, "a job that has not begun"
    assert "not begun" in page.text
    assert "Best run: \n1. model.beta=1.0" in page.text
    assert "nnlab train -m model=beta_vae model.beta=1,4 \"note='a b'\"" in page.text
    assert [len(chart) for chart in page.curves()] == [2] * 4
    assert page.curves()[0][1]["value"] == [value + 40 for value in VALUES]
    assert len(page.all("img")) == 2
    shared = page.text.index("In all runs")
    assert shared < page.text.index("a first look") < page.text.index("\nRuns\n"), "said once"


def test_many_runs_are_rows(report, own_folder: Path) -> None:
    sweep("sweep", [float(i) for i in range(1, 9)])
    page = report("sweep")
    html = Path("sweep/report.html").read_text(encoding="utf-8")
    assert cells(html.split("<h3>test</h3>")[1], "2. model.beta=2.0") == ["268.75", "12.5"]
    assert cells(html.split("<h3>test</h3>")[1], "1. model.beta=1.0") == ["<b>258.75</b>", "<b>13.5</b>"]
    assert len(page.all("button")) == 8


def test_runs_of_different_models_have_no_best(report, own_folder: Path) -> None:
    made("a")
    folder = made("c")
    config = json.loads(folder.config.read_text())
    config["model"] = {"_target_": "nnlab.families.classifier.cnn.CNN"}
    folder.config.write_text(json.dumps(config))
    folder.status.write_text(json.dumps(json.loads(folder.status.read_text()) | {"model": "cnn"}))
    page = report("a", "c", "-o", "both.html")
    assert not re.search(r"<td><b>", Path("both.html").read_text(encoding="utf-8"))
    assert "no best value is marked" in page.text
    assert "beta_vae: the training loss, nats per example" in page.text
    assert "cnn: cross-entropy" in page.text


def test_a_run_and_a_sweep_that_share_a_run_have_it_once(report, own_folder: Path) -> None:
    sweep("sweep", [1.0, 4.0])
    page = report("sweep", "sweep/1/../0", "sweep", "-o", "all.html")
    assert len(page.all("img")) == 2


@pytest.mark.parametrize("state", ["failed", "diverged", "interrupted", "running", "killed"])
def test_a_run_that_did_not_end_says_why(report, own_folder: Path, state: str) -> None:
    folder = made("run", status=state, reason="loss is not finite")
    folder.summary.unlink()
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records()[:-1]))
    page = report("run")
    assert "This run is not complete" in page.text
    assert ("killed" if state == "running" else state) + ": loss is not finite" in page.text
    html = Path("run/report.html").read_text(encoding="utf-8")
    assert cells(html, "loss")[:2] == ["251.5", "244.5"], "the newest of validation and training"
    assert "These are the newest recorded figures." in page.text
    assert not re.search('<th scope="row">n</th>', html)


def test_a_run_without_figures_says_so(report, own_folder: Path) -> None:
    folder = made("run", status="failed", reason="no memory")
    for path in (folder.summary, folder.metrics, *folder.images.iterdir()):
        path.unlink()
    folder.images.rmdir()
    page = report("run")
    assert "No figures have been recorded yet." in page.text
    assert "so there are no curves" in page.text
    assert "Pictures" not in page.texts


def test_a_run_of_an_older_layout_is_reported_under_todays_names(report, own_folder: Path) -> None:
    folder = made("run")
    folder.config.write_text("seed: 0\nmodel:\n  _target_: nnlab.families.gan.bagan.BAGAN\n  start: ae\ndata:\n  few: 100\n")
    folder.status.write_text(json.dumps({"status": "completed", "model": "bagan"}))
    folder.summary.write_text(json.dumps({"final": {"test/least_class_share": 0.25}}))
    old = [{"step": i, "epoch": i, "split": "validation", "least_class_share": i / 10} for i in (1, 2)]
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in old))
    made("new")
    page = report("run", "new", "-o", "both.html")
    html = Path("both.html").read_text(encoding="utf-8")
    assert cells(html, "min_class_share") == ["0.25", ""]
    assert cells(html, "data.train_size") == ["100", "—"]
    assert "bagan on ?" in page.text
    folder.status.unlink()
    assert "unknown" in report("run").text


def test_the_pages_own_words_are_russian(report, own_folder: Path) -> None:
    sweep("sweep", [1.0, 4.0], planned=3)
    made("mine", status="failed", reason="x")
    (Path("mine") / "images" / "traversal.png").write_bytes(png())
    for words in (["mine"], ["sweep", "mine", "-o", "all.html"]):
        page = report(*words, "--lang", "ru")
        assert page.all("html")[0]["lang"] == "ru"
        seen = {line.strip(": ") for line in page.texts}
        english = {said for said in WORDS["en"].values() if "{" not in said}
        assert seen & english == set()
        assert {WORDS["ru"][key] for key in ("figures", "curves", "pictures", "configs", "reproduce")} <= seen
        said = json.loads(page.scripts[-2][1])
        assert said == {key: WORDS["ru"][key] for key in ("epoch", "step", "log")}
    assert "Строка на скрытую координату" in page.text


def test_where_the_page_lies(nnlab, own_folder: Path) -> None:
    sweep("sweep", [1.0, 4.0])
    assert nnlab("report", "sweep")[1] == "sweep/report.html\n"
    assert nnlab("report", "sweep/0")[1] == "sweep/0/report.html\n"
    assert nnlab("report", "sweep/0", "-o", "new/folder/a.htm")[1] == "new/folder/a.htm\n", (
        "as the other verbs, it makes folders"
    )
    assert nnlab("rm", "sweep", "--yes")[0] == 0, "the report is a part of the sweep"


def test_an_own_page_is_replaced_and_no_other(nnlab, own_folder: Path) -> None:
    made("run")
    assert nnlab("report", "run", "-o", "a.html")[0] == 0
    first = Path("a.html").read_bytes()
    assert nnlab("report", "run", "-o", "a.html", "--title", "again")[0] == 0
    assert Path("a.html").read_bytes() != first
    Path("mine.html").write_text("<h1>My page</h1>")
    Path("empty.html").touch()
    os.mkfifo("pipe.html")
    Path("link.html").symlink_to("a.html")
    for name in ("mine.html", "empty.html", "pipe.html", "link.html"):
        status, _, error = nnlab("report", "run", "-o", name)
        assert (status, error.count("\n")) == (2, 1)
        assert name in error
    assert Path("mine.html").read_text() == "<h1>My page</h1>"
    assert sorted(os.listdir()) == ["a.html", "empty.html", "link.html", "mine.html", "pipe.html", "run"]


def test_a_page_that_fails_leaves_the_old_one(nnlab, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("run")
    nnlab("report", "run")
    before = Path("run/report.html").read_bytes()

    def full(*anything) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    status, _, error = nnlab("report", "run", "--title", "new")
    assert (status, "the disk is full" in error) == (2, True)
    assert Path("run/report.html").read_bytes() == before
    assert not [name for name in os.listdir("run") if name.endswith(".tmp")]


def test_what_is_neither_a_run_nor_a_sweep(nnlab, own_folder: Path) -> None:
    Path("folder/sub").mkdir(parents=True)
    status, _, error = nnlab("report", "folder")
    assert (status, "neither a run (it has no config.yaml) nor a sweep" in error) == (2, True)
    Path("folder/sweep.json").write_text('{"jobs": [["model=vae"]]}')
    status, _, error = nnlab("report", "folder")
    assert (status, "none of its runs has begun" in error) == (2, True)
    made("run").config.write_text("model: [")
    status, _, error = nnlab("report", "run", "-o", "a.html")
    assert (status, error.count("\n"), "run/config.yaml" in error) == (2, 1, True)
    assert not Path("a.html").exists()
