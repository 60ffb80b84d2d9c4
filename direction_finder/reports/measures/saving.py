"""Save measurements in the folder of what was measured, with figures, and those of several targets side by side."""

from collections.abc import Callable, Mapping
from pathlib import Path

from direction_finder.files import replacing, write_json
from direction_finder.reports.measures import TOGETHER, direction_metrics, factor_metrics
from direction_finder.reports.measures.measurement import Measurement, Report
from direction_finder.reports.measures.raw import LARGE, raw_path
from direction_finder.reports.measures.task import Task
from direction_finder.reports.table import Reports, table

FIGURES: dict[str, Callable[[Report, str, Path], None]] = {  # plotted from a report
    "factors": factor_metrics.draw_effects,
    "diagonality": direction_metrics.draw_diagonality,
    "activeness": direction_metrics.draw_activeness,
}
IMAGES: dict[str, tuple[str, Callable[[Task, Report, Path], None]]] = {  # those that need images, with their names
    "diagonality": ("penalty", direction_metrics.draw_penalties),
}
SIDE_BY_SIDE: dict[str, Callable[[Mapping[str, Report], Path], None]] = {"activeness": direction_metrics.side_by_side}


def save(measurement: Measurement, folder: Path, task: Task | None = None, *, on_note: Callable[[str], None]) -> None:
    """Save a measurement in a folder: its report as METRIC.json, its figures, and its raw measurements in raw/.

    task: what was measured; None for a measurement that was computed again from its raw measurements, which leaves
    these, and figures that need images, as they are. on_note: called with a message about large files.
    """
    name = measurement.metric.name
    if task:
        path = raw_path(folder, measurement.metric.layout)
        if (size := measurement.save_raw(path)) > LARGE:
            on_note(f"{path} has {size / 1e6:.0f} MB; delete it if {name} need not be computed again without images.")
    measurement.save(folder / f"{name}.json")
    if name in FIGURES:
        FIGURES[name](measurement.report, measurement.about, folder / f"{name}.png")
    if task and name in IMAGES:
        stem, draw = IMAGES[name]
        draw(task, measurement.report, folder / f"{stem}.png")


def save_together(reports: Reports, out: Path) -> None:
    """Write all targets into one file, one table and shared figures, with the last parts of their paths as names."""
    write_json(out / f"{TOGETHER}.json", reports)
    with replacing(out / f"{TOGETHER}.md") as part:
        part.write_text(table(reports) + "\n", encoding="utf-8")
    last = [Path(text).name for text in reports]
    short = dict(zip(reports, last if len(set(last)) == len(last) else reports, strict=True))
    for name, figure in SIDE_BY_SIDE.items():
        panels = {short[text]: report[name] for text, report in reports.items() if name in report}
        if panels:
            figure(panels, out / f"{name}.png")
