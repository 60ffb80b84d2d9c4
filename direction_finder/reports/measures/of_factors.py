"""Metrics against known factors, which a factor network reads in pictures, and their figure."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from direction_finder.datasets import Dataset
from direction_finder.errors import InputError
from direction_finder.figures import draw_heat_map, heat_map
from direction_finder.metrics import factors, fidelity
from direction_finder.metrics.features import LITE0
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.parts import under
from direction_finder.reports.measures.measurement import SHOWN, Cell, Metric, Quantity, Report, interval
from direction_finder.reports.measures.task import Task

UNIT = "root mean square change, in natural spreads per unit of z"


def effects(task: Task) -> Report:
    """How far each known factor moves along each direction, and how cleanly."""
    return {**factors.summary(task.effects), **_settings(task), "directions": len(task.found)}


def _settings(task: Task) -> Report:
    """All that measures of factors depend on."""
    return {"class": task.class_name, "seed": task.seed, "factor_network": task.reader.about}


def _effect_lines(report: Report, about: str) -> Iterator[str]:
    directions = f"{report['directions']} {about.partition(' in ')[0]}"
    yield f"  {directions}, {report['class']}, {report['samples']} latents"
    yield from (f"  {name:16} {Value(**value)}" for name, value in report["scores"].items())
    yield f"  {'':16} {''.join(f'{name:>8}' for name in report['factors'])}"
    for index in report["strongest"][:SHOWN]:
        cells = "".join(f"{value:8.2f}" for value in report["effects"][index])
        yield f"  {f'direction {index}':16} {cells}   {labels(report, [index])[0]}"


def _effect_cells(report: Report) -> Iterator[Cell]:
    return (interval(Quantity(name, "higher", 0, 1), value) for name, value in report["scores"].items())


def labels(report: Report, indexes: Sequence[int]) -> list[str]:
    """What directions move, in words: "x 83 %", or "mixed"."""
    return [
        f"{report['shares'][i][0]} {report['shares'][i][1]:.0%}" if report["names"][i] else "mixed" for i in indexes
    ]


def _drawn(report: Report, about: str) -> dict[str, Any]:
    """What the figure of effects shows."""
    order = report["strongest"]
    return {
        "values": np.array(report["effects"])[order],
        "rows": [f"direction {i}  ({label})" for i, label in zip(order, labels(report, order), strict=True)],
        "columns": report["factors"],
        "title": f"{about.partition(' directions')[0]}, {report['class']}",
        "unit": UNIT,
    }


def _plot_effects(report: Report, about: str, ax: Any) -> Any:
    return draw_heat_map(ax, **_drawn(report, about))


def draw_effects(task: Task, report: Report, path: Path) -> None:
    heat_map(path, **_drawn(report, task.about))


def alignment(task: Task) -> Report:
    """What is left of each factor's spread along the direction that moves it most."""
    best = task.effects.squares.mean(0).argmax(0).tolist()
    samples, of = len(task.effects.squares), {}
    for name, number in zip(task.effects.factors, best, strict=True):
        direction = task.found[number]
        found = factors.alignment(task.generator, task.reader, direction, task.sampling, samples=samples)
        spreads = {factor: {what: vars(value) for what, value in each.items()} for factor, each in found.items()}
        of[name] = {"direction": number, "spreads": spreads}
    return {"of": of, "samples": samples, **_settings(task)}


def _alignment_lines(report: Report, about: str) -> Iterator[str]:
    for name, each in report["of"].items():
        kept = ", ".join(f"{factor} {Value(**found['kept'])}" for factor, found in each["spreads"].items())
        yield f"  aligned along direction {each['direction']} ({name}), spread kept: {kept}"


def against_renders(task: Task) -> Report:
    """A generator's pictures against renders with known factors."""
    choices = task.choices
    if not choices.renders or not choices.other_renders:
        raise InputError("--metric fidelity needs `renders` and `other_renders`, sets that `scenes shapes` made")
    found = fidelity.fidelity(
        task.generator,
        task.reader,
        Dataset.open(choices.renders),
        Dataset.open(choices.other_renders),
        samples=choices.samples,
        seed=task.seed,
        keep=under(task.keep, "fidelity"),
        on_step=task.on_step,
    )
    return {**dataclasses.asdict(found), "features": LITE0, "seed": task.seed}


def _fidelity_lines(found: Report, about: str) -> Iterator[str]:
    yield f"  {found['samples']} pictures and as many renders"
    yield "  read as the class asked for: " + ", ".join(f"{name} {part:.3f}" for name, part in found["asked"].items())
    yield "  distance to renders (Kolmogorov-Smirnov; on circles Kuiper): " + ", ".join(
        f"{name} {value:.3f}" for name, value in found["distances"].items()
    )
    yield f"  Frechet distance ({found['features']}) to renders: " + ", ".join(
        f"{name} {value:.2f}" for name, value in found["frechet"].items()
    )


def _fidelity_cells(found: Report) -> Iterator[Cell]:
    value = found["frechet"]["generated"]
    yield Cell(Quantity(f"Frechet distance to renders ({found['features']})", "lower"), value, f"{value:.2f}")


METRICS = (
    Metric("factors", effects, _effect_lines, _effect_cells, _plot_effects, network=True),
    Metric("alignment", alignment, _alignment_lines, lambda report: iter(()), network=True),
)
OF_GENERATORS = (
    Metric("fidelity", against_renders, _fidelity_lines, _fidelity_cells, of_directions=False, network=True),
)
