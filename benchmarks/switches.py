"""Find the components of z that switch a choice, for example edges to photos: claims 7 to 9 of docs/paper.md.

    python -m benchmarks.switches NAME=GENERATOR... --factor-network FILE --factor domain

Each component is set to -2 and to 2 in 256 latents (seed 0), and the network reads both images. Columns: how many of
100 latents are read as the last choice at -2 and at 2, switch in the more frequent direction, and keep their choice.
"""

from pathlib import Path

import click
import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators import Generator, load_generator
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.reader import Reader
from direction_finder.randomness import normal, stream

LATENTS, EXTENT = 256, 2.0


def ends(generator: Generator, reader: Reader, factor: str, last: int) -> Tensor:
    """Return whether a latent is read as the choice `last` with a component set to -2 and to 2: (2, dim, LATENTS)."""
    z = normal(LATENTS, generator.dim, stream(0, "switches"))
    found = torch.empty(2, generator.dim, LATENTS, dtype=torch.bool)
    for side, value in enumerate((-EXTENT, EXTENT)):
        for component in range(generator.dim):
            z_set = z.clone()
            z_set[:, component] = value
            images = torch.cat([generator(part[:, None]) for part in z_set.split(64)])
            found[side, component] = reader.read(images)[factor] == last
    return found


def switching(found: Tensor) -> Tensor:
    """Return the columns of the table in percent: (dim, 4)."""
    low, high = found
    switched = torch.stack([high & ~low, low & ~high]).double().mean(2).amax(0)
    columns = low.double().mean(1), high.double().mean(1), switched, (low == high).double().mean(1)
    return 100 * torch.stack(columns, 1)


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--factor-network", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--factor", required=True, help="A factor with choices.")
def main(models: tuple[str, ...], factor_network: Path, factor: str) -> None:
    """Print a table for each of MODELS, given as NAME=GENERATOR, with the component that switches most often first."""
    network = FactorNetwork.load(factor_network)
    choices = {each.name: each.choices for each in network.factors}.get(factor)
    if not choices:
        raise InputError(f"factor {factor}: expected one with choices that {factor_network} reads")
    for model in models:
        name, _, spec = model.partition("=")
        table = switching(ends(load_generator(spec), network, factor, len(choices) - 1))
        click.echo(f"\n| {name} | {choices[-1]} at -2 | at 2 | switched | kept |\n|---|---|---|---|---|")
        for component in table[:, 2].argsort(descending=True).tolist():
            click.echo(f"| z{component} | " + " | ".join(f"{value:.0f}" for value in table[component].tolist()) + " |")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
