"""Write one HTML page that shows everything in a run folder."""

import base64
import html
import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from direction_finder.directions import Directions
from direction_finder.errors import InputError, MissingExtra
from direction_finder.figures import curves
from direction_finder.files import PAGE, RANK, replacing
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.reports.embedding import TYPES, caption, figures
from direction_finder.reports.logs import read_log
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.factor_metrics import labels
from direction_finder.reports.measures.kinds import read_report
from direction_finder.reports.measures.measurement import SHOWN
from direction_finder.reports.table import cells
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import read_directions
from direction_finder.runs.ranks import RankReport, read_rank
from direction_finder.runs.trainers import MODELS

Facts = dict[str, Any]
TRAINED = ("data", "model", "settings", "torch", "direction_finder")  # keys of runs that train


def write_page(
    folder: str | Path, out: str | Path | None = None, *, on_note: Callable[[str], None] = warnings.warn
) -> Path:
    """Write one page with a run's settings, scores, curves, images and videos, and return its path.

    The page needs no other files, so it can be moved or sent. out: the file (None: index.html in the run folder).
    on_note: called with a message about anything that is left out.

    >>> df.write_page("outputs/demo")

    Raises InputError if the folder is not a run, Unfinished if it has no directions yet.
    """
    config = Run.open(Path(folder), ("settings",), "learn or train").config
    run = Run.open(Path(folder), TRAINED if "model" in config else FOUND, "learn or train")
    out = Path(out) if out else run.folder / PAGE
    check_overwrite(out, HTML)
    title, facts = _trained(run) if "model" in run.config else _found(run)
    _draw_curves(run, title, on_note)
    with replacing(out) as part, part.open("w", encoding="utf-8", errors="replace") as file:
        for text in _page(run, title, facts, on_note):
            file.write(f"{text}\n")
    return out


def _found(run: Run) -> tuple[str, Facts]:
    """Return a title for a run of `learn`, and facts about it."""
    directions = read_directions(run)
    facts = {
        "class": run.config["class"] or "random",
        "seed": directions.seed,
        "weights": (directions.weights_sha256 or "")[:16],
    }
    if directions.share:
        share = directions.share
        facts["diagonal share, held out"] = f"{share['share']:.3f}; of a random basis {share['random_share']:.3f}"
    place = f" in {name}" if (name := run.config["generator"].get("name")) else ""
    return f"{len(directions)} {directions.method} directions{place}", facts


def _trained(run: Run) -> tuple[str, Facts]:
    """Return a title for a run of `train` or `finetune`, and facts about it."""
    data, start = run.config["data"], run.config.get("start")
    if run.config["model"] not in MODELS:
        raise InputError(f"{run.folder}: a run of model {run.config['model']}; expected {' or '.join(MODELS)}")
    facts = {"data": f"{data['kind']}, {data['num']} images", "started from": start["file"] if start else "nothing"}
    return f"{MODELS[run.config['model']].title} trained on {data['kind']}", {**facts, **run.config["settings"]}


def _draw_curves(run: Run, title: str, on_note: Callable[[str], None]) -> None:
    """Plot the values in the log, if it has more than one step and matplotlib is installed."""
    steps = read_or_note("The curves are", on_note, lambda: read_log(run.log)) if run.log.exists() else None
    if not steps or len(steps) < 2:
        return
    names = dict.fromkeys(name for step in steps for name in step)
    across = "kimg" if "kimg" in names else "step"
    values = {name: [step.get(name, math.nan) for step in steps] for name in names if name != "step" or across == name}
    try:
        curves(run.folder / "curves.png", across, values, title=title)
    except MissingExtra as error:
        on_note(f"The curves are left out: {error}")


def read_or_note(what: str, on_note: Callable[[str], None], read: Callable[[], Any]) -> Any:
    """Return the result of `read`; call `on_note` and return None if it raises InputError."""
    try:
        return read()
    except InputError as error:
        on_note(f"{what} left out: {error}")
        return None


def _page(run: Run, title: str, facts: Facts, on_note: Callable[[str], None]) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{_text(title)}</title>'
    yield '<meta name="viewport" content="width=device-width"><meta name="generator" content="direction-finder">'
    yield f"<style>\n{_style()}</style>\n<h1>{_text(title)}</h1>"
    made_with = {"Direction Finder": run.config["direction_finder"], "torch": run.config["torch"]}
    yield _table([[name, value] for name, value in {**facts, **made_with}.items()])
    paths = [path for name in METRICS if (path := run.folder / f"{name}.json").exists()]
    read = {path.stem: read_or_note(f"{path.stem} is", on_note, partial(read_report, path)) for path in paths}
    reports = {name: report for name, report in read.items() if report}
    measured = [[cell.quantity.heading, cell.text] for cell in cells(reports)]
    if measured:
        yield "<h2>Measured</h2>"
        yield _table(measured)
    if (run.folder / RANK).exists() and run.directions_path.is_file():
        directions = Directions.load(run.directions_path)
        if report := read_or_note("The ranking is", on_note, lambda: read_rank(run.folder, directions)):
            yield from _ranking(report, directions)
    if "factors" in reports:
        yield from _effects(reports["factors"])
    for path, data in figures(run.folder, on_note):
        yield _figure(path, data)


def _ranking(report: RankReport, directions: Directions) -> Iterator[str]:
    signals = report.get("signals", {})
    yield "<h2>Which directions matter</h2>"
    yield _table(
        [
            ["95 % of random directions", *(f"{signal['chance']:.3g}" for signal in signals.values()), ""],
            *(
                [
                    f"direction {i} {directions.names[i] or ''}",
                    *(f"{signal['values'][i]:.3g}" for signal in signals.values()),
                    f"{directions.ranges[i]:.3g}" if directions.ranges[i] else "",
                ]
                for i in report["short_list"]
            ),
        ],
        ["", *signals, "usable range"],
    )


def _effects(report: dict[str, Any]) -> Iterator[str]:
    yield "<h2>The strongest directions, and the known factors that they change</h2>"
    order = report["strongest"][:SHOWN]
    yield _table(
        [
            [f"direction {i}", label, *(f"{value:.2f}" for value in report["effects"][i])]
            for i, label in zip(order, labels(report, order), strict=True)
        ],
        ["", "changes", *report["factors"]],
    )


def _figure(path: Path, data: bytes) -> str:
    source = f"data:{TYPES[path.suffix]};base64,{base64.b64encode(data).decode()}"
    element = (
        f'<video src="{source}" controls loop muted autoplay></video>'
        if path.suffix == ".mp4"
        else f'<img src="{source}" alt="{_text(path.name)}">'
    )
    return f"<figure><figcaption><code>{_text(path.name)}</code> {_text(caption(path))}</figcaption>{element}</figure>"


def _table(rows: Any, head: list[str] | None = None) -> str:
    lines = [f"<tr>{''.join(f'<th>{_text(cell)}</th>' for cell in head)}</tr>"] if head else []
    lines += [f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _style() -> str:
    return files("direction_finder.reports").joinpath("page.css").read_text(encoding="utf-8")


def _text(value: Any) -> str:
    return html.escape(str(value))
