"""Carry out `direction-finder measure`."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from direction_finder import torchrun
from direction_finder.commands.actions.processes import together
from direction_finder.commands.actions.shared import folder_of, going_on
from direction_finder.commands.option_values import Measuring
from direction_finder.commands.printing import say, say_json, tell
from direction_finder.directions import Directions
from direction_finder.discovery.estimates import Cost
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS
from direction_finder.generators.weights import state_sha256
from direction_finder.locks import locked
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Bars
from direction_finder.reports.measures import (
    METRICS,
    Choices,
    Measurement,
    Report,
    Task,
    read_network,
    take,
)
from direction_finder.reports.measures.again import measure_again
from direction_finder.reports.measures.estimates import Estimator
from direction_finder.reports.measures.saving import save, save_together
from direction_finder.reports.pages.page import write_page
from direction_finder.reports.table import table
from direction_finder.resumable import uncached
from direction_finder.runs.latest import newest_run
from direction_finder.runs.loading import Loaded, Loader, class_index
from direction_finder.runs.measure_cache import MeasureCache, identity
from direction_finder.samples import Samples

SCORED = ("targets", "metrics", "samples", "class_text", "seed", "write_names", "out", "as_json", "again")


def measure(targets: tuple[str, ...], options: Measuring, given: Sequence[str] = ()) -> None:
    """Measure run folders, directions files or generators, and print the results; several also as a table.

    given: the names of the options that the user gave. The processes of `torchrun` share the images; only the first
    one writes.
    """
    with together(options.dry_run):
        _measure(targets, options, given)


def _measure(targets: tuple[str, ...], options: Measuring, given: Sequence[str]) -> None:
    if options.write_names and "factors" not in options.metrics:
        raise InputError("--name needs --metric factors: directions are named after the factors that they change")
    if options.straight and (options.write_names or options.again):
        raise InputError("--straight saves nothing in a run folder: leave out --name and --again")
    targets = tuple(str(newest_run(text)) for text in targets)
    _check(targets, options, given)
    if options.dry_run:
        _estimate(targets, options)
        return
    folders = {folder_of(path) for path in map(Path, targets) if path.exists() and not torchrun.number()}
    with ExitStack() as stack:
        for folder in sorted({folder.resolve(): folder for folder in folders}.values()):
            stack.enter_context(locked(folder))
        reports = _scored(targets, options, given) if options.again else _measured(targets, options)
    if options.out and not torchrun.number():
        save_together(reports, options.out)
    if options.as_json:
        say_json(reports)
    elif len(targets) > 1:
        say("", *table(reports).split("\n"))


def _check(targets: tuple[str, ...], options: Measuring, given: Sequence[str]) -> None:
    """Raise InputError, before anything is measured, if a target is not a path but must be one."""
    for text in (text for text in targets if not Path(text).exists()):
        if options.again:
            raise InputError(f"{text}: not a run folder or directions file, which --again needs")
        for name in options.metrics:
            if METRICS[name].of_directions:
                raise InputError(f"{text}: not a run folder or directions file, which --metric {name} needs")
    if options.again and torchrun.count() > 1:
        raise InputError("--again computes no images that processes could share: leave out torchrun")
    if options.again and (without := [name for name in given if name not in SCORED]):
        raise InputError(f"`{without[0]}` has no effect with --again, which computes no images: leave it out")


def _measured(targets: tuple[str, ...], options: Measuring) -> dict[str, dict[str, Report]]:
    """Return the reports of each target, and save those of runs in their folders."""
    reports: dict[str, dict[str, Report]] = {}
    with going_on(), ExitStack() as stack:
        for text, target, task in _tasks(targets, options, stack):
            folder = None if target is None or options.straight or torchrun.number() else target.folder
            reports[text] = {}
            for name in _names(options):
                _tell(measurement := take(task, name), options)
                reports[text][name] = measurement.report
                if folder:
                    with torchrun.alone():
                        save(measurement, folder, task, on_note=tell)
            if folder:
                _finish(Path(text), reports[text], options)
    return reports


def _estimate(targets: tuple[str, ...], options: Measuring) -> None:
    """Print what each metric of each target would cost."""
    found: dict[str, dict[str, Cost]] = {}
    with ExitStack() as stack:
        for text, _, task in _tasks(targets, options, stack):
            estimator = Estimator(task)
            found[text] = {name: estimator.cost(name) for name in _names(options)}
    say_json({text: {name: cost.plain() for name, cost in costs.items()} for text, costs in found.items()})
    images, seconds, gib = zip(*(cost for costs in found.values() for cost in costs.values()), strict=True)
    tell(f"about {Cost(sum(images), sum(seconds), max(gib))}, judging by a part of it that was carried out")


def _tasks(targets: tuple[str, ...], options: Measuring, stack: ExitStack) -> Iterator[tuple[str, Loaded | None, Task]]:
    """Yield each target, what was loaded if it is a path, and what to measure of it; print its name before."""
    reads_factors = any(METRICS[name].network for name in options.metrics)
    network = read_network(options.factor_network, options.reader) if reads_factors else None
    loader = Loader(options.device, progress=True)
    for text in targets:
        if not options.as_json and not options.dry_run:
            say(f"{text}:")
        target = Loaded.open(Path(text), loader, options.generator) if Path(text).exists() else None
        if target and options.straight:
            target = dataclasses.replace(target, directions=target.directions.straight)
        yield text, target, _task(target, loader, text, network, options, stack)


def _scored(targets: tuple[str, ...], options: Measuring, given: Sequence[str]) -> dict[str, dict[str, Report]]:
    """Return the reports of each target, computed again from its raw measurements, and save them."""
    samples = Samples.load(options.samples) if isinstance(options.samples, Path) else options.samples
    seed = options.seed if "seed" in given else None
    reports: dict[str, dict[str, Report]] = {}
    for text in targets:
        path = Path(text)
        if not options.as_json:
            say(f"{text}:")
        reports[text] = {}
        for name in _names(options):
            measurement = measure_again(path, name, samples=samples, seed=seed, class_name=options.class_text)
            _tell(measurement, options)
            reports[text][name] = measurement.report
            save(measurement, folder_of(path), on_note=tell)
        _finish(path, reports[text], options)
    return reports


def _names(options: Measuring) -> list[str]:
    """Return the names of the chosen metrics, in the order in which they are measured."""
    return [name for name in METRICS if name in options.metrics]


def _tell(measurement: Measurement, options: Measuring) -> None:
    if not options.as_json:
        say(*str(measurement).split("\n"))


def _task(
    target: Loaded | None,
    loader: Loader,
    text: str,
    network: Reader | None,
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
        **choices.depends_on,
    }
    cache = uncached if torchrun.number() or options.dry_run else stack.enter_context(MeasureCache(depends_on, tell))
    return Task(generator, directions, sampling, choices, network, cache, stack.enter_context(Bars()))


def _finish(path: Path, reports: dict[str, Report], options: Measuring) -> None:
    """Name the directions in a run folder or file, with --name, and write the page of a run."""
    if options.write_names:
        directions = Directions.load(path)
        named = dataclasses.replace(directions, names=tuple(reports["factors"]["names"]))
        named.save(path / DIRECTIONS if path.is_dir() else path)
    folder = folder_of(path)
    if (folder / CONFIG).is_file() and (path.is_dir() or path.name == DIRECTIONS):
        written = write_page(folder, strips=False, on_note=tell)
        if not options.as_json:
            say(f"  {written}")
