"""Matrices with orthonormal rows as differentiable functions of an unconstrained matrix.

Every parametrisation turns `start` into a free matrix, and any free matrix into rows. Rows are directions: their shape
is (num, dim) with num <= dim.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from direction_finder.errors import InputError

Map = Callable[[Tensor], Tensor]


def gram_schmidt(rows: Tensor) -> Tensor:
    """Orthonormalise the rows of `rows` (num, dim) in order, first row first. Returns (num, dim).

    Gram-Schmidt on the rows of A equals the Q factor of A^T = QR with a positive diagonal of R; the factorisation gives
    the same result and the same gradient as the loop, in one call and without its loss of orthogonality.
    Raises InputError, naming the first offending row, when the rows are linearly dependent or not finite.
    """
    num, dim = rows.shape
    if num > dim:
        raise InputError(f"{num} directions cannot be orthonormal in {dim} dimensions: ask for at most {dim}")
    _check_finite(rows)
    orthonormal, pivots = _triangular(rows)
    dependent = pivots.abs() <= 10 * dim * torch.finfo(rows.dtype).eps * rows.norm(dim=1)
    if dependent.any():
        row = int(dependent.nonzero()[0])
        raise InputError(
            f"the matrix of directions has rank below {num}: row {row} depends on the rows before it; "
            "give linearly independent rows"
        )
    return orthonormal


def gram_schmidt_on_the_way(rows: Tensor) -> Tensor:
    """Orthonormalise rows (num, dim) like `gram_schmidt`, but accept linearly dependent rows, for use in optimisation.

    During optimisation, the last row of a square matrix can become dependent for a moment; its direction then only
    changes sign. Raises InputError when values are not finite.
    """
    _check_finite(rows)
    return _triangular(rows)[0]


def _triangular(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return orthonormal rows, and the signed distance of each row of `rows` from the span of the rows before it.

    This is computed in float64: the gradient divides by these distances, and the last of a square matrix is often
    small.
    """
    q, r = torch.linalg.qr(rows.double().mT)
    pivots = r.diagonal()
    return (q * torch.where(pivots < 0, -1.0, 1.0)).mT.to(rows.dtype), pivots


def _check_finite(rows: Tensor) -> None:
    if not torch.isfinite(rows).all():
        raise InputError(
            "the matrix of directions has NaN or infinite values, so it cannot be orthonormalised: give finite values"
        )


def cayley(free: Tensor) -> Tensor:
    """Return the rotation (I + W)^-1 (I - W), W = (F - F^T)/2, for a free matrix F (dim, dim); the identity for F = 0.

    https://en.wikipedia.org/wiki/Cayley_transform
    """
    skew = (free - free.mT) / 2
    eye = torch.eye(len(free), dtype=free.dtype, device=free.device)
    return torch.linalg.solve(eye + skew, eye - skew)


def matrix_exp(free: Tensor) -> Tensor:
    """Return the rotation exp(F - F^T) for a free matrix F (dim, dim); the identity for F = 0."""
    return torch.linalg.matrix_exp(free - free.mT)


def _rotated(rotation: Map) -> Callable[[Tensor], tuple[Tensor, Map]]:
    def parametrise_by_rotation(start: Tensor) -> tuple[Tensor, Map]:
        base = gram_schmidt(start)
        free = torch.zeros(base.shape[1], base.shape[1], dtype=base.dtype, device=base.device)
        return free, lambda matrix: base @ rotation(matrix)

    return parametrise_by_rotation


def _independent(start: Tensor) -> Tensor:
    gram_schmidt(start)  # raises InputError if it is not
    return start


PARAMETRISATIONS: dict[str, Callable[[Tensor], tuple[Tensor, Map]]] = {
    "gram_schmidt": lambda start: (_independent(start).clone(), gram_schmidt_on_the_way),
    "cayley": _rotated(cayley),
    "matrix_exp": _rotated(matrix_exp),
    "stiefel": lambda start: (gram_schmidt(start), lambda matrix: matrix),
    "none": lambda start: (start.clone(), lambda matrix: matrix),
}


def parametrise(name: str, start: Tensor) -> tuple[Tensor, Map]:
    """Return the free matrix that represents `start` (num, dim), and the map from free matrices to directions.

    `gram_schmidt` (the paper's), `cayley` and `matrix_exp` map any free matrix to orthonormal rows; Cayley and the
    exponential rotate the orthonormalised start, so that optimisation begins at their best-conditioned point.
    `stiefel` and `none` return the free matrix itself: `stiefel` begins with orthonormal rows and needs an optimiser
    that preserves this; `none` is unconstrained. Raises InputError for an unknown name.
    """
    if name not in PARAMETRISATIONS:
        raise InputError(f"unknown orthogonal map {name!r}: choose from {', '.join(PARAMETRISATIONS)}")
    return PARAMETRISATIONS[name](start)
