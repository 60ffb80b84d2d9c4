"""Write one HTML page that shows everything in a run folder."""

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
from direction_finder.reports.measures.factor_metrics import labels
from direction_finder.reports.measures.measurement import SHOWN
from direction_finder.reports.table import cells
from direction_finder.runs.folder import Run
from direction_finder.runs.loading import read_directions
from direction_finder.runs.trainers import MODELS

Facts = dict[str, Any]
CAPTIONS = {
    "grid": "What each direction does: samples down, steps along the direction across.",
    "overview": "Samples down, directions across, at full extent.",
    "factors": "How far each known factor changes along each direction, in its natural spreads per unit of z.",
    "activeness": "How much the image varies as a direction's coordinate is set to -2, 0, 2; inactive ones are paler.",
    "diagonality": "How strongly directions interact: |H|, averaged over pixels and samples.",
    "penalty": "Images, the Hessian Penalty of their pixels, and |H| at the pixel with the largest penalty.",
    "curves": "The values in the log, as means over windows of steps.",
    "align": "Samples unchanged, and with one value set for all of them along a direction.",
    "video": "A walk along each direction and back.",
}
TYPES = {".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".mp4": "video/mp4"}


def write_page(
    folder: str | Path, out: str | Path | None = None, *, on_note: Callable[[str], None] = warnings.warn
) -> Path:
    """Write one page with a run's settings, scores, curves, images and videos, and return its path.

    The page needs no other files, so it can be moved or sent. out: the file (None: index.html in the run folder).
    on_note: called with a message about anything that is left out.

    >>> df.write_page("outputs/demo")

    Raises InputError if the folder is not a run, Unfinished if it has no directions yet.
    """
    run = Run.open(Path(folder), ("settings",), "learn or train")
    title, facts = _trained(run) if "model" in run.config else _found(run)
    _draw_curves(run, title, on_note)
    out = Path(out) if out else run.folder / PAGE
    with replacing(out) as part:
        part.write_text("\n".join(_page(run, title, facts)) + "\n", encoding="utf-8")
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
    place = f" in {name}" if (name := run.config["generator"]["name"]) else ""
    return f"{len(directions)} {directions.method} directions{place}", facts


def _trained(run: Run) -> tuple[str, Facts]:
    """Return a title for a run of `train` or `finetune`, and facts about it."""
    data, start = run.config["data"], run.config["start"]
    facts = {"data": f"{data['kind']}, {data['num']} images", "started from": start["file"] if start else "nothing"}
    return f"{MODELS[run.config['model']].title} trained on {data['kind']}", {**facts, **run.config["settings"]}


def _draw_curves(run: Run, title: str, on_note: Callable[[str], None]) -> None:
    """Plot the values in the log, if it has more than one step and matplotlib is installed."""
    steps = run.steps()
    if len(steps) < 2:
        return
    names = dict.fromkeys(name for step in steps for name, value in step.items() if isinstance(value, int | float))
    across = "kimg" if "kimg" in names else "step"
    values = {name: [step.get(name, math.nan) for step in steps] for name in names if name != "step" or across == name}
    try:
        curves(run.folder / "curves.png", across, values, title=title)
    except MissingExtra as error:
        on_note(f"The curves are left out: {error}")


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


def _figure(path: Path) -> str:
    data = f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    caption = CAPTIONS.get(_kind(path), "")
    element = (
        f'<video src="{data}" controls loop muted autoplay></video>'
        if path.suffix == ".mp4"
        else f'<img src="{data}" alt="{_text(path.name)}">'
    )
    return f"<figure><figcaption><code>{_text(path.name)}</code> {_text(caption)}</figcaption>{element}</figure>"


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
