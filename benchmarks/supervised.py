"""Find directions with labels: how good those can be that are found without.

`regression` is the plain way to use labels. `ceiling` raises a formula of the score itself, and `better` takes its
basis or that of the regression, whichever scores higher: about the best that a fixed orthonormal basis can reach. All
are trained on latents of their own, on which no directions are scored.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder.datasets import Factor
from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.metrics.factor_network import TURN, difference
from direction_finder.metrics.factors import effects_of, scores, spread
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import Readings, read_along, read_generated, varied_factors
from direction_finder.metrics.samples import Sampling
from direction_finder.orthogonal import matrix_exp
from direction_finder.randomness import normal, stream

TRAINING = 10**6  # seeds from here on are those of the training latents
LABELLED = 4000  # images that the regression sees
GRADIENTS = 256  # latents at which the ceiling knows the factors' gradients
TRIMMED = 0.15  # of them, those with a factor's largest gradients: near the middle of a circle steps show no gradient
JUDGED = 128  # latents on which the ceiling is compared with the regression
RIDGE = 1e-3  # added to the covariance of z
RANDOM_STARTS = 4
SMALLEST = 1e-30  # squared effect: rounding makes some negative, which have no logarithm
ROUNDS = 300


def sampling_of(class_index: int | None, purpose: int = 0) -> Sampling:
    """Return the training latents of a class; None: of a generator without classes. purpose: other ones."""
    return Sampling(class_index, seed=TRAINING * (1 + purpose) + (class_index or 0))


def regression(generator: Generator, reader: Reader, class_index: int | None, count: int = LABELLED) -> Tensor:
    """Return the basis (dim, dim) whose first directions are nearest to the least-squares gradients of the factors.

    A circular factor counts as two, its cosine and sine. Gradients are made orthonormal by the polar decomposition.
    """
    sampling = sampling_of(class_index)
    latents, classes = sampling.draw(generator, count)
    read = read_generated(generator, reader, latents, classes, sampling.max_batch).double()
    varied = varied_factors(generator, reader)
    columns: list[Tensor] = []
    for factor, values in zip(reader.factors, read.T, strict=True):
        if factor.name in varied:
            columns += _targets(factor, values)
    targets = torch.stack(columns, 1)
    targets = (targets - targets.mean(0)) / targets.std(0)
    z = latents[:, 0].double().cpu()
    weights = torch.linalg.solve(z.mT @ z / count + RIDGE * torch.eye(z.shape[1]), z.mT @ targets / count)
    left, _, right = torch.linalg.svd(normalize(weights.mT))
    return torch.cat([left @ right[: len(left)], right[len(left) :]]).float()


def _targets(factor: Factor, values: Tensor) -> list[Tensor]:
    if not factor.circular:
        return [values]
    angle = TURN * (values - factor.low) / (factor.high - factor.low)
    return [angle.cos(), angle.sin()]


def gradient_products(generator: Generator, reader: Reader, class_index: int | None, count: int = GRADIENTS) -> Tensor:
    """Return E[g g^T] over training latents for the gradient g of each factor: (factors, dim, dim).

    Gradients are differences over steps of 1 along the axes, in natural spreads. The mean squared effect of a direction
    q is q^T E[g g^T] q, so the scores of any basis are formulas of these matrices. This holds for small steps only, not
    where a circle is turned far; without the latents of `TRIMMED`, the basis with the best formula scores higher.
    """
    axes = Directions(torch.eye(generator.dim), "coordinates")
    return products_of(read_along(generator, reader, axes, sampling_of(class_index), samples=count))


def products_of(readings: Readings) -> Tensor:
    """Return E[g g^T] (factors, dim, dim) from readings along the axes, without each factor's largest g."""
    products = []
    for column, factor in enumerate(readings.factors):
        if factor.name in readings.varied:
            low, high = readings.moved[..., column].unbind(1)
            width = 2 * readings.step * spread(factor, readings.base[:, column].contiguous())
            gradients = difference(factor, high, low).double() / width  # (dim, samples)
            sizes = gradients.square().sum(0)
            gradients = gradients[:, sizes <= sizes.quantile(1 - TRIMMED)]
            products.append(gradients @ gradients.mT / gradients.shape[1])
    return torch.stack(products)


def better(generator: Generator, reader: Reader, class_index: int | None, bases: Sequence[Tensor]) -> Tensor:
    """Return the basis that scores highest overall on latents that none of them was trained on."""

    def score(basis: Tensor) -> float:
        directions, sampling = Directions(basis, "test"), sampling_of(class_index, purpose=1)
        effects = effects_of(read_along(generator, reader, directions, sampling, samples=JUDGED))
        return scores(effects.squares.mean(0))["overall"].item()

    return max(bases, key=score)


def overall(basis: Tensor, products: Tensor) -> Tensor:
    """Return the overall score of a basis (dim, dim) by `gradient_products`."""
    squares = torch.einsum("di,fij,dj->df", basis, products, basis)
    return scores(squares.clamp_min(SMALLEST))["overall"]


def ceiling(products: Tensor, starts: Sequence[Tensor], seed: int = 0) -> Tensor:
    """Return the orthonormal basis (dim, dim) with the highest overall score, by ascent over rotations of each start.

    A few random starts are added.
    """
    size = products.shape[-1]
    rng = stream(seed, "ceiling")
    bases = [*starts, *(torch.linalg.qr(normal(size, size, rng))[0] for _ in range(RANDOM_STARTS))]
    raised = [_raised(products, basis.double()) for basis in bases]
    return max(raised, key=lambda basis: overall(basis, products).item())


@torch.enable_grad()
def _raised(products: Tensor, start: Tensor) -> Tensor:
    free = torch.zeros(start.numel(), dtype=start.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def turned() -> Tensor:
        return matrix_exp(free.view_as(start)) @ start

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = -overall(turned(), products)
        value.backward()
        return value

    optimiser.step(loss)
    return turned().detach()
