"""Fit the constants of the reader of factors that uses no network, and measure how accurate it is.

    python -m benchmarks.pixel_reader data/shapes data/held-out

The first data set fits the constants (`CONSTANTS` in direction_finder/metrics/pixel_reader.py), the second judges those
of the package: R^2 as `factor_network.accuracy` defines it, and within classes, without the mean error of each class.
The last row is the agreement with the factor network in 600 images that `shapes-64` generates, within classes.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

from direction_finder.datasets import Dataset, Factor
from direction_finder.generators import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.images import as_images
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork, accuracy, difference, read_all
from direction_finder.metrics.pixel_reader import FACTORS, PixelReader, calibrate

MOST = 3000  # renders that the constants are fitted to
SAMPLES = 200  # generated images of each class


def r_squared(factor: Factor, read: Tensor, truth: Tensor, groups: Tensor) -> float:
    """Return R^2 of what is read of a factor, without the mean error of each group. All are (n,)."""
    error = difference(factor, read.double(), truth.double())
    spread = truth.double()
    for group in groups.unique():
        inside = groups == group
        error, spread = error - inside * error[inside].mean(), spread - inside * spread[inside].mean()
    guess = (factor.high - factor.low) ** 2 / 12 if factor.circular else spread.square().mean()
    return 1 - float(error.square().mean() / guess)


@click.command()
@click.argument("renders", type=click.Path(exists=True, path_type=Path))
@click.argument("held_out", type=click.Path(exists=True, path_type=Path))
def main(renders: Path, held_out: Path) -> None:
    """Fit the constants to RENDERS and measure the reader on HELD_OUT."""
    data = Dataset.open(renders)
    values = {name: torch.from_numpy(column)[:MOST] for name, column in data.values.items()}
    images = as_images(torch.from_numpy(data.images(range(min(MOST, len(data))))))
    click.echo(f"fitted: {calibrate(images, values)}")
    reader, network, data = PixelReader(), FactorNetwork.load(shipped(NETWORK)), Dataset.open(held_out)
    values = {name: torch.from_numpy(column) for name, column in data.values.items()}
    read = read_all(reader, as_images(torch.from_numpy(data.images())))
    overall = accuracy(reader, data)
    generator = load_generator("shapes-64")
    z = generator.samples(3 * SAMPLES).latents
    asked = torch.arange(3 * SAMPLES) % 3
    generated = torch.cat([generator(*part) for part in zip(z.split(30), asked.split(30), strict=True)])
    by_reader, by_network = read_all(reader, generated), read_all(network, generated)
    rows = {
        "renders": lambda factor: overall[factor.name],
        "renders, within classes": lambda factor: r_squared(
            factor, read[factor.name], values[factor.name], values["class"]
        ),
        "generated, against the network": lambda factor: r_squared(
            factor, by_reader[factor.name], by_network[factor.name], asked
        ),
    }
    click.echo(f"| | {' | '.join(factor.name for factor in FACTORS)} |\n|---|{'---|' * len(FACTORS)}")
    for name, row in rows.items():
        click.echo(f"| {name} | {' | '.join(f'{row(factor):.4f}' for factor in FACTORS)} |")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
