"""`direction-finder train`: train generators on pictures."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import save

from direction_finder.commands.options import config_options, device_option, pick_device
from direction_finder.commands.recorder import Bars, Recorder
from direction_finder.commands.runs import CONFIG, Run, reserved, slug
from direction_finder.datasets import CHECKSUMS, Dataset
from direction_finder.discovery import package_version
from direction_finder.errors import InputError
from direction_finder.files import file_sha256, replacing, write_json
from direction_finder.generators.biggan_deep import WEIGHTS
from direction_finder.generators.weights import read_state
from direction_finder.metrics import factor_network
from direction_finder.training import biggan
from direction_finder.training.state import snapshot

NEEDED = ("data", "model", "settings", "threads", "device", "direction_finder")
FOLDER = click.Path(file_okay=False, path_type=Path)
GENERATOR, SNAPSHOT = "generator", "snapshot.safetensors"


@click.group()
def train() -> None:
    """Train a generator on a data set that `scenes` made."""


@train.command("biggan", epilog="Example: direction-finder train biggan data/shapes --out outputs/shapes")
@click.argument("data", required=False, type=FOLDER)
@click.option("--out", type=FOLDER, help="Run folder.  [default: the next number under outputs/]")
@click.option("--resume", type=FOLDER, help="Go on with this run, exactly where it was.")
@click.option(
    "--start", type=click.Path(dir_okay=False, path_type=Path), help="Begin with the networks of this snapshot."
)
@click.option("--label", default="class", show_default=True, help="Factor that is the class.")
@config_options({"biggan": biggan.BigGANConfig})
@click.option("--preview-every", default=250, show_default=True, type=click.IntRange(0), help="Steps; 0: never.")
@click.option("--save-every", default=120.0, show_default=True, type=click.FloatRange(0), metavar="SECONDS",
              help="How often the state is saved.")  # fmt: skip
@click.option("--half", is_flag=True, help="Write the generator in half precision: half the bytes.")
@device_option
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: all cores]")
@click.pass_context
def train_biggan(ctx: click.Context, **options: Any) -> None:
    """Train a small class-conditional BigGAN-deep and write it in the layout of pytorch-pretrained-biggan.

    The run folder gets a log of the losses, sample sheets in previews/, the generator in generator/ (load it with
    --generator biggan-deep:FOLDER/generator) and snapshot.safetensors, from which --start goes on. A run that was
    stopped or killed goes on with --resume FOLDER and gives the same weights as one that never was.
    """
    how = {name: options.pop(name) for name in ("preview_every", "save_every", "half")}
    if options["resume"]:
        source = click.core.ParameterSource.COMMANDLINE
        given = [name for name in options if ctx.get_parameter_source(name) is source]
        if refused := [f"--{name.replace('_', '-')}" for name in given if name not in ("resume", "steps")]:
            raise InputError(f"--resume takes the run's own settings, but for --steps: leave out {', '.join(refused)}")
        _resume(options["resume"], options["steps"], **how)
    else:
        _start(options, **how)


def _start(options: dict[str, Any], **how: Any) -> None:
    if not options["data"]:
        raise InputError("no data: give the folder of a data set, e.g. one that `direction-finder scenes shapes` made")
    names = [field.name for field in dataclasses.fields(biggan.BigGANConfig)]
    settings = {name: options[name] for name in names if options[name] is not None}
    config = biggan.BigGANConfig(**settings)
    data = Dataset.open(options["data"])
    if not data.factor(options["label"]).choices:
        raise InputError(f"--label {options['label']}: a number, not a class")
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    start = options["start"]
    content = {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "model": "biggan",
        "data": {
            "folder": str(data.folder.resolve()),
            "label": options["label"],
            "sha256": file_sha256(data.folder / CHECKSUMS),
            **{name: data.about[name] for name in ("kind", "seed", "num", "resolution")},
        },
        "start": {"file": str(start.resolve()), "sha256": file_sha256(start)} if start else None,
        "settings": dataclasses.asdict(config),
        "threads": torch.get_num_threads(),
        "device": pick_device(options["device"]),
    }
    state = read_state(start) if start else None
    with reserved(options["out"]):
        run = Run.create(options["out"], slug(f"biggan {data.about['kind']}"), content)
        try:
            _work(run, data, None, state, **how)
        except InputError:
            run.remove_if_not_begun()
            raise


def _resume(folder: Path, steps: int | None, **how: Any) -> None:
    run = Run.open(folder, NEEDED, "train biggan")
    recorded = run.config["data"]
    data = Dataset.open(recorded["folder"])
    if file_sha256(data.folder / CHECKSUMS) != recorded["sha256"]:
        raise InputError(f"{data.folder}: other pictures now than when the run began")
    state = run.read_state()
    start = run.config["start"]
    begin = read_state(start["file"]) if start and state is None else None
    done = int(state["step"]) if state else 0
    if steps is not None:
        if steps < done:
            raise InputError(f"--steps {steps}: the run is at step {done} already")
        run.config["settings"]["steps"] = steps
    torch.set_num_threads(run.config["threads"])
    run.finish(False)
    run.cut_log(done)
    _work(run, data, state, begin, **how)


def _work(
    run: Run,
    data: Dataset,
    state: dict[str, torch.Tensor] | None,
    start: dict[str, torch.Tensor] | None,
    *,
    preview_every: int,
    save_every: float,
    half: bool,
) -> None:
    config = biggan.BigGANConfig(**run.config["settings"])
    device = pick_device(run.config["device"])
    label = run.config["data"]["label"]
    names = list(data.factor(label).choices)
    click.echo(f"{run.folder}: BigGAN-deep on {len(data)} pictures of {', '.join(names)}", err=True)
    began = time.monotonic()
    with Recorder(run, "training", save_every, preview_every=preview_every) as recorder:
        players = biggan.train(
            data.images(),
            data.values[label],
            names,
            config,
            device=device,
            on_step=recorder,
            resume=state,
            start=start,
        )
        with replacing(run.folder / SNAPSHOT) as part:
            part.write_bytes(save(snapshot(players)))
        if not recorder.stopped:
            weights = biggan.finished(players, config, recorder)
            content = biggan.package_config(config, data.about["resolution"], names)
            write_json(run.folder / GENERATOR / CONFIG, content)
            with replacing(run.folder / GENERATOR / WEIGHTS) as part:
                torch.save({name: tensor.half() for name, tensor in weights.items()} if half else weights, part)
    if recorder.stopped:
        click.echo(f"Stopped. Go on: direction-finder train biggan --resume {run.folder}", err=True)
        raise SystemExit(130)
    run.finish()
    click.echo(f"{run.folder / GENERATOR}: trained in {(time.monotonic() - began) / 60:.0f} minutes")
    click.echo(f"Find directions: direction-finder learn --generator biggan-deep:{run.folder / GENERATOR}", err=True)


@train.command(
    "factors", epilog="Example: direction-finder train factors data/shapes data/held-out --out factors.safetensors"
)
@click.argument("data", type=FOLDER)
@click.argument("held_out", type=FOLDER)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--epochs", default=24, show_default=True, type=click.IntRange(1), help="Passes over the pictures.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of weights and order.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: all cores]")
def train_factors(data: Path, held_out: Path, out: Path, epochs: int, seed: int, threads: int | None) -> None:
    """Train the network that reads factors off pictures, for `measure --metric factors`.

    DATA and HELD_OUT are sets of one kind that `scenes` made with different seeds; HELD_OUT only tells how well the
    network reads pictures that it has not seen.
    """
    if threads:
        torch.set_num_threads(threads)
    with Bars("step") as bars:
        network = factor_network.fit(Dataset.open(data), Dataset.open(held_out), epochs=epochs, seed=seed, on_step=bars)
    network.save(out)
    for name, value in network.about["held_out"]["accuracy"].items():
        click.echo(f"{name:10} {value:.4f}")
    click.echo(out)
