"""Carry out `direction-finder measure`."""

import dataclasses
import json
from contextlib import ExitStack
from pathlib import Path

import click

from direction_finder.commands.actions.shared import going_on, tell
from direction_finder.commands.option_values import Measuring
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, replacing, write_json
from direction_finder.generators.weights import state_sha256
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Bars
from direction_finder.reports.measures import (
    FIGURES,
    METRICS,
    SIDE_BY_SIDE,
    TOGETHER,
    Choices,
    Report,
    Task,
    read_network,
    take,
)
from direction_finder.reports.page import write_page
from direction_finder.reports.table import table
from direction_finder.runs.latest import newest_run
from direction_finder.runs.loading import Loaded, Loader, class_index
from direction_finder.runs.measure_cache import MeasureCache, identity
from direction_finder.samples import Samples


def measure(targets: tuple[str, ...], options: Measuring) -> None:
    """Measure run folders, directions files or generators, and print the results; several also as a table."""
    if options.write_names and "factors" not in options.metrics:
        raise InputError("--name needs --metric factors: directions are named after the factors that they change")
    targets = tuple(str(newest_run(text)) for text in targets)
    _check(targets, options.metrics)
    reads_factors = any(METRICS[name].network for name in options.metrics)
    network = read_network(options.factor_network) if reads_factors else None
    loader, reports = Loader(options.device, progress=True), {}
    with going_on(), ExitStack() as stack:
        for text in targets:
            if not options.as_json:
                click.echo(f"{text}:")
            path = Path(text) if Path(text).exists() else None
            target = Loaded.open(path, loader, options.generator) if path else None
            task = _task(target, loader, text, network, options, stack)
            reports[text] = _measure(task, target, options)
            if target:
                _finish(target, reports[text], options)
    if options.out:
        _write_together(reports, options.out)
    if options.as_json:
        click.echo(json.dumps(reports, indent=2, sort_keys=True))
    elif len(targets) > 1:
        click.echo(f"\n{table(reports)}")


def _check(targets: tuple[str, ...], metrics: tuple[str, ...]) -> None:
    """Raise InputError, before anything is measured, if a metric needs directions and a target is not a path."""
    for name in metrics:
        for text in targets:
            if METRICS[name].of_directions and not Path(text).exists():
                raise InputError(f"{text}: not a run folder or directions file, which --metric {name} needs")


def _task(
    target: Loaded | None,
    loader: Loader,
    text: str,
    network: FactorNetwork | None,
    options: Measuring,
    stack: ExitStack,
) -> Task:
    """Return what to measure of one target. stack: keeps its cache open until all targets are done."""
    generator, directions = (target.generator, target.directions) if target else (loader.load(text), None)
    index = class_index(generator, directions, options.class_text)
    loaded = Samples.load(options.samples) if isinstance(options.samples, Path) else None
    choices = Choices(
        options.samples if isinstance(options.samples, int) else None,
        options.features,
        options.weights,
        options.real,
        options.place,
        options.renders,
        options.other_renders,
    )
    sampling = Sampling(index, options.seed, options.max_batch, loaded)
    depends_on = {
        **identity(generator, directions, index),
        "network": network and state_sha256(network.to(generator.device).state_dict()),
        "sampling": [options.seed, options.max_batch, loaded and loaded.sha256],
        **{name: str(value) for name, value in dataclasses.asdict(choices).items()},
    }
    cache, bars = stack.enter_context(MeasureCache(depends_on)), stack.enter_context(Bars())
    return Task(generator, directions, sampling, choices, network, cache, bars)


def _measure(task: Task, target: Loaded | None, options: Measuring) -> dict[str, Report]:
    """Return the reports of one target, and save each one in its run folder, with its figure."""
    reports: dict[str, Report] = {}
    for name in METRICS:
        if name not in options.metrics:
            continue
        measurement = take(task, name)
        reports[name] = measurement.report
        if not options.as_json:
            click.echo(measurement)
        if target:
            measurement.save(target.folder / f"{name}.json")
            if name in FIGURES:
                FIGURES[name](task, measurement.report, target.folder / f"{name}.png")
    return reports


def _finish(target: Loaded, reports: dict[str, Report], options: Measuring) -> None:
    """Name the directions, with --name, and write the page of the run."""
    if options.write_names:
        dataclasses.replace(target.directions, names=tuple(reports["factors"]["names"])).save(target.path)
    if (target.folder / CONFIG).is_file():
        written = write_page(target.folder, on_note=tell)
        if not options.as_json:
            click.echo(f"  {written}")


def _write_together(reports: dict[str, dict[str, Report]], out: Path) -> None:
    """Write all targets into one file, one table and shared figures, with the last parts of their paths as names."""
    write_json(out / f"{TOGETHER}.json", reports)
    with replacing(out / f"{TOGETHER}.md") as part:
        part.write_text(table(reports) + "\n", encoding="utf-8")
    last = [Path(text).name for text in reports]
    short = dict(zip(reports, last if len(set(last)) == len(last) else reports, strict=True))
    for name, figure in SIDE_BY_SIDE.items():
        panels = {short[text]: report[name] for text, report in reports.items() if name in report}
        if panels:
            figure(panels, out / f"{name}.png")
