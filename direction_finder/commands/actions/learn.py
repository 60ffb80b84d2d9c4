"""What `direction-finder learn` does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch

from direction_finder.commands import as_options
from direction_finder.commands.latest import newest_run
from direction_finder.commands.options import SAVE_EVERY, Download, pick_device, shown
from direction_finder.commands.recorder import Recorder
from direction_finder.commands.runs import Run, absolute, reserved, slug
from direction_finder.commands.target import load_recorded
from direction_finder.commands.trust import remember
from direction_finder.directions import Directions
from direction_finder.discovery import (
    METHODS,
    SearchConfig,
    check,
    configure,
    plain,
    setting_names,
    settle,
    space_settings,
)
from direction_finder.discovery.configs import EXACT, STARTS
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, write_json
from direction_finder.generators import UNTOLD, Generator, load_generator, resolve_class
from direction_finder.generators.base import class_phrase
from direction_finder.generators.weights import tensor_hashes
from direction_finder.version import package_version


def learn(ctx: click.Context, **options: Any) -> None:
    """Find directions in a frozen generator and write them to a run folder."""
    if options["resume"]:
        source = click.core.ParameterSource.COMMANDLINE
        _resume({name: value for name, value in options.items() if ctx.get_parameter_source(name) is source})
    else:
        _start(options)


def _start(options: dict[str, Any]) -> None:
    if not options["spec"]:
        raise InputError("no generator: give --generator, e.g. --generator shapes-64 (or --resume FOLDER)")
    texts, spaces, out, method = options["class_texts"], options["space_texts"], options["out"], options["method"]
    count = max(1, len(texts)) * max(1, len(spaces))
    if out and count > 1:
        raise InputError(
            f"--out is one run folder, but there are {count} runs: leave --out out, or give one class and one space"
        )
    settings = _settings(options)
    if spaces and {"dims", "layers"} & settings.keys():
        raise InputError("--space names dimensions or layers: leave out --dims and --layers")
    configure(method, settings)  # complain before anything slow
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    device = pick_device(options["device"])
    with reserved(None if options["dry_run"] else out):
        given = {name: options[name] for name in ("truncation", *UNTOLD)}
        generator = load_generator(options["spec"], **given, device=device, on_download=Download())
        record = {
            **given,
            "spec": absolute(options["spec"]),
            "name": generator.name,
            "weights_sha256": generator.weights_sha256,
        }
        if generator.notes:
            record["notes"] = list(generator.notes)
        if options["spec"].startswith("python:"):
            record["tensors"] = tensor_hashes(generator.state_dict())
        indices = [resolve_class(generator.class_names, text) for text in texts] or [None]
        wanted = [
            (space, configure(method, {**settings, **space_settings(generator.outline, space), "class_index": index}))
            for index in indices
            for space in spaces or [None]
        ]
        for _, config in wanted:
            check(generator, config)
        for note in generator.notes:
            click.echo(f"{generator.name}: {as_options(note)}", err=True)
        found = []
        for space, config in wanted:
            measured = {}
            if not options["dry_run"]:
                config, measured = settle(generator, method, config)
                for what, figures in measured.items():
                    click.echo(f"{what}: {_chosen(config, what, figures)}", err=True)
            content = {**_content(generator, record, device, method, config), "space": space, "measured": measured}
            if options["dry_run"]:
                click.echo(json.dumps(content, indent=2, sort_keys=True))
                continue
            of = (content["class"] or ("random classes" if generator.num_classes else "")).split(",")[0]
            run = Run.create(out, slug(f"{method} {generator.name} {of} {space or ''}"), content)
            remember(run.folder, record["spec"])
            try:
                found.append((run, _work(run, generator, None, options["save_every"])))
            except DirectionFinderError:
                run.remove_if_not_begun()
                raise
        if len(found) > 1:
            click.echo("\n".join(_compared(found)))


def _compared(found: list[tuple[Run, Directions]]) -> Iterator[str]:
    """A line for each run: what was searched, and how good and how strong the directions are."""
    yield ""
    for run, directions in found:
        facts = [run.config["class"], run.config["space"], f"{len(directions)} directions"]
        if directions.share:
            share = directions.share
            facts.append(f"diagonal share {share['share']:.3f}, of a random basis {share['random_share']:.3f}")
        if directions.scores[0] is not None:
            facts.append(f"strongest {directions.scores[0]:.3g}")
        yield f"{run.folder}: {'; '.join(filter(None, facts))}"


def _chosen(config: SearchConfig, what: str, figures: dict[str, float]) -> str:
    """What `settle` chose and why, in words."""
    if what == "memory":
        return f"--max-batch {config.max_batch} ({figures['gib_per_row']:.3f} GiB a row)"
    if config.precision == EXACT:
        return "exact; half precision does not pay here"
    return f"{config.precision}, {figures['times_as_fast']:.1f} times as fast, cosine {figures['cosine']:.4f}"


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """The settings of the method that were given on the command line."""
    names = {name for method in METHODS for name in setting_names(method)} - {"class_index"}
    settings = {name: options[name] for name in names if options[name] not in (None, ())}
    if settings.get("start") not in (None, *STARTS):
        settings["start"] = str(Path(settings["start"]).resolve())
    return settings


def _content(generator: Generator, record: dict, device: str, method: str, config: SearchConfig) -> dict[str, Any]:
    """What `config.json` holds: everything the run depends on."""
    return {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "device": device,
        "threads": torch.get_num_threads(),
        "generator": record,
        "class": None if config.class_index is None else generator.class_names[config.class_index],
        "method": method,
        "settings": plain(config),
    }


def _resume(given: dict[str, Any]) -> None:
    """Go on with a run. `given`: the options given; of the settings, only those that the method lets change."""
    run, spec = Run.open(newest_run(given.pop("resume"))), given.pop("spec", None)
    save_every = given.pop("save_every", SAVE_EVERY)
    changeable = METHODS[run.config["method"]].config.changeable
    refused = [f"--{name.removesuffix('_texts').replace('_', '-')}" for name in given if name not in changeable]
    if refused:
        raise InputError(f"--resume takes the run's own settings: leave out {', '.join(refused)}")
    state = run.read_state()
    done = int(state["step"]) if state else 0
    for name in ("steps", "points"):
        if given.get(name, done) < done:
            raise InputError(f"--{name} {given[name]}: the run is at step {done} already; it can only be prolonged")
    settings = {**run.config["settings"], **given}
    configure(run.config["method"], settings)
    torch.set_num_threads(run.config["threads"])
    generator = load_recorded(run, pick_device(run.config["device"]), spec)
    if generator.weights_sha256 != run.config["generator"]["weights_sha256"]:
        raise InputError(f"{run.folder}: generator {generator.name} has other weights now than when the run began")
    if spec:
        run.config["generator"]["spec"] = absolute(spec)
        remember(run.folder, absolute(spec))
    before = dict(run.config)
    run.config["settings"] = settings
    run.finish(False)
    run.cut_log(done)
    try:
        _work(run, generator, state, save_every)
    except DirectionFinderError:
        write_json(run.folder / CONFIG, before)
        raise


def _work(run: Run, generator: Generator, state: dict[str, torch.Tensor] | None, save_every: float) -> Directions:
    method = METHODS[run.config["method"]]
    config = configure(run.config["method"], run.config["settings"])
    of = f", {class_phrase(run.config['class'].split(',')[0])}" if run.config["class"] else ""
    click.echo(f"{run.folder}: {run.config['method']} directions in {generator.name}{of}", err=True)
    with Recorder(run, "learning", save_every) as recorder:
        directions = method.find(generator, config, on_step=recorder, resume=state)
    directions.save(run.directions)
    if recorder.stopped:
        click.echo(
            f"Stopped; what is known so far is saved. Resume: direction-finder learn --resume {shown(run.folder)}",
            err=True,
        )
        raise SystemExit(130)
    run.finish()
    click.echo(f"{len(directions)} directions in {run.directions}")
    click.echo(f"Which matter? direction-finder rank {shown(run.folder)}", err=True)
    click.echo(f"Look at them: direction-finder render grid {shown(run.folder)}", err=True)
    return directions
