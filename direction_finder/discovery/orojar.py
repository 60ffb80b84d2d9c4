"""OroJaR's method: learn an orthogonal matrix of directions that change the output in orthogonal ways.

Wei et al. 2021, "Orthogonal Jacobian Regularization", https://arxiv.org/abs/2108.07668.
"""

from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import OrojarConfig
from direction_finder.discovery.loop import Batch, gradient_work, minimise
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.penalty import jacobian_penalty
from direction_finder.progress import OnStep


def find(
    generator: Generator,
    config: OrojarConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Minimise over A the off-diagonal energy of J^T J, where J is the Jacobian of w -> G(z + A w).

    See `loop.minimise` for the arguments.
    """
    return minimise(generator, config, "orojar", penalties, on_step=on_step, resume=resume)


def penalties(space: SearchSpace, config: OrojarConfig, rows: Tensor, batch: Batch) -> Tensor:
    """Return the penalty of every sample (n,), over all outputs in `config.at` together."""
    flat = space.flat_output(config.at)

    def f(w: Tensor, z: Tensor, classes: Tensor) -> Tensor:
        return flat(w @ rows, z, classes)

    context = (batch.z, batch.classes)
    return jacobian_penalty(f, batch.w, epsilon=config.epsilon, probes=batch.probes, context=context)


work = gradient_work(penalties)
