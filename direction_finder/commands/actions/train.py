"""Carry out `direction-finder train` and `finetune`."""

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import torch

from direction_finder import torchrun
from direction_finder.commands.actions.processes import together
from direction_finder.commands.actions.shared import machine_given
from direction_finder.commands.console import Console
from direction_finder.commands.option_values import Training
from direction_finder.commands.options import given_options, shown
from direction_finder.commands.printing import say, say_json, tell
from direction_finder.datasets import Dataset
from direction_finder.discovery.estimates import Cost
from direction_finder.errors import InputError
from direction_finder.metrics import factor_network
from direction_finder.overwriting import check_overwrite
from direction_finder.progress import Bars
from direction_finder.runs import training
from direction_finder.runs.folder import Run
from direction_finder.runs.lifecycle import Machine
from direction_finder.runs.trainers import MODELS, Upkeep, model_of, trained_spec, verb
from direction_finder.runs.training import Watch

UPKEEP = tuple(field.name for field in fields(Upkeep))


def train_biggan(
    ctx: click.Context, data: Path | None, label: str, options: Training, settings: dict[str, Any]
) -> None:
    """Train a small class-conditional BigGAN-deep and write it in the layout of pytorch-pretrained-biggan."""
    _begin_or_resume(ctx, "biggan", data, options, settings, options.start, label)


def train_progan(ctx: click.Context, data: Path | None, options: Training, settings: dict[str, Any]) -> None:
    """Train a ProGAN on a data set that `scenes` made or a folder of images."""
    _begin_or_resume(ctx, "progan", data, options, settings, options.start)


def train_autoencoder(
    ctx: click.Context, model: str, data: Path | None, options: Training, settings: dict[str, Any]
) -> None:
    """Train an St-RKM or an autoencoder with a regulariser."""
    _begin_or_resume(ctx, model, data, options, settings, None)


def finetune(
    ctx: click.Context, checkpoint: Path | None, data: Path | None, options: Training, settings: dict[str, Any]
) -> None:
    """Fine-tune a fully grown ProGAN with the Hessian Penalty on its activations."""
    if not (checkpoint or options.resume):
        raise InputError("no checkpoint: give a run of `train progan`, or its snapshot.safetensors")
    start, sizes = training.snapshot_settings(checkpoint) if checkpoint else (None, {})
    _begin_or_resume(ctx, "progan", data, options, {**settings, **sizes}, start)


def _begin_or_resume(
    ctx: click.Context,
    model: str,
    data: Path | None,
    options: Training,
    settings: dict[str, Any],
    start: Path | None,
    label: str | None = None,
) -> None:
    upkeep = Upkeep(**{name: getattr(options, name) for name in UPKEEP if getattr(options, name) is not None})
    began = time.monotonic()
    with together(options.dry_run):
        with Console() as console:
            watch = Watch(_say, tell, console)
            if options.resume:
                longer, names = MODELS[model].longer, given_options(ctx)
                _check_resumed(names, longer)
                run = training.resume(
                    options.resume,
                    settings[longer],
                    model=model,
                    machine=machine_given(options, names),
                    upkeep=upkeep,
                    watch=watch,
                )
            else:
                if not data:
                    raise InputError(
                        "no data: give the folder of a data set, e.g. one that `direction-finder scenes shapes` made"
                    )
                if options.threads:
                    torch.set_num_threads(options.threads)
                given = {name: value for name, value in settings.items() if value is not None}
                prepared = training.prepare(
                    model, data, given, start=start, label=label, resolution=options.resolution, device=options.device
                )
                if options.dry_run:
                    _forecast(prepared.content, training.forecast(prepared, upkeep=upkeep, watch=watch))
                    return
                run = training.begin(prepared, out=options.out, upkeep=upkeep, watch=watch)
        if not torchrun.number():
            _finish(run, time.monotonic() - began)


def _forecast(content: dict[str, Any], cost: Cost) -> None:
    say_json({**content, "estimate": cost.plain()})
    tell(f"about {cost}, judging by some of its steps that were carried out; a pass is an image of the data")


def _check_resumed(names: list[str], longer: str) -> None:
    allowed = ("resume", longer, *Machine._fields, *UPKEEP)
    if refused := [f"--{name.replace('_', '-')}" for name in names if name not in allowed]:
        changeable = f"--{longer}, --device and --threads"
        raise InputError(f"--resume uses the run's own settings, except {changeable}: leave out {', '.join(refused)}")


def _say(run: Run) -> None:
    tell(f"{run.folder}: {model_of(run).title} on {run.config['data']['num']} images")


def _finish(run: Run, seconds: float) -> None:
    if not run.finished:
        tell(f"Stopped. To resume: direction-finder {verb(run)} --resume {shown(run.folder)}")
        raise SystemExit(130)
    say(f"{trained_spec(run)}: trained in {seconds / 60:.0f} minutes")
    tell(f"To find directions: direction-finder learn --generator {trained_spec(run)}")


def train_factors(data: Path, held_out: Path, out: Path, epochs: int, seed: int, threads: int | None) -> None:
    """Train the network that reads factors in images, and print its accuracy on held-out images."""
    if threads:
        torch.set_num_threads(threads)
    check_overwrite(out, factor_network.KIND)  # before anything slow
    with Bars() as bars:
        network = factor_network.fit(Dataset.open(data), Dataset.open(held_out), epochs=epochs, seed=seed, on_step=bars)
    network.save(out)
    for name, value in network.about["held_out"]["accuracy"].items():
        say(f"{name:10} {value:.4f}")
    say(out)
