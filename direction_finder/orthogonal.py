"""Matrices with orthonormal rows as differentiable functions of an unconstrained matrix.

Every map answers the same two questions: which free matrix stands for `start`, and which rows a free matrix stands for.
Rows are directions: shapes are (num, dim) with num <= dim.
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
    """As `gram_schmidt`, for a matrix that moves: the last row of a square one passes through dependence now and then,
    where its direction only changes sign. Raises InputError when values are not finite."""
    _check_finite(rows)
    return _triangular(rows)[0]


def _triangular(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal rows, and how far each row of `rows` was from the span of those before it, with a sign.

    In float64: the gradient divides by these distances, and the last of a square matrix is often small.
    """
    q, r = torch.linalg.qr(rows.double().mT)
    pivots = r.diagonal()
    return (q * torch.where(pivots < 0, -1.0, 1.0)).mT.to(rows.dtype), pivots


def _check_finite(rows: Tensor) -> None:
    if not torch.isfinite(rows).all():
        raise InputError("the matrix of directions holds NaN or infinite values: it cannot be orthonormalised")


def cayley(free: Tensor) -> Tensor:
    """The rotation (I + W)^-1 (I - W), W = (F - F^T)/2, of a free matrix F (dim, dim); F = 0 gives the identity.

    https://en.wikipedia.org/wiki/Cayley_transform
    """
    skew = (free - free.mT) / 2
    eye = torch.eye(len(free), dtype=free.dtype, device=free.device)
    return torch.linalg.solve(eye + skew, eye - skew)


def matrix_exp(free: Tensor) -> Tensor:
    """The rotation exp(F - F^T) of a free matrix F (dim, dim); F = 0 gives the identity."""
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
    """Return a free matrix that stands for `start` (num, dim), and the map from free matrices to directions.

    `gram_schmidt` (the paper's), `cayley` and `matrix_exp` give orthonormal rows of any free matrix; Cayley and the
    exponential rotate the orthonormalised start, so optimisation begins at their best-conditioned point. `stiefel` and
    `none` give the free matrix itself: orthonormal at the start, for an optimiser that keeps it so, and unconstrained.
    """
    if name not in PARAMETRISATIONS:
        raise InputError(f"unknown orthogonal map {name!r}: choose from {', '.join(PARAMETRISATIONS)}")
    return PARAMETRISATIONS[name](start)
