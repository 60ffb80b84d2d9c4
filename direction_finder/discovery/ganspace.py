"""GANSpace: the principal components of activations, carried back to latents by regression.

Harkonen et al. 2020, "GANSpace: Discovering Interpretable GAN Controls", https://arxiv.org/abs/2004.02546, Sec. 2.1 for
generators whose latents are isotropic: PCA of a layer's activations, then the latents that explain each component,
by least squares. On the samples of the PCA itself its coordinates are uncorrelated, so the least squares are a product
with the covariance of activations and latents, and every sample is computed once.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder.directions import Directions
from direction_finder.discovery.configs import GanspaceConfig
from direction_finder.discovery.search_space import SearchSpace, finish
from direction_finder.errors import InputError, MissingExtra
from direction_finder.generators import Generator
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import stream

EXTRA = "measure"
KEPT = 2  # times as many components are computed as are returned
FLAT = 1e-10  # activations with less variance than this fraction of their mean square do not vary


@torch.no_grad()
def find(
    generator: Generator,
    config: GanspaceConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return a unit direction for each component, that of the largest variance first; they need not be orthogonal.

    Raises InputError for activations that do not vary, MissingExtra without scikit-learn.
    """
    try:
        from sklearn.decomposition import IncrementalPCA
    except ImportError as error:
        raise MissingExtra("the method ganspace", EXTRA) from error
    config.check(generator)
    space, at = SearchSpace(generator, config), config.at or generator.activation_names[:1]
    components = min(config.components, space.size)
    kept = KEPT * components  # while samples come in; more than are returned, so that the last of these are right too
    pca, cross, done = IncrementalPCA(kept), torch.zeros(()), 0
    for z, activations in _samples(space, at, config, kept):
        if activations.shape[1] < kept:
            raise InputError(
                f"at {' and '.join(at)}: {activations.shape[1]} activations are too few for {components} components; "
                "set fewer `components`, or another output as `at`"
            )
        pca.partial_fit(activations.numpy())
        cross = cross + activations.double().mT @ z
        done += len(z)
        progress = Progress(min(done, config.samples), config.samples, "sampling", unit="image")
        if on_step:
            on_step(progress)
        if progress.stopped:
            break
    variances = torch.from_numpy(pca.explained_variance_)[:components]
    if variances[0] <= FLAT * float(activations.square().mean()):
        raise InputError(f"at {' and '.join(at)}: these activations are the same for every latent; set another `at`")
    rows = normalize(torch.from_numpy(pca.components_)[:components].double() @ cross, dim=1).float()
    reason = f"PCA of {done:,} samples"
    return finish(space, rows, config, "ganspace", scores=variances, orthonormal=False, reason=reason)


def _samples(
    space: SearchSpace, at: tuple[str, ...], config: GanspaceConfig, least: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield searched dimensions of latents (n, size) in float64, and their activations (n, all), at least `least`."""
    rng, output = stream(config.seed, "samples"), space.flat_output(at)
    together = max(least, config.max_batch)
    for _ in range(-(-config.samples // together)):
        z = space.generator.sample(together, rng)
        given = torch.zeros(together, space.size).to(z), z, space.classes(together, rng)
        parts = zip(*(each.split(config.max_batch) for each in given), strict=True)
        activations = torch.cat([output(*part).cpu() for part in parts])
        yield space.searched(z).cpu().double(), activations
