"""Define `direction-finder train`, which trains generators, and the network that reads factors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.numbers import SEED, Whole
from direction_finder.commands.option_values import Training
from direction_finder.commands.options import config_options, grouped, several, threads_option
from direction_finder.commands.paths import Place, Text
from direction_finder.commands.training_options import (
    FOLDER,
    how_options,
    resolution_option,
    run_options,
    score_options,
)
from direction_finder.settings import ST_RKM, VAE
from direction_finder.training.autoencoder_config import StRKMConfig, VAEConfig
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


def _autoencoder(name: str, config: type, example: str) -> Callable:
    """Return a decorator that makes a command of the options of an autoencoder's training."""
    return several(
        train.command(name, epilog=f"Example: direction-finder train {name} {example}"),
        click.argument("data", required=False, type=FOLDER),
        grouped("options", Training, run_options, resolution_option, config_options({name: config}), how_options),
        click.pass_context,
    )


@_autoencoder(ST_RKM, StRKMConfig, "/usr/share/datasets/fashion-mnist --out outputs/fashion")
def train_st_rkm(ctx: click.Context, data: Path | None, options: Training, **settings: Any) -> None:
    """Train an St-RKM: an autoencoder whose features span few orthonormal columns U.

    DATA is a data set that `scenes` made, a folder of images, or one of IDX files, as of Fashion-MNIST (Debian's
    package dataset-fashion-mnist). A part of the images is left out, on which the error is measured. The run folder
    contains a log of the losses, and sheets in previews/: images, their reconstructions, then a sweep of every latent
    over 2 standard deviations. The model is in generator.safetensors; --generator st-rkm:FILE loads its decoder, whose
    latents are U^T times the features. The columns of U are in columns.safetensors, for `render`, `rank` and the
    others; `learn` finds other directions in their span. --resume FOLDER continues a run that was stopped or killed
    and produces exactly the same weights as an uninterrupted run.
    """
    from direction_finder.commands.actions import train as action

    action.train_autoencoder(ctx, ST_RKM, data, options, settings)


@_autoencoder(VAE, VAEConfig, "data/sprites --regulariser mean-field --beta 0.3 --out outputs/sprites")
def train_vae(ctx: click.Context, data: Path | None, options: Training, **settings: Any) -> None:
    """Train an autoencoder with a regulariser: a beta-VAE, or what replaces its noise.

    full, mean-field and trace are deterministic: they regularise the decoder's Jacobian as the noise of a beta-VAE
    does implicitly. DATA, the run folder and --resume are as for `train st-rkm`; --generator vae:FILE loads the
    decoder.
    """
    from direction_finder.commands.actions import train as action

    action.train_autoencoder(ctx, VAE, data, options, settings)


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
