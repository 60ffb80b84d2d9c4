"""Read factors in images of samples that are moved along directions: what all scores of factors are computed from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.datasets import Factor
from direction_finder.directions import Direction, Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics.factor_network import read_all
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.resumable import Cache, in_parts, once, uncached


@dataclass(frozen=True)
class Readings:
    """Hold what a reader read in images: numbers in a factor's units, or indexes into its choices.

    factors: those that the reader reads. varied: see `varied_factors`. base (samples, factors): read in images of the
    samples. moved (directions, 2, samples, factors): read in those of the samples moved by -step and by step along each
    direction.
    """

    factors: tuple[Factor, ...]
    varied: tuple[str, ...]
    base: Tensor
    moved: Tensor
    step: float


@torch.no_grad()
def read_along(
    generator: Generator,
    network: Reader,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 256,
    step: float = 1.0,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Readings:
    """Move `samples` latents by -step and +step along every direction and read the factors of all images."""
    latents, classes = sampling.draw(generator, samples)

    def read(moved: Tensor) -> Tensor:
        return read_generated(generator, network, moved, classes, sampling.max_batch)

    def along(index: int) -> Tensor:
        direction = directions[index]
        return torch.stack([read(edits.move(latents, direction, amount)) for amount in (-step, step)])

    varied = varied_factors(generator, network)
    base = once(cache, "unmoved", lambda: read(latents))
    rows = in_parts(len(directions), along, "measuring factors", "direction", cache=cache, on_step=on_step)
    return Readings(network.factors, varied, base, torch.stack(rows), step)


@torch.no_grad()
def read_samples(
    generator: Generator,
    network: Reader,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 256,
    along: Direction | None = None,
    to: float = 0.0,
) -> Tensor:
    """Read the factors of images of `samples` latents: (samples, factors).

    along: first align the latents along this direction, at the coordinate `to`.
    """
    latents, classes = sampling.draw(generator, samples)
    if along is not None:
        latents = edits.align(latents, along, to)
    return read_generated(generator, network, latents, classes, sampling.max_batch)


def varied_factors(generator: Generator, network: Reader) -> tuple[str, ...]:
    """Return the names of the factors that depend on latents: all but the one that is the generator's class."""
    return tuple(each.name for each in network.factors if not each.choices or each.choices != generator.class_names)


@torch.no_grad()
def read_generated(
    generator: Generator, network: Reader, latents: Tensor, classes: Tensor, max_batch: int = 32
) -> Tensor:
    """Generate images and return the factors that a reader reads in them: (n, factors), on the CPU.

    Raises InputError if it reads images of another resolution.
    """
    if generator.resolution != network.resolution:
        raise InputError(
            f"{generator.name} generates images of {generator.resolution} pixels, but the {network.title} reads "
            f"{network.resolution}: give one of that resolution"
        )
    batches = zip(latents.split(max_batch), classes.split(max_batch), strict=True)
    images = torch.cat([generator(z, labels) for z, labels in batches])
    read = read_all(network, images)
    return torch.stack([read[factor.name].float() for factor in network.factors], 1).cpu()
