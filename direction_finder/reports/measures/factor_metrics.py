"""Measure directions against known factors, which a factor network reads in images, and plot the effects."""

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from direction_finder.datasets import Dataset, Factor
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.figures import draw_heat_map, heat_map
from direction_finder.metrics import factors, fidelity
from direction_finder.metrics.features import LITE0
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.readings import Readings, read_samples
from direction_finder.reports.measures import layouts
from direction_finder.reports.measures.kinds import read_report
from direction_finder.reports.measures.measurement import SHOWN, Cell, Metric, Quantity, Report, called, interval
from direction_finder.reports.measures.raw import Raw
from direction_finder.reports.measures.task import Task
from direction_finder.resumable import in_parts, prefixed

UNIT = "root mean square change, in natural spreads per unit of z"


def read(task: Task) -> Raw:
    """Read the factors along all directions."""
    readings = task.readings
    settings = {**_settings(task), "varied": list(readings.varied), "step": readings.step}
    return Raw({"base": readings.base, "moved": readings.moved}, settings)


def _settings(task: Task) -> Report:
    """Return the settings that all metrics of factors have."""
    records = [{**dataclasses.asdict(each), "choices": list(each.choices)} for each in task.reader.factors]
    return {"factors": records, "factor_network": task.reader.about}


def _factors(raw: Raw) -> tuple[Factor, ...]:
    return tuple(Factor.from_json(record) for record in raw.settings["factors"])


def _depends(raw: Raw) -> Report:
    """Return everything that metrics of factors depend on."""
    return {"class": raw.origin["class"], "seed": raw.seed, "factor_network": raw.settings["factor_network"]}


def effects(raw: Raw) -> Report:
    """Compute how far each known factor changes along each direction, and how cleanly."""
    varied, step = tuple(raw.settings["varied"]), raw.settings["step"]
    readings = Readings(_factors(raw), varied, raw.tensors["base"], raw.tensors["moved"], step)
    return {
        **factors.summary(factors.effects_of(readings)),
        **_depends(raw),
        "directions": len(readings.moved),
    }


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


def moves(factors: Path, directions: Directions, on_note: Callable[[str], None] = warnings.warn) -> list[str]:
    """Describe what each direction changes, from a report of the metric `factors`; empty without a matching report.

    on_note: called with a message if the report is damaged.
    """
    if not factors.exists():
        return []
    try:
        report = read_report(factors)
    except InputError as error:
        on_note(f"What directions change is left out: {error}")
        return []
    return labels(report, range(len(directions))) if len(report["names"]) == len(directions) else []


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


def draw_effects(report: Report, about: str, path: Path) -> None:
    """Plot the effects of all directions on all factors into a file."""
    heat_map(path, **_drawn(report, about))


def align(task: Task) -> Raw:
    """Read the factors after alignment along the direction that changes each one most."""
    readings = task.readings
    best = factors.effects_of(readings).squares.mean(0).argmax(0).tolist()
    read_each = partial(read_samples, task.generator, task.reader, task.sampling, samples=len(readings.base))
    chosen = sorted({*best})
    parts = in_parts(
        len(chosen),
        lambda number: read_each(along=task.found[chosen[number]]),
        "aligning",
        "direction",
        cache=prefixed(task.cache, "aligned"),
        on_step=task.on_step,
    )
    aligned = [parts[chosen.index(number)] for number in best]
    settings = {**_settings(task), "along": dict(zip(readings.varied, best, strict=True))}
    return Raw({"base": readings.base, "aligned": torch.stack(aligned)}, settings)


def alignment(raw: Raw) -> Report:
    """Compute how much of each factor's spread remains after alignment along the direction that changes it most."""
    base, along, results = raw.tensors["base"], raw.settings["along"], {}
    varied = [factor.name for factor in _factors(raw) if factor.name in along]
    for name, aligned in zip(varied, raw.tensors["aligned"], strict=True):
        measured = factors.remaining(_factors(raw), varied, base, aligned, raw.seed)
        spreads = {factor: {key: vars(value) for key, value in values.items()} for factor, values in measured.items()}
        results[name] = {"direction": along[name], "spreads": spreads}
    return {"of": results, "samples": len(base), **_depends(raw)}


def _alignment_lines(report: Report, about: str) -> Iterator[str]:
    for name, result in report["of"].items():
        spreads = ", ".join(f"{factor} {Value(**spread['kept'])}" for factor, spread in result["spreads"].items())
        yield f"  aligned along direction {result['direction']} ({name}), remaining spread: {spreads}"


def look(task: Task) -> Raw:
    """Read the factors and compute the features of generated images, renders and other renders."""
    choices = task.choices
    if not choices.renders or not choices.other_renders:
        raise InputError("--metric fidelity needs `renders` and `other_renders`: give data sets of `scenes shapes`")
    looks = fidelity.look(
        task.generator,
        task.reader,
        Dataset.open(choices.renders),
        Dataset.open(choices.other_renders),
        samples=choices.samples,
        seed=task.seed,
        cache=prefixed(task.cache, "fidelity"),
        on_step=task.on_step,
    )
    return Raw({**looks.rows, "asked": looks.asked}, {**_settings(task), "label": looks.label, "features": LITE0})


def against_renders(raw: Raw) -> Report:
    """Compare a generator's images with renders with known factors."""
    rows = {name: raw.tensors[name] for name in fidelity.KINDS}
    looks = fidelity.Looks(_factors(raw), raw.settings["label"], rows, raw.tensors["asked"])
    result = dataclasses.asdict(fidelity.fidelity_of(looks))
    return {**result, "features": raw.settings["features"], "seed": raw.seed}


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
    Metric("factors", layouts.FACTORS, read, effects, _effect_lines, _effect_cells, _plot_effects, network=True),
    Metric("alignment", layouts.ALIGNMENT, align, alignment, _alignment_lines, lambda report: iter(()), network=True),
)
OF_GENERATORS = (
    Metric(
        "fidelity",
        layouts.FIDELITY,
        look,
        against_renders,
        _fidelity_lines,
        _fidelity_cells,
        of_directions=False,
        network=True,
    ),
)
