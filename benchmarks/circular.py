"""Measure whether the angle of a pair of coordinates is a circular factor: the hue, or where the light comes from.

The pair of directions is the one whose angle atan2(c_b, c_a) explains most on latents with labels; everything else is
measured on other latents. `regression` and `quadratic` are the angles of two fits with labels, one for the cosine and
one for the sine. R2 is the share of the variance of cosine and sine that cosine and sine of the angle explain; error is
the median difference of factor and angle, in degrees, after the rotation and reflection that fit best.

python -m benchmarks.circular
"""

import math
from collections.abc import Callable, Iterator
from itertools import combinations

import click
import torch
from torch import Tensor

from benchmarks.curved import TRAINING, linear, quadratic
from direction_finder import edits
from direction_finder.discovery.bend import bend
from direction_finder.discovery.methods import find
from direction_finder.generators.loading import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, TURN, FactorNetwork
from direction_finder.metrics.readings import read_generated
from direction_finder.metrics.samples import Sampling

Angle = Callable[[Tensor], Tensor]


def circle(angles: Tensor) -> Tensor:
    """Return cosine and sine of angles (n,): (n, 2)."""
    return torch.stack([angles.cos(), angles.sin()], 1)


def agreement(angles: Tensor, factor: Tensor) -> tuple[float, float]:
    """Return R2 and the median error, in degrees, of angles (n,) for a circular factor (n,) in radians."""
    known, truth = circle(angles), circle(factor)
    known, centred = known - known.mean(0), truth - truth.mean(0)
    missed = centred - known @ torch.linalg.lstsq(known, centred).solution
    errors = []
    for signed in (angles, -angles):
        away = factor - signed
        away = away - torch.atan2(away.sin().mean(), away.cos().mean())
        errors.append(torch.atan2(away.sin(), away.cos()).abs().median())
    explained = 1 - missed.square().sum() / centred.square().sum()
    return explained.item(), math.degrees(min(errors).item())


def best_pair(coordinates: Tensor, factor: Tensor) -> tuple[int, int]:
    """Return the columns of coordinates (n, num) whose angle explains most of a circular factor (n,)."""

    def explained(pair: tuple[int, int]) -> float:
        first, second = coordinates[:, list(pair)].unbind(1)
        return agreement(torch.atan2(second, first), factor)[0]

    return max(combinations(range(coordinates.shape[1]), 2), key=explained)


def angle_of(fit: Callable[[Tensor, Tensor], Angle], z: Tensor, factor: Tensor) -> Angle:
    """Return the angle of two coordinates fitted, with labels, to the cosine and the sine of a factor (n,)."""
    first, second = (fit(z, values) for values in circle(factor).unbind(1))
    return lambda points: torch.atan2(second(points), first(points))


def rows_of(class_name: str, labelled: int) -> Iterator[tuple[str, str, str, float, float]]:
    """Yield factor, row, directions, R2 and error."""
    generator, reader = load_generator("shapes-64"), FactorNetwork.load(shipped(NETWORK))
    curved = bend(generator, find(generator, class_name=class_name))
    index = curved.class_index or 0
    latents, classes = Sampling(index, TRAINING + index).draw(generator, 2 * labelled)
    read = read_generated(generator, reader, latents, classes).double()
    z = latents[:, 0].double()
    coordinates = {
        name: torch.cat([edits.coordinate(latents, each)[:, :1] for each in directions], 1).double()
        for name, directions in (("straight", curved.straight), ("curved", curved))
    }
    for column, factor in enumerate(reader.factors):
        if not factor.circular:
            continue
        angles = TURN * (read[:, column] - factor.low) / (factor.high - factor.low)
        first, second = best_pair(coordinates["straight"][:labelled], angles[:labelled])
        found = {name: torch.atan2(each[:, second], each[:, first]) for name, each in coordinates.items()}
        for name, fit in (("regression", _linear), ("quadratic", _quadratic)):
            found[name] = angle_of(fit, z[:labelled], angles[:labelled])(z)
        for row, angle in found.items():
            yield factor.name, row, f"{first}, {second}", *agreement(angle[labelled:], angles[labelled:])


def _linear(z: Tensor, values: Tensor) -> Angle:
    gradient = linear(z, values)
    return lambda points: points @ gradient


def _quadratic(z: Tensor, values: Tensor) -> Angle:
    return quadratic(z, values).coordinate


@click.command()
@click.option("--classes", default="cube,sphere,cylinder")
@click.option("--labelled", default=3000)
@torch.no_grad()
def main(classes: str, labelled: int) -> None:
    """Print the table as Markdown."""
    print("| class | factor | directions | row | R2 | median error |\n|---|---|---|---|---|---|", flush=True)
    for class_name in classes.split(","):
        for factor, row, directions, share, error in rows_of(class_name, labelled):
            print(f"| {class_name} | {factor} | {directions} | {row} | {share:.3f} | {error:.0f} degrees |", flush=True)


if __name__ == "__main__":
    main()
