"""OroJaR's objective solved directly: find directions that change the output in orthogonal ways.

OroJaR (Wei et al. 2021, "Orthogonal Jacobian Regularization", https://arxiv.org/abs/2108.07668) minimises the
off-diagonal energy of J^T J over bases; the joint diagonaliser of J^T J at many points minimises it directly, with
forward passes only. The eigenvectors of the mean (solver `mean`) are close to it, but mix directions of about equal
strength.
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import WHOLE, DirectConfig, JacobianConfig, LocalBasisConfig
from direction_finder.discovery.direct import collect_and_solve
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian, jacobian_gram
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream
from direction_finder.settings import IMAGE, MIDDLE
from direction_finder.stacks import even, grams_by_channel, thin


def find(
    generator: Generator,
    config: JacobianConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the orthonormal basis that makes the generator's J^T J at random points most diagonal, strongest first."""

    config = resolved(generator, config)

    def measure(space: SearchSpace, rng: torch.Generator) -> Tensor:
        x, context = space.draw_point(config.eta, rng)
        if config.by == WHOLE:
            f = space.flat_output(config.at)
            return jacobian_gram(f, x, epsilon=config.epsilon, context=context, max_batch=config.max_batch)[None]
        return stack_at(space, config, x, context)

    return collect_and_solve(generator, config, measure, "jacobian", on_step=on_step, resume=resume)


def stack_at(space: SearchSpace, config: JacobianConfig, x: Tensor, context: list[Tensor]) -> Tensor:
    """Return J^T J of the channels at a point, see `SearchSpace.draw_point`, compressed: (kept, size, size)."""
    settings: dict[str, Any] = {"epsilon": config.epsilon, "context": context, "max_batch": config.max_batch}
    f = space.flat_output(config.at)
    shapes = [output.shape[1:] for output in space.outputs(config.at, torch.zeros_like(x)[None], *context)]
    parts = jacobian(f, x, torch.eye(len(x)), **settings).split([shape.numel() for shape in shapes], dim=1)
    kept = config.per_point(len(x))
    layers = [thin(even(grams_by_channel(*each)), kept) for each in zip(parts, shapes, strict=True)]
    return thin(torch.cat(layers), kept) / len(layers) ** 0.5


def resolved(generator: Generator, config: JacobianConfig) -> JacobianConfig:
    """Return the settings with the names of the outputs to differentiate, if they were left open."""
    config.check(generator)
    if config.at != (MIDDLE,):
        return config
    return dataclasses.replace(config, at=middle_activations(SearchSpace(generator, config), config.seed))


@torch.no_grad()
def middle_activations(space: SearchSpace, seed: int) -> tuple[str, ...]:
    """Return the last activation below the middle resolution, and the first that is not below it.

    The middle is the geometric mean of the lowest resolution and the image's. Only activations (channels, H, W) that
    change with the searched latents count; without any, it is the image.
    """
    names, rng = space.generator.activation_names, stream(seed, "middle")
    z, classes, shift = space.generator.sample(1, rng), space.classes(1, rng), normal(1, space.size, rng)
    before, after = (space.outputs(names, moved.to(z), z, classes) for moved in (torch.zeros_like(shift), shift))
    changed = zip(names, before, after, strict=True)
    sides = {name: a.shape[2] for name, a, b in changed if a.ndim == 4 and name != IMAGE and not torch.equal(a, b)}
    middle = (min(sides.values(), default=1) * space.generator.resolution) ** 0.5
    below = [name for name, side in sides.items() if side < middle]
    above = [name for name, side in sides.items() if side >= middle]
    return (*below[-1:], *above[:1]) or (IMAGE,)


def work(space: SearchSpace, config: DirectConfig | LocalBasisConfig, rows: int) -> Tensor:
    """Compute the first columns of a Jacobian from `rows` images at once, for `tuning` to measure."""
    x, context = space.draw_point(config.eta, stream(config.seed, "tuning"))
    axes = torch.eye(len(x))[: rows // 2]
    return jacobian(space.flat_output(config.at), x, axes, epsilon=config.epsilon, context=context, max_batch=rows)
