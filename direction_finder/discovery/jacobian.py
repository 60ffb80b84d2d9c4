"""OroJaR's objective solved directly: find directions that change the output in orthogonal ways.

OroJaR (Wei et al. 2021, "Orthogonal Jacobian Regularization", https://arxiv.org/abs/2108.07668) minimises the
off-diagonal energy of J^T J over bases; the joint diagonaliser of J^T J at many points minimises it directly, with
forward passes only. The eigenvectors of the mean (solver `mean`) are close to it, but mix directions of about equal
strength.
"""

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import JacobianConfig
from direction_finder.discovery.direct import collect_and_solve
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian, jacobian_gram
from direction_finder.progress import OnStep
from direction_finder.randomness import stream


def find(
    generator: Generator,
    config: JacobianConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the orthonormal basis that makes the generator's J^T J at random points most diagonal, strongest first."""

    def measure(space: SearchSpace, rng: torch.Generator) -> Tensor:
        x, context = space.draw_point(config.eta, rng)
        f = space.flat_output(config.at)
        return jacobian_gram(f, x, epsilon=config.epsilon, context=context, max_batch=config.max_batch)

    return collect_and_solve(generator, config, measure, "jacobian", on_step=on_step, resume=resume)


def work(space: SearchSpace, config: JacobianConfig, rows: int) -> Tensor:
    """Compute the first columns of a Jacobian from `rows` images at once, for `tuning` to measure."""
    x, context = space.draw_point(config.eta, stream(config.seed, "tuning"))
    axes = torch.eye(len(x))[: rows // 2]
    return jacobian(space.flat_output(config.at), x, axes, epsilon=config.epsilon, context=context, max_batch=rows)
