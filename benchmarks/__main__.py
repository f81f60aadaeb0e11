"""python -m benchmarks [NAME …] [--rounds N] [--made]: run benchmarks, print their tables, renew RESULTS.md and README.md."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from pathlib import Path

import benchmarks
from benchmarks import measure, runs

RESULTS = Path(__file__).with_name("RESULTS.md")
README = measure.ROOT / "README.md"
HEAD = """# Benchmarks

nnlab beside others on the same work, in one run: what counts are the ratios. Under each table stands when it was made, on which
machine and under what load; a GPU was used where that line names one. The best round counts; in tables beside a loop written by
hand it is the median, since the few per cent between them are less than what the machine varies."""


def names() -> list[str]:
    """Every file beside this one that is a benchmark."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.ispkg]
    return [name for name in found if name not in ("__main__", "few_labels", "measure", "runs", "worker")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"by default all: {', '.join(names())}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (default 3)")
    parser.add_argument("--made", action="store_true", help="make no run and time nothing: the rows of the runs that are there")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, got {asked.rounds}")
    unknown = sorted(set(asked.names) - set(names()))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names())}")

    runs.TRAINS = not asked.made
    chosen = asked.names or names()
    if asked.made:
        timed = [name for name in chosen if not compares_runs(name)]
        if asked.names and timed:
            parser.error(f"--made: {', '.join(timed)} has no table of whole runs; leave it out")
        chosen = [name for name in chosen if name not in timed]
    found = sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        where = measure.machine()
        try:
            result = module.run(asked.rounds)
        except runs.NotMade as error:
            print(f"{name}: left as it is; not made yet: {error}")
            continue
        made = f"`python -m benchmarks {name} --rounds {asked.rounds}`. {where}"
        if compares_runs(name):
            made = f"`python -m benchmarks {name}`. {runs.made(name)}"
        found[name] = f"## {name}\n\n{module.__doc__.strip()}\n\n{result}\n\n{made}"
        print(f"\n{found[name]}", flush=True)
        RESULTS.write_text("\n\n".join([HEAD, *(found[name] for name in names() if name in found)]) + "\n", encoding="utf-8")
        README.write_text(renewed(README.read_text(encoding="utf-8"), name, result), encoding="utf-8")


def compares_runs(name: str) -> bool:
    """Whether a benchmark is a table of whole runs, and nothing is timed."""
    return hasattr(importlib.import_module(f"benchmarks.{name}"), "RUNS")


def renewed(text: str, name: str, result: str) -> str:
    """A text with the result in place of what it has between <!-- benchmark NAME --> and <!-- end -->, if it has that."""
    before, mark, rest = text.partition(f"<!-- benchmark {name} -->\n")
    if not mark:
        return text
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{mark}{result}\n{end}{after}"


def sections(text: str) -> dict[str, str]:
    """What a file of results says of each benchmark, by its name."""
    parts = text.split("\n## ")[1:]
    return {part.splitlines()[0]: f"## {part.strip()}" for part in parts}


if __name__ == "__main__":
    main()
