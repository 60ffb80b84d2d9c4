"""The mean-field term of a VAE, solved directly: directions that could bear independent noise at the least loss.

Kumar and Poole 2020, "On Implicit Regularization in beta-VAEs", https://arxiv.org/abs/2002.00041: noise that is
independent along the latents adds beta/2 sum_i log(1 + |J e_i|^2 / beta) to the loss of a VAE, J the Jacobian of its
decoder. For a frozen generator, the mean over points of sum_i log(1 + |J q_i|^2 / beta) is minimised over orthonormal
bases Q. By Hadamard's inequality it is least where Q diagonalises J^T J. For small beta this is Pham's criterion of
joint diagonalisation (2001, "Joint Approximate Diagonalization of Positive Definite Hermitian Matrices"), for large
beta the diagonal energy of the matrices as they are.
"""

import torch
from torch import Tensor

from direction_finder.diagonalisation import square_eigenvectors, unit_norm
from direction_finder.directions import Directions
from direction_finder.discovery.configs import MeanFieldConfig
from direction_finder.discovery.direct import collect_and_solve
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian_gram
from direction_finder.progress import OnStep
from direction_finder.rotations import Objective, Terms, raise_energy

TOLERANCE = 1e-9  # weak directions raise the objective by little, but their logarithms count


def find(
    generator: Generator,
    config: MeanFieldConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Return the orthonormal basis with the least mean-field term at random points, strongest first."""

    def measure(space: SearchSpace, rng: torch.Generator) -> Tensor:
        x, context = space.draw_point(config.eta, rng)
        f = space.flat_output(config.at)
        return jacobian_gram(f, x, epsilon=config.epsilon, context=context, max_batch=config.max_batch)[None]

    def solver(matrices: Tensor) -> Tensor:
        return solve(unit_norm(matrices) if config.weight == "unit" else matrices, config.beta)

    return collect_and_solve(generator, config, measure, "mean-field", solver=solver, on_step=on_step, resume=resume)


def solve(matrices: Tensor, beta: float) -> Tensor:
    """Return the basis (N, N) that minimises the mean-field term of matrices J^T J (M, N, N).

    beta: above 0, relative to the mean eigenvalue of the matrices.
    """
    return raise_energy(matrices, square_eigenvectors(matrices), objective=mean_field(beta), tolerance=TOLERANCE)


def mean_field(beta: float) -> Objective:
    """Return minus the mean-field term, but for what is the same in every basis, as an objective to raise.

    With x the diagonal entries divided by their mean, and u = (x - 1) / (1 + beta), log(1 + x / beta) is log(1 + u) and
    a constant, and the sum of u is 0. So u - log(1 + u) is summed, which is as precise for large as for small beta. It
    is scaled so that for large beta it is the square of the entries' differences from their mean.
    """

    def terms(diagonals: Tensor) -> Terms:
        mean = diagonals.mean()
        x = diagonals.clamp(min=0) / mean  # rounding makes some negative
        u, scale = (x - 1) / (1 + beta), 2 * (1 + beta) ** 2
        return Terms(
            scale * mean.square() * (u - u.log1p()), scale * mean * u / (x + beta), scale / (x + beta).square()
        )

    return terms
