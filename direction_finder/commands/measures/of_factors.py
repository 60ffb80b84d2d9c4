"""Measures against known factors, which a factor network reads in pictures, and their figure."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from direction_finder.commands.measures.asked import SHOWN, Asked, Report
from direction_finder.commands.recorder import Bars
from direction_finder.datasets import Dataset
from direction_finder.errors import InputError
from direction_finder.figures import heat_map
from direction_finder.metrics import factors, fidelity
from direction_finder.metrics.features import LITE0
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.parts import under


def effects(asked: Asked) -> tuple[Report, list[str]]:
    report = {**factors.summary(asked.effects), **_of(asked)}
    lines = [f"  {len(asked.directions)} {asked.directions.method} directions, {asked.class_name}, "
             f"{report['samples']} latents"]  # fmt: skip
    lines += [f"  {name:16} {Value(**value)}" for name, value in report["scores"].items()]
    lines.append(f"  {'':16} {''.join(f'{name:>8}' for name in report['factors'])}")
    for index in report["strongest"][:SHOWN]:
        cells = "".join(f"{value:8.2f}" for value in report["effects"][index])
        lines.append(f"  {f'direction {index}':16} {cells}   {labels(report, [index])[0]}")
    return report, lines


def _of(asked: Asked) -> Report:
    """All that measures of factors depend on."""
    return {"class": asked.class_name, "seed": asked.seed, "factor_network": asked.network.about}


def labels(report: Report, indexes: Sequence[int]) -> list[str]:
    """What directions move, in words: "x 83 %", or "mixed"."""
    return [
        f"{report['shares'][i][0]} {report['shares'][i][1]:.0%}" if report["names"][i] else "mixed" for i in indexes
    ]


def draw_effects(asked: Asked, report: Report, path: Path) -> None:
    order = report["strongest"]
    heat_map(
        path,
        np.array(report["effects"])[order],
        rows=[f"direction {i}  ({label})" for i, label in zip(order, labels(report, order), strict=True)],
        columns=report["factors"],
        title=f"{asked.directions.method}, {report['class']}",
        unit="root mean square change, in natural spreads per unit of z",
    )


def alignment(asked: Asked) -> tuple[Report, list[str]]:
    """Along the direction that moves each factor most."""
    best = asked.effects.squares.mean(0).argmax(0).tolist()
    how = {"class_index": asked.class_index, "seed": asked.seed, "max_batch": asked.max_batch}
    samples, of, lines = len(asked.effects.squares), {}, []
    for name, number in zip(asked.effects.factors, best, strict=True):
        found = factors.alignment(asked.generator, asked.network, asked.directions[number], samples=samples, **how)
        spreads = {factor: {what: vars(value) for what, value in each.items()} for factor, each in found.items()}
        of[name] = {"direction": number, "spreads": spreads}
        kept = ", ".join(f"{factor} {each['kept']}" for factor, each in found.items())
        lines.append(f"  aligned along direction {number} ({name}), spread kept: {kept}")
    return {"of": of, "samples": samples, **_of(asked)}, lines


def against_renders(asked: Asked) -> tuple[Report, list[str]]:
    if not asked.renders or not asked.other_renders:
        raise InputError("--metric fidelity needs --renders and --other-renders, sets that `scenes shapes` made")
    sets = [Dataset.open(folder) for folder in (asked.renders, asked.other_renders)]
    with Bars("batch") as bars:
        found = fidelity.fidelity(
            asked.generator, asked.network, *sets, samples=asked.samples, seed=asked.seed,
            keep=under(asked.keep, "fidelity"), on_step=bars,
        )  # fmt: skip
    report = {**dataclasses.asdict(found), "features": LITE0, "seed": asked.seed}
    return report, list(_told(report))


def _told(found: Report) -> Iterator[str]:
    yield f"  {found['samples']} pictures and as many renders"
    yield "  read as the class asked for: " + ", ".join(f"{name} {part:.3f}" for name, part in found["asked"].items())
    yield "  distance to renders (Kolmogorov-Smirnov; on circles Kuiper): " + ", ".join(
        f"{name} {value:.3f}" for name, value in found["distances"].items()
    )
    yield f"  Frechet distance ({found['features']}) to renders: " + ", ".join(
        f"{name} {value:.2f}" for name, value in found["frechet"].items()
    )
