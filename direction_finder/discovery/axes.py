"""Two baselines that need no learning: the axes of z, and random orthonormal directions."""

import torch

from direction_finder.directions import Directions
from direction_finder.discovery.configs import CoordinatesConfig, RandomConfig
from direction_finder.discovery.search_space import SearchSpace, finish, strengths
from direction_finder.generators import Generator
from direction_finder.orthogonal import gram_schmidt
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream


def find_coordinates(
    generator: Generator, config: CoordinatesConfig, *, on_step: OnStep | None = None, resume: dict | None = None
) -> Directions:
    """Return the coordinate axes of z, strongest first if they are scored, each named after its number ("z17")."""
    config.check(generator)
    space = SearchSpace(generator, config)
    rows = torch.eye(space.size)
    scores = strengths(space, rows, config, on_step)
    return finish(space, rows, config, "coordinates", scores=scores, name=lambda i: f"z{space.first + i}")


def find_random(
    generator: Generator, config: RandomConfig, *, on_step: OnStep | None = None, resume: dict | None = None
) -> Directions:
    """Return a uniformly random orthonormal basis of the searched dimensions, strongest first if it is scored."""
    config.check(generator)
    space = SearchSpace(generator, config)
    rows = gram_schmidt(normal(space.size, space.size, stream(config.seed, "random directions")))
    return finish(space, rows, config, "random", scores=strengths(space, rows, config, on_step))
