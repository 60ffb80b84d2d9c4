"""What `direction-finder train` does."""

from pathlib import Path
from typing import Any

import click
import torch

from direction_finder.commands.recorder import Bars
from direction_finder.commands.training import (
    begin_or_resume,
    labelled,
)
from direction_finder.datasets import Dataset
from direction_finder.metrics import factor_network


def train_biggan(ctx: click.Context, label: str, **options: Any) -> None:
    """Train a small class-conditional BigGAN-deep and write it in the layout of pytorch-pretrained-biggan."""
    if options["data"]:
        labelled(options["data"], label)
    begin_or_resume(ctx, "biggan", options, {"label": label})


def train_progan(ctx: click.Context, **options: Any) -> None:
    """Train a ProGAN on a data set that `scenes` made or a folder of images."""
    begin_or_resume(ctx, "progan", options)


def train_factors(data: Path, held_out: Path, out: Path, epochs: int, seed: int, threads: int | None) -> None:
    """Train the network that reads factors off pictures, for `measure --metric factors`."""
    if threads:
        torch.set_num_threads(threads)
    with Bars("step") as bars:
        network = factor_network.fit(Dataset.open(data), Dataset.open(held_out), epochs=epochs, seed=seed, on_step=bars)
    network.save(out)
    for name, value in network.about["held_out"]["accuracy"].items():
        click.echo(f"{name:10} {value:.4f}")
    click.echo(out)
