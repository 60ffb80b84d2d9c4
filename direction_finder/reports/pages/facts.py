"""Collect what a page says about a run as a whole: its title, figures, tables and settings."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import RANK
from direction_finder.metrics.distortion import Distortion
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.factor_metrics import labels
from direction_finder.reports.measures.kinds import read_report
from direction_finder.reports.measures.measurement import SHOWN
from direction_finder.reports.pages.embedding import inside
from direction_finder.reports.table import cells
from direction_finder.runs.folder import Run
from direction_finder.runs.ranks import RankReport, read_rank
from direction_finder.runs.trainers import MODELS

Note = Callable[[str], None]
LEFT_OUT = ("settings", "generator", "data", "start", "measured")  # keys of config.json that are not one value


class Table(NamedTuple):
    """A table with a title, the heads of its columns (none: rows of a name and a value), rows of texts, and a note."""

    title: str
    head: tuple[str, ...]
    rows: list[list[str]]
    note: str = ""


def title_of_found(run: Run, directions: Directions) -> tuple[str, str]:
    """Return the title of a run with directions, and a line about it."""
    place = f" in {name}" if (name := run.config["generator"].get("name")) else ""
    line = f"class {run.config['class'] or 'random'}, seed {directions.seed}"
    return f"{len(directions)} {directions.method} directions{place}", line


def title_of_trained(run: Run) -> tuple[str, str]:
    """Return the title of a run of `train` or `finetune`, and a line about it."""
    data, start = run.config["data"], run.config.get("start")
    if run.config["model"] not in MODELS:
        raise InputError(f"{run.folder}: a run of model {run.config['model']}; expected {' or '.join(MODELS)}")
    line = f"{data['num']} images, started from {start['file'] if start else 'nothing'}"
    return f"{MODELS[run.config['model']].title} trained on {data['kind']}", line


def read_or_note(what: str, on_note: Note, read: Callable[[], Any]) -> Any:
    """Return the result of `read`; call `on_note` and return None if it raises InputError."""
    try:
        return read()
    except InputError as error:
        on_note(f"{what} left out: {error}")
        return None


def reports_of(folder: Path, on_note: Note) -> dict[str, Any]:
    """Return the reports of metrics in a run folder, by the name of their metric."""
    paths = [path for name in METRICS if (path := folder / f"{name}.json").exists()]

    def read(path: Path) -> Any:
        return read_report(inside(path, folder))

    found = {path.stem: read_or_note(f"{path.stem} is", on_note, partial(read, path)) for path in paths}
    return {name: report for name, report in found.items() if report}


def ranking_of(folder: Path, directions: Directions, on_note: Note) -> RankReport | None:
    """Return the ranking in a run folder if it ranks these directions."""
    if not (folder / RANK).exists():
        return None
    return read_or_note("The ranking is", on_note, lambda: read_rank(inside(folder / RANK, folder).parent, directions))


def measured(reports: Mapping[str, Any]) -> list[Table]:
    """Return a table of the main figures of all reports."""
    rows = [[cell.quantity.heading, cell.text] for cell in cells(reports)]
    return [Table("Measured", (), rows)] if rows else []


def ranked(report: RankReport, directions: Directions) -> Table:
    """Return the short list with the signals of each direction."""
    signals = report.get("signals", {})
    chance = ["95 % of random directions", *(f"{signal['chance']:.3g}" for signal in signals.values()), ""]
    rows = [
        [
            f"direction {i} {directions.names[i] or ''}".strip(),
            *(f"{signal['values'][i]:.3g}" for signal in signals.values()),
            f"{directions.ranges[i]:.3g}" if directions.ranges[i] else "",
        ]
        for i in report["short_list"]
    ]
    turned = report.get("distortion") or {}
    note = str(Distortion(turned["turn"], turned["random"])) if {"turn", "random"} <= turned.keys() else ""
    return Table("Which directions matter", ("direction", *signals, "usable range"), [chance, *rows], note)


def effects(report: Mapping[str, Any]) -> Table:
    """Return the strongest directions with their effects on known factors."""
    order = report["strongest"][:SHOWN]
    rows = [
        [f"direction {i}", label, *(f"{value:.2f}" for value in report["effects"][i])]
        for i, label in zip(order, labels(dict(report), order), strict=True)
    ]
    heads = ("direction", "changes", *report["factors"])
    return Table("The strongest directions, and the known factors that they change", heads, rows)


def provenance(run: Run, directions: Directions | None) -> list[Table]:
    """Return tables of how a run was made."""
    config = run.config
    about = {name: config[name] for name in sorted(config.keys() - set(LEFT_OUT))}
    if directions:
        about |= {"weights": (directions.weights_sha256 or "")[:16], "directions": directions.sha256[:16]}
        if share := directions.share:
            of_random = f"of a random basis {share['random_share']:.3f}"
            about["diagonal share, held out"] = f"{share['share']:.3f}; {of_random}"
    names = {"data": "Data", "start": "Started from", "generator": "Generator", "settings": "Settings"}
    parts = {"Run": about, **{title: config.get(key) or {} for key, title in names.items()}}
    parts["Generator"] = {name: value for name, value in parts["Generator"].items() if name not in ("tensors", "notes")}
    rows = {title: [[name, _text(value)] for name, value in part.items()] for title, part in parts.items()}
    return [Table(title, (), lines) for title, lines in rows.items() if lines]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
