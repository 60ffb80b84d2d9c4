"""What `direction-finder measure` does."""

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.actions.page import write_page
from direction_finder.commands.kept import Kept, going_on, identity
from direction_finder.commands.latest import newest_run
from direction_finder.commands.measures import (
    ALL,
    FIGURES,
    OF_DIRECTIONS,
    SIDE_BY_SIDE,
    TOGETHER,
    WITH_A_NETWORK,
)
from direction_finder.commands.measures.asked import Asked, Report
from direction_finder.commands.measures.table import table
from direction_finder.commands.options import pick_device
from direction_finder.commands.target import Target, class_index, load
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, replacing, write_json
from direction_finder.generators import Generator
from direction_finder.generators.shipped import shipped
from direction_finder.generators.weights import state_sha256
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork


def measure(
    targets: tuple[str, ...],
    metrics: tuple[str, ...],
    factor_network: Path | None,
    class_text: str | None,
    write_names: bool,
    out: Path | None,
    as_json: bool,
    generator: str | None,
    device: str,
    **settings: Any,
) -> None:
    """Measure run folders, directions files or generators; several are set side by side in a table."""
    if write_names and "factors" not in metrics:
        raise InputError("--name needs --metric factors: directions are named after the factors that they move")
    targets = tuple(str(newest_run(text)) for text in targets)
    _check(targets, metrics)
    network = FactorNetwork.load(factor_network or shipped(NETWORK)) if WITH_A_NETWORK & set(metrics) else None
    reports = {}
    with going_on() as kept:
        for text in targets:
            if not as_json:
                click.echo(f"{text}:")
            target, drawn = _open(text, generator, device, settings["max_batch"])
            asked = _asked(target, drawn, class_text, network, settings, kept)
            reports[text] = _measure(asked, target, metrics, quiet=as_json)
            if target:
                _finish(target, reports[text]["factors"]["names"] if write_names else None, quiet=as_json)
    if out:
        _write_together(reports, out)
    if as_json:
        click.echo(json.dumps(reports, indent=2, sort_keys=True))
    elif len(targets) > 1:
        click.echo(f"\n{table(reports)}")


def _check(targets: tuple[str, ...], metrics: tuple[str, ...]) -> None:
    """Raise InputError, before anything is measured, if a metric is for directions and a target is no path."""
    for name in metrics:
        for text in targets:
            if name in OF_DIRECTIONS and not Path(text).exists():
                raise InputError(f"{text}: no run folder or directions file, which --metric {name} needs")


def _open(text: str, generator: str | None, device: str, max_batch: int) -> tuple[Target | None, Generator]:
    """The directions that a path names and their generator; or a generator alone."""
    if Path(text).exists():
        target = Target.open(Path(text), generator, device, max_batch)
        return target, target.generator
    return None, load(text, pick_device(device))


def _asked(
    target: Target | None,
    drawn: Generator,
    class_text: str | None,
    network: FactorNetwork | None,
    settings: dict[str, Any],
    kept: ExitStack,
) -> Asked:
    """What is asked of one target. kept: holds the parts of its measures until all targets are done."""
    directions = target and target.directions
    index = class_index(drawn, directions, class_text)
    if network:
        network.to(drawn.device)
    depends_on = {
        **identity(drawn, directions, index),
        "network": network and state_sha256(network.state_dict()),
        **{name: str(value) for name, value in settings.items()},
    }
    return Asked(drawn, directions, index, network, keep=kept.enter_context(Kept(depends_on)), **settings)


def _measure(asked: Asked, target: Target | None, metrics: tuple[str, ...], *, quiet: bool) -> Report:
    """The reports of one target, each written into its run folder too, with its figure."""
    reports: Report = {}
    for name, take in ALL.items():
        if name not in metrics:
            continue
        reports[name], lines = take(asked)
        if not quiet:
            click.echo("\n".join(lines))
        if target:
            write_json(target.folder / f"{name}.json", reports[name])
            if name in FIGURES:
                FIGURES[name](asked, reports[name], target.folder / f"{name}.png")
    return reports


def _finish(target: Target, names: list[str | None] | None, *, quiet: bool) -> None:
    """Name the directions, if they get names, and write the page of the run."""
    if names:
        replace(target.directions, names=tuple(names)).save(target.path)
    if (target.folder / CONFIG).is_file():
        written = write_page(target.folder)
        if not quiet:
            click.echo(f"  {written}")


def _write_together(reports: dict[str, Report], out: Path) -> None:
    """All targets in one file, one table, and figures side by side, named by the last parts of their paths."""
    write_json(out / f"{TOGETHER}.json", reports)
    with replacing(out / f"{TOGETHER}.md") as part:
        part.write_text(table(reports) + "\n", encoding="utf-8")
    last = [Path(text).name for text in reports]
    short = dict(zip(reports, last if len(set(last)) == len(last) else reports, strict=True))
    for name, figure in SIDE_BY_SIDE.items():
        of = {short[text]: report[name] for text, report in reports.items() if name in report}
        if of:
            figure(of, out / f"{name}.png")
