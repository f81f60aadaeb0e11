"""The table at the end of a sweep, and its pictures side by side. No torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.errors import printable
from nnlab.plotting import gallery
from nnlab.runs.find import as_typed
from nnlab.runs.folder import RunFolder
from nnlab.runs.sweep import (
    Ranking,
    SweepFolder,
    apart,
    comparable,
    compared,
    keep,
    measure,
    members,
    planned,
    ranked_by,
    typed,
)
from nnlab.runs.table import aligned, figures, seconds, worst_first


def show(path: Path | None = None) -> None:
    """The table of a sweep (by default that of this process), also when some of its jobs failed or have not begun."""
    path = path or SweepFolder.path
    runs = members(path) if path else []
    if not runs and not SweepFolder.refused:
        return
    ranking = ranked_by(path)
    alike = comparable(runs, ranking)
    ordered = sorted(runs, key=lambda run: order(*run, ranking)) if alike else runs
    lines = [("job", "status", ranking.metric if ranking else "best metric", "time", "overrides")]
    for status, folder in ordered:
        value = figures(measure(status, folder, ranking), named=ranking is None)
        time = seconds(status.get("seconds", 0))
        lines.append((folder.path.name, status.get("status", "?"), value, time, " ".join(typed(folder))))
    begun = {folder.path.name for _, folder in runs}
    for number, job in enumerate(planned(path) or []):
        if str(number) not in begun:
            lines.append((str(number), "failed" if number in SweepFolder.refused else "not begun", "", "", " ".join(job)))
    reason = "in the order of the jobs: their metrics are of different models or data"
    print(f"\n{as_typed(path)}, {'the best last' if alike else reason}\n{aligned(lines)}")
    for status, folder in runs:
        if "reason" in status:
            print(f"job {folder.path.name} {status.get('status')}: {printable(status['reason'])}")
    jobs = apart(path)
    table = compared(jobs)
    if table:
        print(f"\n{aligned(table)}\n")
    keep(path)
    shown = gallery.side_by_side({name: folder.images for name, folder in jobs.items()}, path / "images")
    if shown:
        print(f"side by side: {as_typed(path)}/images ({', '.join(picture.stem for picture in shown)})")
    done = [run for run in ordered if run[0].get("status") == "completed" and measure(*run, ranking)]
    tensorboard = f"curves: nnlab tensorboard {as_typed(path)}"
    print(f"best: {as_typed(done[-1][1].path)}    {tensorboard}" if done and alike else tensorboard)


def order(status: dict, folder: RunFolder, ranking: Ranking | None) -> tuple[bool, float, float]:
    """A key that sorts the jobs of a sweep from the worst to the best; those without the metric come first."""
    if ranking is None:
        return worst_first(status)
    value = ranking.value(folder)
    if value is None:
        return (False, 0.0, status.get("began", 0.0))
    return (True, value if ranking.higher_is_better else -value, status.get("began", 0.0))
