"""The table at the end of a sweep, and its pictures side by side. No torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.errors import explain, printable
from nnlab.plotting import gallery
from nnlab.runs.find import as_typed
from nnlab.runs.sweep import (
    SweepFolder,
    apart,
    comparable,
    compared,
    keep,
    measure,
    members,
    planned,
    ranked_by,
    refusal,
    typed,
    worst_to_best,
)
from nnlab.runs.table import aligned, figures, seconds


def show(path: Path | None = None) -> None:
    """The table of a sweep (by default that of this process), also when some of its jobs failed or have not begun."""
    path = path or SweepFolder.path
    runs = members(path) if path else []
    if path is None or (not runs and not any(refusal(path, i) for i in range(len(planned(path) or ())))):
        return
    ranking = ranked_by(path)
    alike = comparable(runs, ranking)
    ordered = sorted(runs, key=lambda run: worst_to_best(*run, ranking)) if alike else runs
    lines = [("job", "status", ranking.place if ranking else "best metric", "time", "overrides")]
    for status, folder in ordered:
        value = figures(measure(status, folder, ranking), named=ranking is None)
        time = seconds(status.get("seconds", 0))
        lines.append((folder.path.name, status.get("status", "?"), value, time, " ".join(typed(folder))))
    begun = {folder.path.name for _, folder in runs}
    reasons = {folder.path.name: status.get("reason", "") for status, folder in runs}
    for number, job in enumerate(planned(path) or []):
        if str(number) not in begun:
            reasons[str(number)] = refusal(path, number)
            lines.append((str(number), "failed" if reasons[str(number)] else "not begun", "", "", " ".join(job)))
    reason = "in the order of the jobs: their metrics are of different models or data"
    print(f"\n{as_typed(path)}, {'the best last' if alike else reason}\n{aligned(lines)}")
    for name, reason in reasons.items():
        if reason:
            print(f"job {name} failed: {printable(reason)}")
    jobs = apart(path)
    table = compared(jobs)
    if table:
        print(f"\n{aligned(table)}\n")
    try:
        keep(path)
        shown = gallery.side_by_side({name: folder.images for name, folder in jobs.items()}, path / "images")
    except OSError as error:  # a full disk, or another's folder
        print(f"the table and the pictures are not written: {explain(error, path)}")
        shown = []
    if shown:
        print(f"side by side: {as_typed(path)}/images ({', '.join(picture.stem for picture in shown)})")
    done = [run for run in ordered if run[0].get("status") == "completed" and measure(*run, ranking)]
    tensorboard = f"curves: nnlab tensorboard {as_typed(path)}"
    print(f"best: {as_typed(done[-1][1].path)}    {tensorboard}" if done and alike else tensorboard)
