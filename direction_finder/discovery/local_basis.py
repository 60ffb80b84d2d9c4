"""Local Basis: how the output changes at a single point, for comparison with methods that use many.

Choi et al. 2022, "Do Not Escape From the Manifold: Discovering the Local Coordinates on the Latent Space of GANs",
https://arxiv.org/abs/2106.06959: the singular vectors of the Jacobian of a subnetwork at one latent. The paper moves
intermediate latents along left singular vectors; these are the right ones, along which latents move so that the output
moves along the left. As it takes a derivative, and not a secant as other methods here do, the step is short by default.
"""

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.discovery.configs import LocalBasisConfig
from direction_finder.discovery.direct import check_derivatives
from direction_finder.discovery.search_space import SearchSpace, finish
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian_gram
from direction_finder.penalty import Repeatable
from direction_finder.progress import OnStep
from direction_finder.randomness import stream


def find(
    generator: Generator,
    config: LocalBasisConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the right singular vectors of the Jacobian at a random point, with their singular values as scores.

    Raises InputError if no latent changes the output there.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    x, context = space.draw_point(config.eta, stream(config.seed, "point 0"))
    f = space.flat_output(config.at)
    forward = Repeatable(f, x[None], *context)
    forward.check()
    gram = jacobian_gram(f, x, epsilon=config.epsilon, context=context, max_batch=config.max_batch).double().cpu()
    forward.check()
    check_derivatives(gram, generator, config.at)
    values, vectors = torch.linalg.eigh(gram)
    scores = values.clamp(min=0).sqrt()
    return finish(space, vectors.mT.float(), config, "local-basis", scores=scores, reason="one point")
