"""Compute the signals of a ranking: from directions alone, from images, and from J^T J."""

import dataclasses
from collections.abc import Iterator, Sequence

from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.metrics import ranking
from direction_finder.metrics.activeness import activeness
from direction_finder.metrics.distortion import Distortion, distortion, steady
from direction_finder.metrics.grams import grams_along, mixed_views
from direction_finder.metrics.ranking import Signal
from direction_finder.metrics.samples import Sampling
from direction_finder.metrics.side_effects import separate
from direction_finder.progress import OnStep
from direction_finder.resumable import Cache, prefixed

COMPARED = 16  # random directions whose activeness and layers are measured for comparison
POINTS = 16  # points at which J^T J is measured, at most


def of_matrix(directions: Directions, chunk: int | None, others: Sequence[Directions], seed: int) -> Iterator[Signal]:
    """Yield the signals that need no generator."""
    if chunk:
        yield ranking.localised(directions, chunk, seed)
    if others:
        yield ranking.agreement(directions, others, seed)


def of_images(
    generator: Generator,
    directions: Directions,
    sampling: Sampling,
    samples: int,
    hessians: int,
    cache: Cache,
    on_step: OnStep | None,
) -> Iterator[Signal]:
    """Yield the signals of images and their Hessians. samples: latents on which activeness is measured."""
    random = dataclasses.replace(
        directions,
        vectors=ranking.random_rows(directions, COMPARED, sampling.seed),
        curves=(),
        layers=(directions.layers[0],) * COMPARED,
        orthonormal=False,
        names=(),
        scores=(),
        ranges=(),
        numbers=(),
    )
    if generator.num_layers >= 3:
        yield ranking.localised_in_layers(generator, directions, random, sampling)
    values, chance = (
        activeness(generator, vectors, sampling, samples=samples, cache=prefixed(cache, name), on_step=on_step).mean(1)
        for name, vectors in (("activeness", directions), ("random", random))
    )
    yield ranking.compared("activeness", values, chance)
    if hessians and generator.differentiable and len(directions) > 1:
        matrices = ranking.hessians_along(
            generator, directions, sampling, count=hessians, cache=prefixed(cache, "Hessian"), on_step=on_step
        )
        yield ranking.diagonal(matrices, sampling.seed)


def of_grams(
    generator: Generator,
    directions: Directions,
    sampling: Sampling,
    samples: int,
    cache: Cache,
    on_step: OnStep | None,
) -> tuple[list[Signal], Distortion]:
    """Return the signals of J^T J along the directions at the first samples, at most 16, and their distortion."""
    count, cache = min(samples, POINTS), prefixed(cache, "Gram")
    grams = grams_along(generator, directions, sampling, count=count, cache=cache, on_step=on_step)
    views = mixed_views(grams, sampling.seed)
    return [separate(grams, views), steady(grams, views)], distortion(grams, views)
