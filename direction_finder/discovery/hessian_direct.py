"""The paper's objective solved directly: measure Hessians once, then compute the basis that makes them most diagonal.

For a full orthonormal A, minimising the off-diagonal energy of A^T H A over many Hessians H of <u, G(z)> is the same as
maximising its diagonal energy: approximate joint diagonalisation (see `diagonalisation`). This holds for the mean of
the penalty over outputs, because u is random. The maximum over outputs is another objective, which is not solved here.
"""

from typing import Any

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import HessianDirectConfig
from direction_finder.discovery.diagonal_share import random_hessian
from direction_finder.discovery.direct import collect_and_solve
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.progress import OnStep
from direction_finder.randomness import stream


def find(
    generator: Generator,
    config: HessianDirectConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the orthonormal basis that makes the Hessians of <u, G> at random points most diagonal; u is Gaussian."""

    def measure(space: SearchSpace, rng: torch.Generator) -> Tensor:
        settings: dict[str, Any] = {"eta": config.eta, "epsilon": config.epsilon, "max_batch": config.max_batch}
        return random_hessian(space, config.at, rng, **settings)[None]

    return collect_and_solve(generator, config, measure, "hessian-direct", on_step=on_step, resume=resume)


def work(space: SearchSpace, config: HessianDirectConfig, rows: int) -> Tensor:
    """Compute part of a Hessian from `rows` gradients at once, for `tuning` to measure."""
    rng = stream(config.seed, "tuning")
    return random_hessian(
        space, config.at, rng, num_probes=rows // 2, eta=config.eta, epsilon=config.epsilon, max_batch=rows
    )
