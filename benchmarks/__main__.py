"""python -m benchmarks [NAME …] [--rounds N]: run benchmarks and print their tables; all of them make RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from pathlib import Path

import benchmarks
from benchmarks import measure

RESULTS = Path(__file__).with_name("RESULTS.md")


def names() -> list[str]:
    """Every file beside this one that is a benchmark."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.ispkg]
    return [name for name in found if name not in ("__main__", "measure", "worker")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"by default all: {', '.join(names())}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed; the best counts (default 3)")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, got {asked.rounds}")
    unknown = sorted(set(asked.names) - set(names()))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names())}")

    command = " ".join(["python -m benchmarks", *asked.names, f"--rounds {asked.rounds}"])
    sections = [f"# Benchmarks\n\nMade by `{command}`. {measure.machine()}"]
    print(sections[0])
    for name in asked.names or names():
        module = importlib.import_module(f"benchmarks.{name}")
        sections.append(f"## {name}\n\n{module.__doc__.strip()}\n\n{module.run(asked.rounds)}")
        print(f"\n{sections[-1]}", flush=True)
    if not asked.names:  # a part would leave the rest of the file from another day
        RESULTS.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
