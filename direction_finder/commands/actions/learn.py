"""Carry out `direction-finder learn`."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import torch

from direction_finder import torchrun
from direction_finder.commands.actions.bend import bend
from direction_finder.commands.actions.processes import together
from direction_finder.commands.actions.shared import machine_given
from direction_finder.commands.console import Console
from direction_finder.commands.option_values import Drawing, Learning
from direction_finder.commands.options import given_options, shown
from direction_finder.commands.printing import as_options, say, say_json, tell
from direction_finder.directions import Directions
from direction_finder.discovery import SearchConfig, configure
from direction_finder.discovery.bend import BendSettings
from direction_finder.discovery.config_bases import EXACT
from direction_finder.discovery.configs import DirectConfig, LoopConfig
from direction_finder.discovery.methods import METHODS, method_named
from direction_finder.errors import InputError, Unfinished
from direction_finder.generators import Generator, Untold
from direction_finder.generators.base import class_phrase
from direction_finder.runs import learning
from direction_finder.runs.claims import claimed
from direction_finder.runs.folder import Run
from direction_finder.runs.latest import newest_run
from direction_finder.runs.learning import Search
from direction_finder.runs.lifecycle import Machine
from direction_finder.runs.loading import Loader
from direction_finder.runs.uploads import Storage


def learn(ctx: click.Context, options: Learning, settings: dict[str, Any]) -> None:
    """Find directions in a frozen generator and write them to a run folder."""
    if options.upload:
        Storage(options.upload)  # refuse a wrong address before anything slow
    with together(options.dry_run):
        if torchrun.count() > 1:
            _check_shared(options)
        if options.resume:
            _resume(options, given_options(ctx), settings)
        else:
            _begin(options, _given(settings))


def _check_shared(options: Learning) -> None:
    """Raise InputError unless the method is one whose points or steps the processes of `torchrun` can share."""
    method = Run.open(newest_run(options.resume)).config["method"] if options.resume else options.method
    able = [name for name, each in METHODS.items() if issubclass(each.config, DirectConfig | LoopConfig)]
    if method not in able:
        raise InputError(f"`method` {method} runs in one process: leave out torchrun, or give {', '.join(able)}")


def _untold(options: Learning) -> Untold:
    return Untold(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Untold)})


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of methods that were given on the command line."""
    return learning.absolute_start({name: value for name, value in settings.items() if value not in (None, ())})


def _begin(options: Learning, settings: dict[str, Any]) -> None:
    count = (1 if options.together else max(1, len(options.class_texts))) * max(1, len(options.part_texts))
    if not options.spec:
        raise InputError("no generator: give --generator, e.g. --generator shapes-64 (or --resume FOLDER)")
    if options.out and count > 1:
        raise InputError(
            f"--out names one run folder, but there are {count} runs: remove --out, or give one class and one part"
        )
    learning.check_parts(settings, options.part_texts)
    configure(options.method, settings)  # refuse wrong settings before anything slow
    if options.threads:
        torch.set_num_threads(options.threads)
    checks = options.out and not options.dry_run and not torchrun.number()
    with claimed(options.out) if checks else nullcontext():
        generator = Loader(options.device, progress=True).load(
            options.spec, truncation=options.truncation, untold=_untold(options)
        )
        searches = learning.searches(
            generator, options.method, settings, options.class_texts, options.part_texts, options.together
        )
    for note in generator.notes:
        tell(f"{generator.name}: {as_options(note)}")
    if options.dry_run:
        for search, cost in zip(searches, learning.costs(searches), strict=True):
            say_json({**search.content(), "estimate": cost.plain()})
            tell(f"at most {cost}, judging by a part of it that was carried out")
        return
    results = [_learn_one(search, options) for search in searches]
    _upload([run.folder for run, _ in results], options.upload)
    if len(results) > 1:
        say(*_compared(results))


def _learn_one(search: Search, options: Learning) -> tuple[Run, Directions]:
    search = search.settled()
    for quantity, figures in search.measured.items():
        tell(f"{quantity}: {_chosen(search.config, quantity, figures)}")
    with Console() as console:
        run, directions = learning.begin(
            search,
            options.out,
            save_every=options.save_every,
            on_begin=lambda run: _say(run, search.generator),
            on_step=console,
        )
    _finish(run, directions, options)
    return run, directions


def _resume(options: Learning, names: list[str], settings: dict[str, Any]) -> None:
    """Resume a run. names: the options that were given; settings may only be those that the method lets change."""
    run = Run.open(newest_run(options.resume))
    changeable = method_named(run.config["method"]).config.changeable
    allowed = (*changeable, *Machine._fields, "resume", "spec", "save_every", "upload", "curved")
    if refused := [f"--{name.removesuffix('_texts').replace('_', '-')}" for name in names if name not in allowed]:
        raise InputError(f"--resume uses the run's own settings: leave out {', '.join(refused)}")
    changes = {name: settings[name] for name in names if name in changeable}
    with Console() as console:
        run, directions = learning.resume(
            run.folder,
            changes,
            spec=options.spec,
            machine=machine_given(options, names),
            save_every=options.save_every,
            on_begin=lambda run: _say(run, None),
            on_step=console,
        )
    _finish(run, directions, options)
    _upload([run.folder], options.upload)


def _say(run: Run, generator: Generator | None) -> None:
    phrase = f", {class_phrase(run.config['class'].split(',')[0])}" if run.config["class"] else ""
    name = generator.name if generator else run.config["generator"]["name"]
    tell(f"{run.folder}: {run.config['method']} directions in {name}{phrase}")


def _finish(run: Run, directions: Directions, options: Learning) -> None:
    if torchrun.number():
        return
    if not run.finished:
        tell(f"Stopped; the state is saved. To resume: direction-finder learn --resume {shown(run.folder)}")
        raise SystemExit(130)
    say(f"{len(directions)} directions in {run.directions_path}")
    tell(str(directions.finding))
    if options.curved:
        drawing = Drawing(options.spec if options.resume else None, device=options.device)
        with torchrun.alone():
            bend(run.folder, BendSettings().points, drawing)
    tell(f"To see which directions matter: direction-finder rank {shown(run.folder)}")
    tell(f"To look at them: direction-finder render grid {shown(run.folder)}")


def _upload(runs: Sequence[Path], address: str | None) -> None:
    """Copy finished runs to other storage, once all are found."""
    if address is None or torchrun.number():
        return
    for run in runs:
        try:
            Storage(address).upload(run)
        except Unfinished as error:
            again = f"direction-finder learn --resume {shown(run)} --upload {shlex.quote(address)}"
            raise Unfinished(f"{error}; it is kept here; to copy what is missing: {again}") from error


def _beside_random(directions: Directions) -> str:
    share = directions.share
    return f"; diagonal share {share['share']:.3f}, of a random basis {share['random_share']:.3f}" if share else ""


def _compared(results: list[tuple[Run, Directions]]) -> Iterator[str]:
    """Yield a line for each run: what was searched, and how good and how strong the directions are."""
    yield ""
    for run, directions in results:
        score = directions.scores[0]
        facts = [
            run.config["class"],
            run.config.get("part"),
            f"{len(directions)} directions{_beside_random(directions)}",
            None if score is None else f"strongest {score:.3g}",
        ]
        yield f"{run.folder}: {'; '.join(filter(None, facts))}"


def _chosen(config: SearchConfig, quantity: str, figures: dict[str, float]) -> str:
    """Describe what was chosen by measuring, and why."""
    if quantity == "memory":
        return f"--max-batch {config.max_batch} ({figures['gib_per_row']:.3f} GiB per row)"
    precision = getattr(config, "precision", EXACT)
    if precision == EXACT:
        return "exact; half precision is not worth it here"
    return f"{precision}, {figures['times_as_fast']:.1f} times as fast, cosine {figures['cosine']:.4f}"
