"""Measure directions against known factors, which a factor network reads in images, and plot the effects."""

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
from direction_finder.metrics.resumable import prefixed
from direction_finder.reports.measures.measurement import SHOWN, Cell, Metric, Quantity, Report, called, interval
from direction_finder.reports.measures.task import Task

UNIT = "root mean square change, in natural spreads per unit of z"


def effects(task: Task) -> Report:
    """Measure how far each known factor changes along each direction, and how cleanly."""
    return {**factors.summary(task.effects), **_settings(task), "directions": len(task.found)}


def _settings(task: Task) -> Report:
    """Return everything that metrics of factors depend on."""
    return {"class": task.class_name, "seed": task.seed, "factor_network": task.reader.about}


def _effect_lines(report: Report, about: str) -> Iterator[str]:
    directions = f"{report['directions']} {about.partition(' in ')[0]}"
    yield f"  {directions}, {report['class']}, {report['samples']} latents"
    yield from (f"  {name:16} {Value(**value)}" for name, value in report["scores"].items())
    yield f"  {'':16} {''.join(f'{name:>8}' for name in report['factors'])}"
    for index in report["strongest"][:SHOWN]:
        cells = "".join(f"{value:8.2f}" for value in report["effects"][index])
        yield f"  {called(report, index):16} {cells}   {labels(report, [index])[0]}"


def _effect_cells(report: Report) -> Iterator[Cell]:
    return (interval(Quantity(name, "higher", 0, 1), value) for name, value in report["scores"].items())


def labels(report: Report, indexes: Sequence[int]) -> list[str]:
    """Describe what directions change: "x 83 %", or "mixed"."""
    return [
        f"{report['shares'][i][0]} {report['shares'][i][1]:.0%}" if report["names"][i] else "mixed" for i in indexes
    ]


def _drawn(report: Report, about: str) -> dict[str, Any]:
    """Return the arguments of the figure of effects."""
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
    """Plot the effects of all directions on all factors into a file."""
    heat_map(path, **_drawn(report, task.about))


def alignment(task: Task) -> Report:
    """Measure how much of each factor's spread remains after alignment along the direction that changes it most."""
    best = task.effects.squares.mean(0).argmax(0).tolist()
    samples, results = len(task.effects.squares), {}
    for name, number in zip(task.effects.factors, best, strict=True):
        direction = task.found[number]
        measured = factors.alignment(task.generator, task.reader, direction, task.sampling, samples=samples)
        spreads = {factor: {key: vars(value) for key, value in values.items()} for factor, values in measured.items()}
        results[name] = {"direction": number, "spreads": spreads}
    return {"of": results, "samples": samples, **_settings(task)}


def _alignment_lines(report: Report, about: str) -> Iterator[str]:
    for name, result in report["of"].items():
        spreads = ", ".join(f"{factor} {Value(**spread['kept'])}" for factor, spread in result["spreads"].items())
        yield f"  aligned along direction {result['direction']} ({name}), remaining spread: {spreads}"


def against_renders(task: Task) -> Report:
    """Compare a generator's images with renders with known factors."""
    choices = task.choices
    if not choices.renders or not choices.other_renders:
        raise InputError("--metric fidelity needs `renders` and `other_renders`: give data sets of `scenes shapes`")
    result = fidelity.fidelity(
        task.generator,
        task.reader,
        Dataset.open(choices.renders),
        Dataset.open(choices.other_renders),
        samples=choices.samples,
        seed=task.seed,
        cache=prefixed(task.cache, "fidelity"),
        on_step=task.on_step,
    )
    return {**dataclasses.asdict(result), "features": LITE0, "seed": task.seed}


def _fidelity_lines(report: Report, about: str) -> Iterator[str]:
    yield f"  {report['samples']} images and as many renders"
    yield "  read as the requested class: " + ", ".join(f"{name} {part:.3f}" for name, part in report["asked"].items())
    yield "  distance to renders (Kolmogorov-Smirnov; on circles Kuiper): " + ", ".join(
        f"{name} {value:.3f}" for name, value in report["distances"].items()
    )
    yield f"  Frechet distance ({report['features']}) to renders: " + ", ".join(
        f"{name} {value:.2f}" for name, value in report["frechet"].items()
    )


def _fidelity_cells(report: Report) -> Iterator[Cell]:
    value = report["frechet"]["generated"]
    yield Cell(Quantity(f"Frechet distance to renders ({report['features']})", "lower"), value, f"{value:.2f}")


METRICS = (
    Metric("factors", effects, _effect_lines, _effect_cells, _plot_effects, network=True),
    Metric("alignment", alignment, _alignment_lines, lambda report: iter(()), network=True),
)
OF_GENERATORS = (
    Metric("fidelity", against_renders, _fidelity_lines, _fidelity_cells, of_directions=False, network=True),
)
