"""SeFa: the directions that the weights which read latents amplify most; no image is computed.

Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs", https://arxiv.org/abs/2007.06600: the
eigenvectors of A^T A, with A the weights of the layers that read latents, one above the other. As in the authors' code,
every row of A is first divided by its norm; weight "raw" leaves rows as they are, as in the paper.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder.directions import Directions
from direction_finder.discovery.configs import SefaConfig
from direction_finder.discovery.search_space import SearchSpace, finish
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.progress import OnStep


def find(
    generator: Generator,
    config: SefaConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the eigenvectors of A^T A, strongest first, with their eigenvalues as scores.

    Raises InputError if it is not known which weights read the generator's latents, or not in the layers asked for.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    weights = space.searched(torch.cat(list(_chosen(generator, config.read).values())).double().cpu())
    if config.weight == "unit":
        weights = normalize(weights, dim=1)
    values, vectors = torch.linalg.eigh(weights.mT @ weights)
    return finish(space, vectors.mT.float(), config, "sefa", scores=values, reason="solved from weights")


def _chosen(generator: Generator, names: tuple[str, ...] | None) -> dict[str, Tensor]:
    reads = generator.reads()
    if not reads:
        raise InputError(
            f"{generator.name}: it is not known which of its weights multiply latents, which SeFa needs; "
            "choose another method, e.g. jacobian"
        )
    if unknown := sorted(set(names or ()) - reads.keys()):
        raise InputError(f"{generator.name}: {unknown[0]!r} reads no latents; {', '.join(reads)} do")
    return {name: reads[name] for name in names or reads}
