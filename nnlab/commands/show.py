"""nnlab show: one run, its config, its metrics, its files. Imports no torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from nnlab.commands import search_report, sweep_table
from nnlab.commands.arguments import make_parser
from nnlab.errors import printable
from nnlab.runs.find import as_typed, resolve
from nnlab.runs.search import is_search
from nnlab.runs.sweep import planned


def main(argv: list[str]) -> int:
    """Print the contents of a run folder: state, metrics, files and config; or a sweep's table. Returns the exit status."""
    about = "One run: its state, config, metrics and files; or a sweep or a search: its table."
    parser = make_parser("show", about, "show last", "show last --config")
    parser.add_argument("--config", action="store_true", help="only the config, as YAML")
    args = parser.parse_args(argv)

    if is_search(Path(args.run)):
        search_report.show(Path(args.run))
        return 0
    if planned(Path(args.run)) is not None:
        sweep_table.show(Path(args.run))
        return 0
    folder = resolve(args.run)
    folder.read_config()  # says so if this is no run
    config = [printable(line) for line in folder.config.read_text(encoding="utf-8").splitlines()]
    if args.config:
        print("\n".join(config))
        return 0
    status, summary = folder.read_status(), folder.read_summary()
    print(printable(as_typed(folder.path)))
    metadata = {
        "status": status.get("status", "unknown"),
        "reason": status.get("reason") if status.get("status") in ("failed", "diverged") else None,
        "model": status.get("model"),
        "data": status.get("data"),
        "tags": ", ".join(status.get("tags", [])),
        "note": status.get("note"),
        "parameters": f"{status.get('parameters', 0):,}",
        "epoch": f"{status.get('epoch', 0):g} (step {status.get('step', 0)})",
        "seconds": status.get("seconds"),
        "images per second": summary.get("images_per_second"),
        "device": f"{status.get('device')}, {status.get('precision')}, {status.get('threads')} threads",
        "git": committed(status.get("git", {})),
        "versions": ", ".join(f"{name} {number}" for name, number in status.get("versions", {}).items()),
    }
    for name, fact in metadata.items():
        if fact not in (None, ""):
            print(f"  {name:<16} {printable(fact)}")
    best = summary.get("best", {})
    if summary.get("final"):
        print("\nfigures" + " " * 25 + f"{'last':>12} {'best':>12}")
        for name, value in summary["final"].items():
            shown = f"{best[name]:12.5g}" if name in best else ""
            print(f"  {printable(name):<30}{value:12.5g} {shown}".rstrip())
    files = sorted(path for path in folder.path.rglob("*") if path.is_file() and ".hydra" not in path.parts)
    print("\nfiles")
    for path in files:
        with suppress(FileNotFoundError):  # a run that trains replaces its checkpoints
            print(f"  {printable(path.relative_to(folder.path)):<44}{path.stat().st_size:>12,}")
    print("\nconfig\n" + "\n".join(f"  {line}" for line in config))
    return 0


def committed(git: dict) -> str:
    """The commit of a run's code in words; "" if it is not known."""
    commit = git.get("commit")
    return f"{commit}{'' if git.get('clean') else ', with changes that were not committed'}" if commit else ""
