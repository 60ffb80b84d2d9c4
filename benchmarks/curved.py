"""Measure how much of a factor's spread is left after aligning along straight and curved coordinates, with and without
labels.

Rows for each factor and class, all aligned at 0 on the same samples, along the direction that correlates most with the
factor (or, `local basis`, near it):

    whole            straight, `learn --by whole --at image`: the default before channels
    straight         straight, `learn`
    same passes      straight, `learn` with as many passes as `learn` and `bend` take together
    local basis      walks along singular vectors of the Jacobian, found again on the way, on the first samples
    regression       straight least squares with labels
    curved           `straight`, bent
    quadratic        quadratic least squares with labels

The last column is the interval, over samples, of what the curved one leaves minus what regression leaves. R2 is how
much of the factor a coordinate explains, `stopped` the share of samples that stop on the way. At the end comes how far
apart two curved moves end in both orders.

python -m benchmarks.curved [--reader pixels]
python -m benchmarks.curved --generator clevr-simple --classes "" --factors x,y --factor-network FILE
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import click
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.curves import Curve
from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.discovery.bend import bend
from direction_finder.discovery.configs import LocalBasisConfig
from direction_finder.discovery.methods import find
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.generators.loading import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.hessians import jacobian_gram
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import remaining
from direction_finder.metrics.intervals import resampled
from direction_finder.metrics.pixel_reader import PixelReader
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import read_generated, varied_factors
from direction_finder.metrics.samples import Sampling

TRAINING = 10**6  # seeds from here on are those of the latents with labels
RIDGE = 0.01  # of the quadratic regression, in units of the covariance
STEPS = 3  # along the local basis
STEEP = 0.3  # slowest approach to 0, per unit walked along a local vector


def linear(z: Tensor, values: Tensor) -> Tensor:
    """Return the least-squares gradient (dim,) of values (n,) at z (n, dim), of length 1."""
    weights = torch.linalg.lstsq(z - z.mean(0), (values - values.mean())[:, None]).solution[:, 0]
    return weights / weights.norm()


def quadratic(z: Tensor, values: Tensor) -> Curve:
    """Return the quadratic coordinate that is nearest to values (n,) at z (n, dim)."""
    first, second = torch.triu_indices(z.shape[1], z.shape[1])
    terms = torch.cat([z, z[:, first] * z[:, second]], 1)
    terms = terms - terms.mean(0)
    gram = terms.mT @ terms / len(z) + RIDGE * torch.eye(terms.shape[1], dtype=terms.dtype)
    found = torch.linalg.solve(gram, terms.mT @ (values - values.mean()) / len(z))
    matrix = torch.zeros(z.shape[1], z.shape[1], dtype=z.dtype)
    matrix[first, second] = found[z.shape[1] :]
    matrix, slope = matrix + matrix.mT, found[: z.shape[1]]
    size = (slope.square().sum() + matrix.square().sum() / 2).sqrt()
    return Curve.of((slope / size).float(), (matrix / size).float(), z.shape[1])


def explained(coordinates: Tensor, values: Tensor) -> float:
    """Return the squared correlation of two variables (n,)."""
    return torch.corrcoef(torch.stack([coordinates.double(), values]))[0, 1].square().item()


def spreads(values: Tensor, counts: Tensor) -> Tensor:
    """Return the standard deviation of values (n,) in each bootstrap sample, as counts (draws, n)."""
    counts = counts.to(values)
    total = counts.sum(1)
    mean = counts @ values / total
    return ((counts @ values.square() / total - mean.square()) * total / (total - 1)).clamp_min(0).sqrt()


def along_local_basis(generator: Generator, at: tuple[str, ...], latents: Tensor, vector: Tensor, index: int) -> Tensor:
    """Return latents (n, layers, dim) moved until their component along a vector is 0, along the local basis.

    Each of `STEPS` steps follows the right singular vector of the Jacobian there that is nearest to the last.
    """
    config = LocalBasisConfig(class_index=index, at=at)
    space, ends = SearchSpace(generator, config), []
    f, classes = space.flat_output(at), torch.tensor([index or 0])
    for z in latents[:, 0]:
        last = vector
        for left in range(STEPS, 0, -1):
            gram = jacobian_gram(f, torch.zeros_like(z), epsilon=config.epsilon, context=[z[None], classes])
            basis = torch.linalg.eigh(gram.double()).eigenvectors.mT.float()
            cosines = basis @ last
            last = basis[cosines.abs().argmax()] * cosines[cosines.abs().argmax()].sign()
            rate = (last @ vector).abs().clamp(min=STEEP) * (last @ vector).sign()
            z = z - (z @ vector) / left / rate * last
        ends.append(z)
    return edits.spread(torch.stack(ends), latents.shape[1])


def best(directions: Directions, z: Tensor, values: Tensor) -> Direction:
    """Return the direction whose coordinate explains most of values (n,) at z (n, dim)."""
    fits = [explained(z @ vector.double(), values) for vector in directions.vectors]
    return directions[max(range(len(fits)), key=fits.__getitem__)]


@dataclass(frozen=True)
class Found:
    """Hold what is found without labels for a class."""

    whole: Directions
    more: Directions
    curved: Directions

    @classmethod
    def in_class(cls, generator: Generator, name: str | None, points: int) -> "Found":
        """Find it. points: of `bend`."""
        directions = find(generator, class_name=name)
        more = int(directions.config["points"]) + points
        return cls(
            find(generator, class_name=name, by="whole", at=("image",)),
            find(generator, class_name=name, points=more, keep_going=True),
            bend(generator, directions, points=points),
        )


class Aligning:
    """Align the same samples of a class along several coordinates and read what is left."""

    def __init__(self, generator: Generator, reader: Reader, found: Found, samples: int, labelled: int, local: int):
        self.generator, self.reader, self.found, self.local = generator, reader, found, local
        self.index = found.curved.class_index
        self.training, classes = Sampling(self.index, TRAINING + (self.index or 0)).draw(generator, labelled)
        self.read = read_generated(generator, reader, self.training, classes).double()
        self.tested, self.classes = Sampling(self.index, 0).draw(generator, samples)
        self.before = self._reading(self.tested)
        self.names = [factor.name for factor in reader.factors]
        self.varied = [name for name in varied_factors(generator, reader) if name in self.names]

    def _reading(self, latents: Tensor) -> Tensor:
        return read_generated(self.generator, self.reader, latents, self.classes[: len(latents)])

    def rows(self, factor: str) -> Iterator[tuple[str, str, dict[str, float]]]:
        """Yield row, direction and figures."""
        z, values = self.training[:, 0].double(), self.read[:, self.names.index(factor)]
        curved = best(self.found.curved, z, values)
        gradient = linear(z, values).float()
        candidates = {
            "whole": best(self.found.whole, z, values),
            "straight": curved.straight,
            "same passes": best(self.found.more, z, values),
            "regression": Direction(gradient),
            "curved": curved,
            "quadratic": Direction(gradient, curve=quadratic(z, values)),
        }
        after = {}
        for row, direction in candidates.items():
            aligned = edits.align(self.tested, direction, 0.0)
            after[row] = self._reading(aligned)
            figures = self._left(factor, after[row]) | {
                "R2": explained(edits.coordinate(self.training, direction)[:, 0], values),
                "stopped": edits.short_of(aligned, direction, 0.0).double().mean().item(),
            }
            if row == "curved":
                figures |= self._interval(factor, after[row], after["regression"])
            yield row, direction.label, figures
        if self.local:
            at = tuple(self.found.curved.curvature["at"])
            walked = along_local_basis(self.generator, at, self.tested[: self.local], curved.vector, self.index)
            yield "local basis", curved.label, self._left(factor, self._reading(walked))

    def _left(self, factor: str, after: Tensor) -> dict[str, float]:
        left = remaining(self.reader.factors, self.varied, self.before[: len(after)], after)
        others = [left[name]["kept"].value for name in self.varied if name != factor]
        return {"kept": left[factor]["kept"].value, "others": min(others)}

    def _interval(self, factor: str, curved: Tensor, regression: Tensor) -> dict[str, float]:
        column, counts = self.names.index(factor), resampled(len(curved), 0)
        before, *draws = (spreads(read[:, column].double(), counts) for read in (self.before, curved, regression))
        difference = (draws[0] - draws[1]) / before
        around = difference.quantile(torch.tensor([0.025, 0.975], dtype=torch.double))
        return dict(zip(("low", "high"), around.tolist(), strict=True))


@click.command()
@click.option("--generator", "which", default="shapes-64")
@click.option("--classes", default="cube,sphere,cylinder", help="Empty: a generator without classes.")
@click.option("--factors", default="x,y,size")
@click.option("--reader", "name", default="network", type=click.Choice(["network", "pixels"]))
@click.option("--factor-network", "path", default=None, help="[default: the included one]")
@click.option("--samples", default=256)
@click.option("--labelled", default=3000)
@click.option("--points", default=128)
@click.option("--local", default=64, help="Samples of the row `local basis`, the slowest one; 0: none.")
@torch.no_grad()
def main(which: str, classes: str, factors: str, name: str, path: str | None, points: int, **counts: int) -> None:
    """Print the table as Markdown."""
    generator = load_generator(which)
    reader = PixelReader() if name == "pixels" else FactorNetwork.load(path or shipped(NETWORK))
    print("| class | aligned along | row | left of it | others, at least | R2 | stopped | curved - regression |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for class_name in classes.split(","):
        found = Found.in_class(generator, class_name or None, points)
        aligning = Aligning(generator, reader, found, **counts)
        for factor in factors.split(","):
            for row, label, figures in aligning.rows(factor):
                interval = f"{figures['low']:+.3f} to {figures['high']:+.3f}" if "low" in figures else ""
                cells = " | ".join(f"{figures.get(key, math.nan):.3f}" for key in ("kept", "others", "R2", "stopped"))
                print(f"| {class_name} | {factor} ({label}) | {row} | {cells} | {interval} |", flush=True)
        pairs = edits.commutativity_error(Sampling(aligning.index, 0).draw(generator, 64)[0], found.curved[:8])
        order = pairs[*torch.triu_indices(*pairs.shape, 1)]
        print(
            f"\n{class_name}: moves by 1 in another order end {order.mean():.3f} apart (most {order.max():.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
