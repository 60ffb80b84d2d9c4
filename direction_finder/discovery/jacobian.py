"""The first-order sibling solved directly: directions whose changes of the output are orthogonal.

OroJaR (Wei et al. 2021, "Orthogonal Jacobian Regularization", https://arxiv.org/abs/2108.07668) minimises the
off-diagonal energy of J^T J over bases; the eigenvectors of the mean of J^T J, or their joint diagonaliser, minimise it
at once, with forward passes only.
"""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from direction_finder.diagonalisation import SOLVERS
from direction_finder.directions import Directions
from direction_finder.discovery.joint import DirectConfig, collect_and_solve
from direction_finder.discovery.space import option
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian_gram
from direction_finder.progress import OnStep


@dataclasses.dataclass(frozen=True)
class JacobianConfig(DirectConfig):
    """Settings of `jacobian`."""

    eta: float = option(0.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0)
    solver: str = option("mean", "How the matrices J^T J are made diagonal.", choices=tuple(SOLVERS))


def find(
    generator: Generator,
    config: JacobianConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """The orthonormal basis that makes J^T J of the generator, at random points, most diagonal: loudest first."""

    def measure(f: Callable[..., Tensor], x: Tensor, context: list[Tensor], _rng: torch.Generator) -> Tensor:
        return jacobian_gram(f, x, epsilon=config.epsilon, context=context, max_batch=config.max_batch)

    return collect_and_solve(generator, config, measure, "jacobian", config.eta, on_step=on_step, resume=resume)
