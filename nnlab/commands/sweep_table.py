"""The table at the end of a sweep, and its pictures side by side. No torch."""

from __future__ import annotations

from pathlib import Path

from nnlab.plotting import gallery
from nnlab.runs.find import as_typed
from nnlab.runs.sweep import SweepFolder, apart, comparable, compared, keep, members, planned, typed
from nnlab.runs.table import aligned, figure, worst_first


def show(path: Path | None = None) -> None:
    """The table of a sweep (by default that of this process), also when some of its jobs failed or have not begun."""
    path = path or SweepFolder.path
    runs = members(path) if path else []
    if not runs:
        return
    alike = comparable(runs)
    ordered = sorted(runs, key=lambda run: worst_first(run[0])) if alike else runs
    lines = [("job", "status", "best metric", "overrides")]
    lines += [(f.path.name, s.get("status", "?"), figure(s), " ".join(typed(f))) for s, f in ordered]
    begun = {folder.path.name for _, folder in runs}
    lines += [(str(i), "not begun", "", " ".join(job)) for i, job in enumerate(planned(path) or []) if str(i) not in begun]
    order = "the best last" if alike else "in the order of the jobs: their metrics are of different models or data"
    print(f"\n{as_typed(path)}, {order}\n{aligned(lines)}")
    jobs = apart(path)
    table = compared(jobs)
    if table:
        print(f"\n{aligned(table)}\n")
        keep(path, table)
    shown = gallery.side_by_side({name: folder.images for name, folder in jobs.items()}, path / "images")
    if shown:
        print(f"side by side: {as_typed(path)}/images ({', '.join(picture.stem for picture in shown)})")
    done = [(status, folder) for status, folder in ordered if status.get("status") == "completed" and status.get("best")]
    tensorboard = f"curves: nnlab tensorboard {as_typed(path)}"
    print(f"best: {as_typed(done[-1][1].path)}    {tensorboard}" if done and alike else tensorboard)
