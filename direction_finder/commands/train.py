"""`direction-finder train`: train generators on pictures, and the network that reads factors."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.given import Training
from direction_finder.commands.options import config_options, grouped, threads_option
from direction_finder.commands.training_options import (
    FOLDER,
    how_options,
    resolution_option,
    run_options,
    score_options,
)
from direction_finder.training.biggan_config import BigGANConfig
from direction_finder.training.progan_config import ProGANConfig

start_option = click.option(
    "--start", type=click.Path(dir_okay=False, path_type=Path), help="Begin with the networks of this snapshot."
)


@click.group()
def train() -> None:
    """Train a generator on pictures, or the network that reads factors."""


@train.command("biggan", epilog="Example: direction-finder train biggan data/shapes --out outputs/shapes")
@click.argument("data", required=False, type=FOLDER)
@click.option("--label", default="class", show_default=True, help="Factor that is the class.")
@grouped(
    "options",
    Training,
    run_options,
    start_option,
    config_options({"biggan": BigGANConfig}),
    click.option("--half", is_flag=True, help="Write the generator in half precision: half the bytes."),
    how_options,
)
@click.pass_context
def train_biggan(ctx: click.Context, data: Path | None, label: str, options: Training, **settings: Any) -> None:
    """Train a small class-conditional BigGAN-deep and write it in the layout of pytorch-pretrained-biggan.

    The run folder gets a log of the losses, sample sheets in previews/, the generator in generator/ (load it with
    --generator biggan-deep:FOLDER/generator) and snapshot.safetensors, from which --start goes on. A run that was
    stopped or killed goes on with --resume FOLDER and gives the same weights as one that never was.
    """
    from direction_finder.commands.actions import train as action

    action.train_biggan(ctx, data, label, options, settings)


@train.command("progan", epilog="Example: direction-finder train progan data/simple --kimg 600 --out outputs/simple")
@click.argument("data", required=False, type=FOLDER)
@grouped(
    "options",
    Training,
    run_options,
    start_option,
    resolution_option,
    config_options({"progan": ProGANConfig}),
    score_options,
    how_options,
)
@click.pass_context
def train_progan(ctx: click.Context, data: Path | None, options: Training, **settings: Any) -> None:
    """Train a ProGAN on a data set that `scenes` made or a folder of images.

    The run folder gets a log of the losses, sheets in previews/ (a row of samples, then one for each component of z),
    the generator in generator.safetensors, the best one so far in best.safetensors (load them with --generator
    progan:FILE) and snapshot.safetensors, from which --start and `finetune` go on. A run that was stopped or killed
    goes on with --resume FOLDER and gives the same weights as one that never was.
    """
    from direction_finder.commands.actions import train as action

    action.train_progan(ctx, data, options, settings)


@train.command(
    "factors", epilog="Example: direction-finder train factors data/shapes data/held-out --out factors.safetensors"
)
@click.argument("data", type=FOLDER)
@click.argument("held_out", type=FOLDER)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option("--epochs", default=24, show_default=True, type=click.IntRange(1), help="Passes over the pictures.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of weights and order.")
@threads_option
def train_factors(data: Path, held_out: Path, out: Path, epochs: int, seed: int, threads: int | None) -> None:
    """Train the network that reads factors off pictures, for `measure --metric factors`.

    DATA and HELD_OUT are sets of one kind that `scenes` made with different seeds; HELD_OUT only tells how well the
    network reads pictures that it has not seen.
    """
    from direction_finder.commands.actions import train as action

    action.train_factors(data, held_out, out, epochs, seed, threads)
