"""What `direction-finder rank` does."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.kept import Kept, going_on, identity
from direction_finder.commands.measures.of_factors import labels
from direction_finder.commands.options import bar
from direction_finder.commands.recorder import Bars
from direction_finder.commands.target import DEFAULT_EXTENT, RANK, Target, class_index
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import read_json, write_json
from direction_finder.metrics import ranking
from direction_finder.metrics.activeness import activeness
from direction_finder.metrics.parts import under
from direction_finder.metrics.ranking import Signal
from direction_finder.metrics.usable_range import FARTHEST, Drift

COMPARED = 16  # random directions whose activeness and layers are measured, for comparison
REST = 4  # of the others that are shown, the last in order


def rank(
    target: Path, others: tuple[Path, ...], most: int, samples: int, hessians: int, ranges: str, **options: Any
) -> None:
    """Say which directions matter, and why; `render` then shows these unless told otherwise."""
    opened, found, folder = _open(target, options)
    compared = [Directions.load(path) for path in others]
    signals: list[Signal] = []
    chunk = opened.generator.chunk if opened else found.config.get("chunk")
    if chunk:
        signals.append(ranking.localised(found, chunk, options["seed"]))
    if compared:
        signals.append(ranking.agreement(found, compared, options["seed"]))
    with going_on() as kept:
        if opened:
            signals += _measured(opened, samples, hessians, options, kept)
        order = ranking.ordered(signals)
        listed = ranking.short_list(signals, most)
        threshold, wanted = None, ()
        if opened and ranges != "none":
            wanted = listed if ranges == "listed" else range(len(found))
            found, threshold = _ranged(opened, wanted, options)
    report = {
        "directions_sha256": found.sha256,
        "short_list": listed,
        "order": order,
        "signals": {
            each.name: {"values": each.values.tolist(), "chance": each.chance, "where": each.where} for each in signals
        },
        "drift": threshold,
        "with": [str(path) for path in others],
        **{"samples": samples, "hessians": hessians, "seed": options["seed"]},
    }
    write_json(folder / RANK, report)
    click.echo("\n".join(_lines(found, signals, order, listed, _moves(folder, found))))
    if any(found.ranges[index] is None for index in wanted):
        click.echo(f"no range: pictures stay usual up to {FARTHEST:.0f}; render goes to {DEFAULT_EXTENT:.0f}")


def _open(target: Path, options: dict[str, Any]) -> tuple[Target | None, Directions, Path]:
    """The directions with their generator; without, if it is not at hand and the matrix alone tells something."""
    try:
        opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
        return opened, opened.directions, opened.folder
    except InputError as error:
        directions = Directions.load(target)
        if options["generator"] or not directions.config.get("chunk"):
            raise
        click.echo(f"Ranked by the matrix alone ({error}).", err=True)
        return None, directions, target if target.is_dir() else target.parent


def _measured(
    opened: Target, samples: int, hessians: int, options: dict[str, Any], kept: ExitStack
) -> Iterator[Signal]:
    """The signals that need the generator."""
    generator, directions, seed = opened.generator, opened.directions, options["seed"]
    index = class_index(generator, directions, options["class_text"])
    how = {"class_index": index, "seed": seed, "max_batch": opened.max_batch}
    keep = kept.enter_context(Kept({**identity(generator, directions, index), "rank": [samples, seed]}))
    random = replace(
        directions,
        vectors=ranking.random_rows(directions, COMPARED, seed),
        layers=(directions.layers[0],) * COMPARED,
        orthonormal=False,
        **dict.fromkeys(("names", "scores", "ranges"), ()),
    )
    if generator.num_layers >= 3:
        yield ranking.localised_in_layers(generator, directions, random, **how)
    with Bars("direction") as bars:
        values, chance = (
            activeness(generator, each, samples=samples, keep=under(keep, name), on_step=bars, **how).mean(1)
            for name, each in (("activeness", directions), ("random", random))
        )
        yield Signal("activeness", values, ranking.of_chance(chance))
    if hessians and not generator.differentiable:
        click.echo(f"{generator.name} lets no gradient through: ranked without Hessians.", err=True)
    elif hessians and len(directions) > 1:
        with Bars("Hessian") as bars:
            found = ranking.hessians_along(
                generator, directions, count=hessians, keep=under(keep, "Hessian"), on_step=bars, **how
            )
        yield ranking.diagonal(found, seed)


def _ranged(opened: Target, wanted: Collection[int], options: dict[str, Any]) -> tuple[Directions, dict[str, Any]]:
    """The directions with the usable ranges of those wanted, saved; and what these ranges are about."""
    index = class_index(opened.generator, opened.directions, options["class_text"])
    with Bars("picture") as bars:
        drift = Drift(
            opened.generator, class_index=index, seed=options["seed"], max_batch=opened.max_batch, on_step=bars
        )
    ranges = list(opened.directions.ranges)
    with bar(len(wanted), "measuring usable ranges", "direction") as progress:
        for index in wanted:
            ranges[index] = drift.usable_range(opened.directions[index])
            progress.update()
    found = replace(opened.directions, ranges=tuple(ranges))
    found.save(opened.path)
    return found, {"threshold": drift.threshold, "usual": drift.usual}


def _moves(folder: Path, directions: Directions) -> list[str]:
    """What each direction moves, where `measure --metric factors` has told."""
    path = folder / "factors.json"
    report = read_json(path) if path.is_file() else {}
    if len(report.get("names", [])) != len(directions):
        return [""] * len(directions)
    return labels(report, range(len(directions)))


def _lines(
    directions: Directions, signals: list[Signal], order: list[int], listed: list[int], moves: list[str]
) -> Iterator[str]:
    heads = [each.name for each in signals]
    places = next((each.where for each in signals if each.where), [""] * len(directions))
    yield f"{'':18}{''.join(f'{head:>12}' for head in heads)}{'range':>8}"
    yield f"{'95 % of random':18}{''.join(f'{each.chance:12.3g}' for each in signals)}"
    others = [index for index in order if index not in listed]
    for index in [*listed, *others[-REST:]]:
        if others and index == others[-REST:][0]:
            yield f"... and at the end of the others, {len(others)} in all:"
        name = f"direction {index}" + (f" {directions.names[index]}" if directions.names[index] else "")
        cells = "".join(f"{each.values[index]:11.3g}{'*' if each.telling[index] else ' '}" for each in signals)
        reach = directions.ranges[index]
        yield f"{name:18}{cells}{'' if reach is None else f'{reach:.3g}':>8}  {places[index]:8} {moves[index]}".rstrip()
    yield "* above 95 % of random directions"
