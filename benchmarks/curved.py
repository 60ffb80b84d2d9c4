"""Measure how much of a factor's spread is left after aligning along straight and curved coordinates, with and without
labels.

Rows for x, y and size of each class of `shapes-64`, all aligned at 0 on the same samples: `straight` is the direction
of `learn` that correlates most with the factor, and `curved` the same one bent; `regression` and `quadratic` are
straight and quadratic least squares with labels. The last column is the interval, over samples, of what the curved one
leaves minus what regression leaves. R2 is how much of the factor a coordinate explains, `stopped` the share of samples
that stop on the way. At the end comes how far apart two curved moves end in both orders.

python -m benchmarks.curved [--reader pixels]
"""

from collections.abc import Iterator

import click
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.curves import Curve
from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.discovery.bend import bend
from direction_finder.discovery.methods import find
from direction_finder.generators import Generator
from direction_finder.generators.loading import load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.factors import remaining
from direction_finder.metrics.intervals import resampled
from direction_finder.metrics.pixel_reader import PixelReader
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import read_generated, varied_factors
from direction_finder.metrics.samples import Sampling

FACTORS = ("x", "y", "size")
TRAINING = 10**6  # seeds from here on are those of the latents with labels
RIDGE = 0.01  # of the quadratic regression, in units of the covariance


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


def rows_of(
    generator: Generator, reader: Reader, curved: Directions, samples: int, labelled: int
) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    """Yield factor, row, direction and figures."""
    index = curved.class_index
    training, classes = Sampling(index, TRAINING + (index or 0)).draw(generator, labelled)
    read = read_generated(generator, reader, training, classes).double()
    tested, same = Sampling(index, 0).draw(generator, samples)
    before = read_generated(generator, reader, tested, same)
    z, names = training[:, 0].double(), [factor.name for factor in reader.factors]
    varied = [name for name in varied_factors(generator, reader) if name in names]
    counts = resampled(samples, 0)
    for factor in FACTORS:
        column = names.index(factor)
        values = read[:, column]
        fits = [explained(z @ vector.double(), values) for vector in curved.vectors]
        chosen = curved[max(range(len(fits)), key=fits.__getitem__)]
        gradient = linear(z, values).float()
        candidates = {
            "straight": chosen.straight,
            "regression": Direction(gradient),
            "curved": chosen,
            "quadratic": Direction(gradient, curve=quadratic(z, values)),
        }
        kept, draws = {}, {}
        for row, direction in candidates.items():
            aligned = edits.align(tested, direction, 0.0)
            after = read_generated(generator, reader, aligned, same)
            left = remaining(reader.factors, varied, before, after)
            kept[row] = {
                "kept": left[factor]["kept"].value,
                "others": min(left[name]["kept"].value for name in varied if name != factor),
                "R2": explained(edits.coordinate(training, direction)[:, 0], values),
                "stopped": edits.short_of(aligned, direction, 0.0).double().mean().item(),
            }
            draws[row] = spreads(after[:, column].double(), counts) / spreads(before[:, column].double(), counts)
        around = (draws["curved"] - draws["regression"]).quantile(torch.tensor([0.025, 0.975], dtype=torch.double))
        kept["curved"] |= dict(zip(("low", "high"), around.tolist(), strict=True))
        for row, figures in kept.items():
            yield factor, row, chosen.label, figures


def commutativity(curved: Directions, latents: Tensor, amount: float = 1.0) -> Tensor:
    """Return how far apart latents are after two moves in both orders, per unit moved, for each pair of directions."""
    errors = []
    for i, first in enumerate(curved):
        for second in curved[i + 1 :] if i + 1 < len(curved) else ():
            there, back = (
                edits.combine(latents, [(a, amount), (b, amount)]) for a, b in ((first, second), (second, first))
            )
            errors.append((there - back)[:, 0].norm(dim=1).mean() / amount)
    return torch.stack(errors)


@click.command()
@click.option("--classes", default="cube,sphere,cylinder")
@click.option("--reader", "name", default="network", type=click.Choice(["network", "pixels"]))
@click.option("--samples", default=256)
@click.option("--labelled", default=3000)
@click.option("--points", default=128)
@torch.no_grad()
def main(classes: str, name: str, samples: int, labelled: int, points: int) -> None:
    """Print the table as Markdown."""
    generator = load_generator("shapes-64")
    reader = PixelReader() if name == "pixels" else FactorNetwork.load(shipped(NETWORK))
    print("| class | aligned along | row | left of it | others, at least | R2 | stopped | curved - regression |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for class_name in classes.split(","):
        curved = bend(generator, find(generator, class_name=class_name), points=points)
        for factor, row, label, found in rows_of(generator, reader, curved, samples, labelled):
            interval = f"{found['low']:+.3f} to {found['high']:+.3f}" if "low" in found else ""
            figures = " | ".join(f"{found[key]:.3f}" for key in ("kept", "others", "R2", "stopped"))
            print(f"| {class_name} | {factor} ({label}) | {row} | {figures} | {interval} |", flush=True)
        order = commutativity(curved[:8], Sampling(curved.class_index, 0).draw(generator, 64)[0])
        print(
            f"\n{class_name}: moves by 1 in another order end {order.mean():.3f} apart (most {order.max():.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
