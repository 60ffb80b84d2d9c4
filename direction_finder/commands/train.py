"""Define `direction-finder train`, which trains generators, and the network that reads factors."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.numbers import SEED, Whole
from direction_finder.commands.option_values import Training
from direction_finder.commands.options import config_options, grouped, threads_option
from direction_finder.commands.paths import Place, Text
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
    "--start",
    type=Place(folder=False),
    help="Begin with the networks of this snapshot of an earlier run.",
)


@click.group()
def train() -> None:
    """Train a generator on images, or the network that reads factors.

    \b
    direction-finder train progan data/simple --kimg 600 --out outputs/simple
    """


@train.command("biggan", epilog="Example: direction-finder train biggan data/shapes --out outputs/shapes")
@click.argument("data", required=False, type=FOLDER)
@click.option(
    "--label", type=Text(), default="class", show_default=True, help="Factor of the data set to use as the class."
)
@grouped(
    "options",
    Training,
    run_options,
    start_option,
    config_options({"biggan": BigGANConfig}),
    click.option("--half", is_flag=True, help="Write the generator in half precision, for a file of half the size."),
    how_options,
)
@click.pass_context
def train_biggan(ctx: click.Context, data: Path | None, label: str, options: Training, **settings: Any) -> None:
    """Train a small class-conditional BigGAN-deep.

    DATA is a data set that `scenes` made. The run folder contains a log of the losses, and sheets of samples in
    previews/. The generator is in generator/, in the layout of pytorch-pretrained-biggan; --generator
    biggan-deep:FOLDER/generator loads it. --start begins another run from snapshot.safetensors. If a run was stopped or
    killed, --resume FOLDER continues it and produces exactly the same weights as an uninterrupted run.
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
    """Train a ProGAN on a data set that `scenes` made, or on a folder of images.

    The run folder contains a log of the losses, and sheets in previews/ with a row of samples, then a row for each
    component of z. The generator is in generator.safetensors and the best one so far in best.safetensors; --generator
    progan:FILE loads them. --start and `finetune` begin another run from snapshot.safetensors. If a run was stopped or
    killed, --resume FOLDER continues it and produces exactly the same weights as an uninterrupted run.
    """
    from direction_finder.commands.actions import train as action

    action.train_progan(ctx, data, options, settings)


@train.command(
    "factors", epilog="Example: direction-finder train factors data/shapes data/held-out --out factors.safetensors"
)
@click.argument("data", type=FOLDER)
@click.argument("held_out", type=FOLDER)
@click.option("--out", required=True, type=Place(folder=False), help="File to write, .safetensors.")
@click.option("--epochs", default=24, show_default=True, type=Whole(least=1), help="Number of passes over the images.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the weights and the order.")
@threads_option
def train_factors(data: Path, held_out: Path, out: Path, epochs: int, seed: int, threads: int | None) -> None:
    """Train the network that reads factors in images, for `measure --metric factors`.

    DATA and HELD_OUT are data sets of the same kind that `scenes` made with different seeds. HELD_OUT only shows how
    well the network reads images that it has not seen.
    """
    from direction_finder.commands.actions import train as action

    action.train_factors(data, held_out, out, epochs, seed, threads)
