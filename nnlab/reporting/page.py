"""The page of a report: its sections, one after another. No torch.

The page asks no other host for anything, and its Content-Security-Policy forbids it to. The same policy lets the page's own
script run, by its hash, and no other: what a stranger wrote into a run folder stays a text.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from importlib.resources import files

from nnlab.reporting import charts, pictures
from nnlab.reporting.facts import Run, apart, described, facts, label
from nnlab.reporting.figures import differing, figures, ranked
from nnlab.reporting.markup import Markup, data, element, joined, listed, section, table, verbatim
from nnlab.reporting.words import Words
from nnlab.runs.find import as_typed
from nnlab.runs.shell import retyped
from nnlab.runs.sweep import measure, worst_to_best
from nnlab.runs.table import figure, number
from nnlab.runs.table import figures as told

MARK = "nnlab report"  # by which a page is known as one of nnlab's
IN_TABLE = ("status", "best")  # facts that the table of runs always has


def page(runs: Sequence[Run], words: Words, title: str = "", commands: Sequence[str] = (), waiting: Sequence[str] = ()) -> str:
    """The page of one run or of several, as HTML.

    title     above the page; by default what was run
    commands  of the sweeps that the runs belong to
    waiting   jobs of these sweeps that have not begun, each as it was typed
    """
    title = title or heading(runs, words)
    body = joined(
        element("h1", title),
        overview(runs, words, waiting),
        figures(runs, words),
        differing(runs, words),
        curves(runs, words),
        gallery(runs, words),
        configs(runs, words),
        reproduction(runs, words, commands),
        element("footer", words("made", version=version("nnlab"), when=time.strftime("%Y-%m-%d %H:%M"))),
    )
    style, script = (files("nnlab.reporting").joinpath(name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{own}'; base-uri 'none'"
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=f"{policy}; form-action 'none'"),
        element("meta", name="generator", content=MARK),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(style)),
        by="\n",
    )
    said = {key: words[key] for key in ("epoch", "step", "log")}
    end = joined(data(said, id="words"), element("script", Markup(script)))
    return f"<!DOCTYPE html>\n{element('html', element('head', head), element('body', body, end), lang=words.language)}\n"


def heading(runs: Sequence[Run], words: Words) -> str:
    """What was run, in a line."""
    what = list(dict.fromkeys(run.title(words) for run in runs))
    named = ", ".join([*what[:3], *(["…"] if len(what) > 3 else [])])
    return named if len(runs) == 1 else words("several", n=len(runs), what=named)


def overview(runs: Sequence[Run], words: Words, waiting: Sequence[str]) -> Markup:
    """What was run, when and with what; of several runs what they share, and a table of the rest."""
    known = [facts(run, words) for run in runs]
    if len(runs) == 1:
        its = described(runs[0], known[0])
        return section(words["what_was_run"], trouble(runs, words), listed({words[key]: fact for key, fact in its.items()}))
    parents = {as_typed(run.folder.path).parent for run in runs}
    monitored = {name for run in runs for name in run.status.get("best", {})}
    for run, its in zip(runs, known, strict=True):
        its["best"] = figure(run.status) if len(monitored) > 1 else "".join(map(number, run.status.get("best", {}).values()))
        if len(parents) == 1:
            its["folder"] = run.folder.path.name
    alike, others = apart(known)
    alike = described(runs[0], alike)
    columns = [*IN_TABLE, *(name for name in others if name not in IN_TABLE)]
    heads = {name: words[name] for name in columns} | ({"best": str(*monitored)} if len(monitored) == 1 else {})
    rows = [[label(i, run), *(known[i].get(name, "") for name in columns)] for i, run in enumerate(runs)]
    rows += [[job, words["not_begun"], *("" for _ in columns[1:])] for job in waiting]
    shared = {words[name]: fact for name, fact in alike.items() if name not in columns and fact}
    if len(parents) == 1:
        shared[words["folder"]] = str(*parents)
    return section(
        words["what_was_run"],
        trouble(runs, words),
        element("h3", words["all_alike"]) if shared else None,
        listed(shared) if shared else None,
        element("h3", words["runs"]),
        table([words["run"], *heads.values()], rows),
        best(runs, words),
    )


def trouble(runs: Sequence[Run], words: Words) -> Markup | None:
    """A box with the runs that did not come to their end, each with its reason."""
    lines = []
    for i, run in enumerate(runs):
        if not run.complete and run.status.get("status") != "pruned":  # which is how a search ends some
            state, reason = words.state(run.status.get("status", "?")), run.status.get("reason")
            said = f"{state}: {reason}" if reason and run.status.get("status") != "completed" else state
            lines.append(element("li", said if len(runs) == 1 else f"{label(i, run)} — {said}"))
    return (
        element(
            "div",
            element("b", words["not_complete" if len(runs) == 1 else "not_all_complete"]),
            element("ul", *lines),
            class_="trouble",
        )
        if lines
        else None
    )


def best(runs: Sequence[Run], words: Words) -> Markup | None:
    """Which run is the best, where they can be ranked."""
    measures = [measure(run.status, run.folder, run.ranking) for run in runs]
    done = [(i, run) for i, run in enumerate(runs) if run.complete and measures[i]]
    if len(done) < 2 or not ranked(runs):
        return None
    i, run = max(done, key=lambda pair: worst_to_best(pair[1].status, pair[1].folder, pair[1].ranking)[:2])
    return element("p", f"{words['best_run']}: ", element("b", label(i, run)), f" ({told(measures[i])})")


def curves(runs: Sequence[Run], words: Words) -> Markup:
    """The learning curves under one legend: the most important ones, and the others folded up."""
    keys = charts.legend(runs, words)
    made, left, points = charts.fitting(charts.charts(runs))
    if not made:
        return section(words["curves"], element("p", words["no_curves"]))
    used = {curve.key for chart in made for curve in chart.curves}
    notes = [words["rings"] if any(c.best for chart in made for c in chart.curves) else None]
    notes.append(words["ends"] if any(c.ends for chart in made for c in chart.curves) else None)
    notes.append(words("thinned", n=points) if points else None)
    notes.append(words("more_curves", n=charts.LINES, names=", ".join(left)) if left else None)
    main, others = ([charts.drawn(chart, keys, words) for chart in made if chart.main is whether] for whether in (True, False))
    return section(
        words["curves"],
        element("p", words["hint"], class_="screen"),
        element("div", *(entry(i, key) for i, key in enumerate(keys) if i in used), class_="legend"),
        element("div", *main, class_="charts"),
        folded(words["other_curves"], element("div", *others, class_="charts")) if others else None,
        element("p", " ".join(note for note in notes if note)) if any(notes) else None,
        class_="curves",
    )


def folded(title: str, inside: Markup) -> Markup:
    """A part that opens at a click."""
    return element("details", element("summary", title), inside)


def entry(i: int, key: charts.Key) -> Markup:
    """A name of the legend with its line; the script makes it hide the curves."""
    way = element("line", x1=1, x2=25, y1=6, y2=6, stroke=key.colour, stroke_dasharray=key.dash or None, class_="curve")
    sign = element("svg", way, viewBox="0 0 26 12", width=26, height=12, aria_hidden="true")
    return element("button", sign, key.name, type="button", data_key=i, aria_pressed="true")


def gallery(runs: Sequence[Run], words: Words) -> Markup | None:
    """The pictures: of one run one after another, of several runs side by side under the picture's name."""
    shown = runs[: pictures.RUNS]
    held = [(i, picture) for i, run in enumerate(shown) for picture in pictures.found(run.folder.images)]
    if not held:
        return None
    kept = pictures.within([picture for _, picture in held])
    pairs = list(zip(held, kept, strict=True))
    shrunk = named(picture.name for _, picture in pairs if picture and not picture.as_is)
    unshown = named(before.name for (_, before), picture in pairs if not picture)
    notes = [words("shrunk", names=shrunk) if shrunk else None, words("unshown", names=unshown) if unshown else None]
    notes.append(words("first_runs", n=len(shown)) if len(shown) < len(runs) else None)
    parts: list[Markup] = []
    for name in dict.fromkeys(picture.name for _, picture in held):
        mine = [(i, picture) for (i, before), picture in pairs if picture and before.name == name]
        if mine:
            inside = [framed(picture, None if len(runs) == 1 else label(i, runs[i]), words) for i, picture in mine]
            about = words.caption(name)
            told = element("p", about) if about else None
            parts.append(element("div", element("h3", name), told, element("div", *inside, class_="sheet"), class_="kind"))
    return section(
        words["pictures"],
        element("p", words["enlarge"], class_="screen"),
        element("div", *parts, class_="single" if len(runs) == 1 else "several"),
        element("p", " ".join(note for note in notes if note)) if any(notes) else None,
        class_="gallery",
    )


def named(names: Iterable[str]) -> str:
    """Names, each once."""
    return ", ".join(dict.fromkeys(names))


def framed(picture: pictures.Picture, name: str | None, words: Words) -> Markup:
    """A picture with its run, its step and its figures."""
    told = [name, f"{words['step']} {picture.step}" if picture.step else None]
    told.append(words["film"] if picture.frames > 1 else words["last_frame"] if picture.cut else None)
    told += [f"{key} {number(float(amount))}" for key, amount in list(picture.values.items())[:8]]
    width, height = picture.size
    image = element("img", src=Markup(picture.source), alt=name or picture.name, width=width, height=height)
    caption = ", ".join(part for part in told if part)
    return element("figure", image, element("figcaption", caption) if caption else None)


def configs(runs: Sequence[Run], words: Words) -> Markup:
    """The config of each run, folded up."""
    parts = []
    for i, run in enumerate(runs):
        written = run.folder.config.read_text(encoding="utf-8")
        name = "config.yaml" if len(runs) == 1 else f"config.yaml: {label(i, run)}"
        parts.append(folded(name, verbatim(written)))
    return section(words["configs"], *parts)


def reproduction(runs: Sequence[Run], words: Words, commands: Sequence[str]) -> Markup:
    """The commands, the commit of the code, the versions and the data."""
    given = [retyped(run.status["command"]) for run in runs if isinstance(run.status.get("command"), str)]
    alone = folded(words["commands"], verbatim("\n".join(given)))
    first = [verbatim("\n".join(commands)), alone] if commands else [verbatim("\n".join(given))]
    known = described(runs[0], apart([facts(run, words) for run in runs])[0])
    return section(
        words["reproduce"],
        *(first if given or commands else [element("p", words["no_command"])]),
        listed({words[key]: known[key] for key in ("commit", "versions", "data") if key in known}),
        element("p", words["same_bits"]),
    )
