"""What a run holds, on one HTML page."""

import base64
import html
import math
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from direction_finder.directions import Directions
from direction_finder.errors import MissingExtra
from direction_finder.figures import curves
from direction_finder.files import PAGE, PREVIEWS, RANK, read_json, replacing
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.measurement import SHOWN
from direction_finder.reports.measures.of_factors import labels
from direction_finder.reports.table import cells
from direction_finder.runs.folder import Run
from direction_finder.runs.target import read_directions
from direction_finder.runs.trainers import MODELS

Facts = dict[str, Any]
CAPTIONS = {
    "grid": "What each direction does: samples down, steps along the direction across.",
    "overview": "Samples down, directions across, at full extent.",
    "factors": "How far each known factor moves along each direction, in its natural spreads per unit of z.",
    "activeness": "How much the picture varies as the coordinate along each direction is set to -2, 0, 2; paler: off.",
    "hessians": "How strongly directions interact: |H| of the pixels, averaged.",
    "penalty": "Pictures; their pixels' Hessian Penalty; |H| of the pixel where it is largest, directions in order.",
    "curves": "What the log holds, as means over windows of steps.",
    "align": "Samples as they are, and with one value set for all of them along a direction.",
    "video": "A walk along each direction and back.",
}
TYPES = {".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".mp4": "video/mp4"}


def write_page(
    folder: str | Path, out: str | Path | None = None, *, on_note: Callable[[str], None] = warnings.warn
) -> Path:
    """Write one page with what a run holds: settings, scores, curves, pictures, films; it can be moved or sent alone.

    out: the file (None: index.html in the run folder). on_note: told what is left out. Returns where it is.

    >>> df.write_page("outputs/demo")

    Raises InputError if the folder is no run, or has no directions yet.
    """
    run = Run.open(Path(folder), ("settings",), "learn or train")
    title, facts = _trained(run) if "model" in run.config else _found(run)
    _draw_curves(run, title, on_note)
    out = Path(out) if out else run.folder / PAGE
    with replacing(out) as part:
        part.write_text("\n".join(_page(run, title, facts)) + "\n", encoding="utf-8")
    return out


def _found(run: Run) -> tuple[str, Facts]:
    """Of a run of `learn`: a title, and the facts about it."""
    directions = read_directions(run)
    facts = {
        "class": run.config["class"] or "random",
        "seed": directions.seed,
        "weights": (directions.weights_sha256 or "")[:16],
    }
    if directions.share:
        share = directions.share
        facts["diagonal share, held out"] = f"{share['share']:.3f}; of a random basis {share['random_share']:.3f}"
    where = f" in {name}" if (name := run.config["generator"]["name"]) else ""
    return f"{len(directions)} {directions.method} directions{where}", facts


def _trained(run: Run) -> tuple[str, Facts]:
    """Of a run of `train` or `finetune`: a title, and the facts about it."""
    data, start = run.config["data"], run.config["start"]
    facts = {"data": f"{data['kind']}, {data['num']} pictures", "started from": start["file"] if start else "nothing"}
    return f"{MODELS[run.config['model']].title} trained on {data['kind']}", {**facts, **run.config["settings"]}


def _draw_curves(run: Run, title: str, on_note: Callable[[str], None]) -> None:
    """Draw what the log holds, if it holds more than one step and matplotlib is there."""
    steps = run.steps()
    if len(steps) < 2:
        return
    names = dict.fromkeys(name for step in steps for name, value in step.items() if isinstance(value, int | float))
    across = "kimg" if "kimg" in names else "step"
    values = {name: [step.get(name, math.nan) for step in steps] for name in names if name != "step" or across == name}
    try:
        curves(run.folder / "curves.png", across, values, title=title)
    except MissingExtra as error:
        on_note(f"Without curves: {error}")


def _page(run: Run, title: str, facts: Facts) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{_text(title)}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<style>\n{_style()}</style>\n<h1>{_text(title)}</h1>"
    made_with = {"Direction Finder": run.config["direction_finder"], "torch": run.config["torch"]}
    yield _table([[name, value] for name, value in {**facts, **made_with}.items()])
    files = {name: run.folder / f"{name}.json" for name in METRICS}
    reports = {name: read_json(path) for name, path in files.items() if path.is_file()}
    measured = [[cell.quantity.heading, cell.text] for cell in cells(reports)]
    if measured:
        yield "<h2>Measured</h2>"
        yield _table(measured)
    if (run.folder / RANK).is_file():
        report, directions = read_json(run.folder / RANK), Directions.load(run.directions_path)
        if report["directions_sha256"] == directions.sha256:
            yield from _ranking(report, directions)
    if "factors" in reports:
        yield from _effects(reports["factors"])
    for path in [*sorted(run.folder.iterdir(), key=_place), *sorted((run.folder / PREVIEWS).glob("*.png"))[-1:]]:
        if path.suffix in TYPES:
            yield _figure(path)


def _ranking(report: dict[str, Any], directions: Directions) -> Iterator[str]:
    signals = report["signals"]
    yield "<h2>Which directions matter</h2>"
    yield _table(
        [
            ["95 % of random directions", *(f"{each['chance']:.3g}" for each in signals.values()), ""],
            *(
                [
                    f"direction {i} {directions.names[i] or ''}",
                    *(f"{each['values'][i]:.3g}" for each in signals.values()),
                    f"{directions.ranges[i]:.3g}" if directions.ranges[i] else "",
                ]
                for i in report["short_list"]
            ),
        ],
        ["", *signals, "usable range"],
    )


def _effects(report: dict[str, Any]) -> Iterator[str]:
    yield "<h2>The strongest directions, and the known factors that they move</h2>"
    order = report["strongest"][:SHOWN]
    yield _table(
        [
            [f"direction {i}", label, *(f"{value:.2f}" for value in report["effects"][i])]
            for i, label in zip(order, labels(report, order), strict=True)
        ],
        ["", "moves", *report["factors"]],
    )


def _figure(path: Path) -> str:
    data = f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    caption = CAPTIONS.get(_kind(path), "")
    shown = (
        f'<video src="{data}" controls loop muted autoplay></video>'
        if path.suffix == ".mp4"
        else f'<img src="{data}" alt="{_text(path.name)}">'
    )
    return f"<figure><figcaption><code>{_text(path.name)}</code> {_text(caption)}</figcaption>{shown}</figure>"


def _kind(path: Path) -> str:
    return path.stem.partition("-")[0]


def _place(path: Path) -> tuple[int, str]:
    kinds = list(CAPTIONS)
    return (kinds.index(_kind(path)) if _kind(path) in kinds else len(kinds), path.name)


def _table(rows: Any, head: list[str] | None = None) -> str:
    lines = [f"<tr>{''.join(f'<th>{_text(cell)}</th>' for cell in head)}</tr>"] if head else []
    lines += [f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _style() -> str:
    return files("direction_finder.reports").joinpath("page.css").read_text(encoding="utf-8")


def _text(value: Any) -> str:
    return html.escape(str(value))
