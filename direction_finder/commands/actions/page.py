"""What `direction-finder page` does."""

import base64
import html
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.measures import ALL
from direction_finder.commands.measures.asked import SHOWN
from direction_finder.commands.measures.of_factors import labels
from direction_finder.commands.measures.table import cells
from direction_finder.commands.recorder import PREVIEWS
from direction_finder.commands.runs import Run
from direction_finder.commands.target import RANK
from direction_finder.commands.training import MODELS
from direction_finder.directions import Directions
from direction_finder.errors import InputError, MissingExtra
from direction_finder.figures import curves
from direction_finder.files import read_json, replacing

Facts = dict[str, Any]
PAGE = "index.html"
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
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
img, video { max-width: 100%; border: 1px solid #ddd; border-radius: 4px }
figure { margin: 2rem 0 } figcaption { color: #555; margin-bottom: .4rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; border-bottom: 1px solid #eee }
code { background: #f4f4f4; padding: .1rem .3rem; border-radius: 3px }
"""


def page(target: Path, out: Path | None) -> None:
    """Write one HTML page with a run's settings, scores, curves, pictures and films; it can be moved or sent alone."""
    click.echo(write_page(target, out))


def write_page(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a run, and say where."""
    run = Run.open(folder, ("settings",), "learn or train")
    title, facts = _trained(run) if "model" in run.config else _found(run)
    _draw_curves(run, title)
    out = out or folder / PAGE
    with replacing(out) as part:
        part.write_text("\n".join(_page(run, title, facts)) + "\n", encoding="utf-8")
    return out


def _found(run: Run) -> tuple[str, Facts]:
    """Of a run of `learn`: a title, and the facts about it."""
    if not run.directions.is_file():
        raise InputError(f"{run.folder}: no directions yet; finish the run with learn --resume {run.folder}")
    directions = Directions.load(run.directions)
    facts = {
        "class": run.config["class"] or "random",
        "seed": directions.seed,
        "weights": (directions.weights_sha256 or "")[:16],
    }
    if directions.share:
        share = directions.share
        facts["diagonal share, held out"] = f"{share['share']:.3f}; of a random basis {share['random_share']:.3f}"
    return f"{len(directions)} {directions.method} directions in {run.config['generator']['name']}", facts


def _trained(run: Run) -> tuple[str, Facts]:
    """Of a run of `train` or `finetune`: a title, and the facts about it."""
    data, start = run.config["data"], run.config["start"]
    facts = {"data": f"{data['kind']}, {data['num']} pictures", "started from": start["file"] if start else "nothing"}
    return f"{MODELS[run.config['model']].title} trained on {data['kind']}", {**facts, **run.config["settings"]}


def _draw_curves(run: Run, title: str) -> None:
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
        click.echo(f"Without curves: {error}", err=True)


def _page(run: Run, title: str, facts: Facts) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{_text(title)}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<style>{STYLE}</style>\n<h1>{_text(title)}</h1>"
    made_with = {"Direction Finder": run.config["direction_finder"], "torch": run.config["torch"]}
    yield _table([[name, value] for name, value in {**facts, **made_with}.items()])
    files = {name: run.folder / f"{name}.json" for name in ALL}
    reports = {name: read_json(path) for name, path in files.items() if path.is_file()}
    measured = [list(cell) for cell in cells(reports)]
    if measured:
        yield "<h2>Measured</h2>"
        yield _table(measured)
    if (run.folder / RANK).is_file():
        report, directions = read_json(run.folder / RANK), Directions.load(run.directions)
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


def _text(value: Any) -> str:
    return html.escape(str(value))
