"""Measure what bending costs, and whether it changes less where the best basis turns less.

`cost` prints passes, seconds and the rise of the process's peak memory for bending generators of 24, 100 and 128
dimensions (`shapes-64`, `eyes`, and a random DCGAN), and milliseconds to move 64 samples along a curve and a line.
`turn` prints, for the classes of `shapes-64`, the rank correlation over directions of the size of S and of how far the
best basis of a point turns away from a direction (see `distortion`), and both for the directions that turn least and
most; then the same for a generator whose coordinates are straight and one whose coordinates are bent.

python -m benchmarks.bending cost
python -m benchmarks.bending turn
"""

import resource
import time
from collections.abc import Callable, Iterator
from functools import partial

import click
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.discovery.bend import bend
from direction_finder.discovery.methods import find
from direction_finder.generators import Generator, WrappedModule
from direction_finder.generators.loading import load_generator
from direction_finder.metrics.distortion import cosines
from direction_finder.metrics.grams import grams_along
from direction_finder.metrics.samples import Sampling
from tests.test_bend import Bent

POINTS = 128
REPEATS = 20
CLASSES = ("cube", "sphere", "cylinder")


def random_dcgan(dim: int = 128, width: int = 32) -> Generator:
    """Return a DCGAN of 64 pixels with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return WrappedModule(_layers(dim, width).eval(), dim, name="random DCGAN")


def _layers(dim: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(1, (dim, 1, 1)), nn.ConvTranspose2d(dim, 8 * width, 4, 1, 0), nn.ReLU()]
    for i in (4, 2, 1):
        layers += [nn.ConvTranspose2d(2 * i * width, i * width, 4, 2, 1), nn.ReLU()]
    layers += [nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*layers)


def milliseconds(work: Callable[[], Tensor]) -> float:
    """Return the least time that work takes."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def turns(generator: Generator, directions: Directions, points: int = 64) -> Tensor:
    """Return by how many degrees the best basis of a point is turned away from each direction, on average: (num,)."""
    grams = grams_along(generator, directions, Sampling(directions.class_index, 1), count=points)
    return torch.rad2deg(cosines(grams).acos()).mean(0)


def bent_and_turned(generator: Generator, directions: Directions) -> tuple[Tensor, Tensor]:
    """Return the sizes of S, 0 where a direction stays straight, and `turns`, each (num,)."""
    curved = bend(generator, directions, points=POINTS)
    return torch.tensor([float(curve.bends.norm()) if curve else 0.0 for curve in curved.curves]), turns(
        generator, directions
    )


def cases() -> Iterator[tuple[str, Generator, Directions]]:
    """Yield name, generator and directions."""
    for name in CLASSES:
        generator = load_generator("shapes-64")
        yield name, generator, find(generator, class_name=name)
    for name, size in (("straight coordinates", 0.0), ("bent coordinates", 0.2)):
        planted = WrappedModule(Bent(size), 6, name=name)
        yield name, planted, find(planted, at=("image",), points=32, keep_going=True)


@click.group()
def main() -> None:
    """Print tables as Markdown."""


@main.command()
@torch.no_grad()
def cost() -> None:
    """Measure time and memory."""
    print("| generator | N | passes | seconds | peak MiB more | curved | ms to move 64 along a curve, a line |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in ("shapes-64", "eyes", "random DCGAN"):
        generator = random_dcgan() if name == "random DCGAN" else load_generator(name)
        directions = find(generator, class_name=generator.class_names[0] if generator.class_names else None)
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        curved = bend(generator, directions, points=POINTS)
        seconds = time.perf_counter() - start
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        latents = Sampling(curved.class_index, 0).draw(generator, 64)[0]
        along = next((each for each in curved if each.curve), curved[0])
        moving = [milliseconds(partial(edits.move, latents, each, 1.0)) for each in (along, along.straight)]
        print(
            f"| {name} | {generator.dim} | {2 * POINTS * generator.dim} | {seconds:.0f} | {memory:.0f} | "
            f"{sum(map(bool, curved.curves))} | {moving[0]:.1f}, {moving[1]:.1f} |",
            flush=True,
        )


@main.command()
@torch.no_grad()
def turn() -> None:
    """Relate the size of S with distortion."""
    print("| | curved | rank correlation of size of S and turn | least turned half: turn, size of S | other half |")
    print("|---|---|---|---|---|", flush=True)
    for name, generator, directions in cases():
        sizes, degrees = bent_and_turned(generator, directions)
        halves = degrees.argsort().chunk(2)
        cells = [f"{degrees[half].mean():.0f} degrees, {sizes[half].mean():.3f}" for half in halves]
        together = spearmanr(sizes.numpy(), degrees.numpy())[0] if sizes.any() else 0.0
        print(
            f"| {name} | {int((sizes > 0).sum())} of {len(sizes)} | {together:+.2f} | {' | '.join(cells)} |", flush=True
        )


if __name__ == "__main__":
    main()
