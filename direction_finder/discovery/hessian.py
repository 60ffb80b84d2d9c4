"""The paper's method: learn an orthogonal matrix of directions that makes the generator's Hessian diagonal.

Peebles et al. 2020, "The Hessian Penalty", Sec. 4.4, https://arxiv.org/abs/2008.10599.
"""

from functools import reduce

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import HessianConfig
from direction_finder.discovery.loop import Batch, gradient_work, minimise, moved_outputs
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.penalty import hessian_penalty
from direction_finder.progress import OnStep


def find(
    generator: Generator,
    config: HessianConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Minimise over A the Hessian Penalty of w -> G(z + A w) with respect to w, at w = eta e_i; return the rows of A.

    See `loop.minimise` for the arguments.
    """
    return minimise(generator, config, "hessian", penalties, on_step=on_step, resume=resume)


def penalties(space: SearchSpace, config: HessianConfig, rows: Tensor, batch: Batch) -> Tensor:
    """Return the penalty of every sample (n,), summed over the outputs in `config.at`."""
    f = moved_outputs(space, rows, config.at)
    context = (batch.z, batch.classes)
    per_output = hessian_penalty(f, batch.w, epsilon=config.epsilon, probes=batch.probes, context=context)
    entries = [values.flatten(1) for values in per_output]
    return reduce(torch.add, (values.amax(1) if config.reduction == "max" else values.mean(1) for values in entries))


work = gradient_work(penalties)
