"""Stacks of many small symmetric matrices, made thin without losing what joint diagonalisation needs of them.

The diagonal energy sum_c sum_i (Q M_c Q^T)_ii^2 of a stack (C, N, N) depends only on sum_c vec(M_c) vec(M_c)^T. So the
stack may be replaced by the leading rows of its thin singular value decomposition, which are symmetric matrices too.
"""

import torch
from torch import Tensor

from direction_finder.errors import InputError

MERGED = 256  # matrices to which those of many points are compressed, one point after the other


def grams_by_channel(jacobian: Tensor, shape: torch.Size) -> Tensor:
    """Return J^T J of every channel (C, N, N) for derivatives (N, outputs) of an output (C, ...) of this shape.

    An output (features,), which has no channels, is one of them.
    """
    channels = shape[0] if len(shape) > 1 else 1
    rows = jacobian.unflatten(1, (channels, -1)).transpose(0, 1)
    return rows @ rows.mT


def even(matrices: Tensor) -> Tensor:
    """Return matrices (C, N, N) divided by the root of their norm, and all together scaled to norm 1.

    Channels of large derivatives then count more than others, but less than they would. Raises InputError if all are 0.
    """
    norms = matrices.norm(dim=(-2, -1), keepdim=True)
    if not norms.any():
        raise InputError("no channel changes with any latent: set another output as `at`")
    return matrices / (norms * norms.sum()).sqrt().where(norms > 0, 1)


def thin(matrices: Tensor, rank: int) -> Tensor:
    """Return the stack (rank, N, N) that keeps the most energy of a stack (C, N, N); the rest of it is 0."""
    rows = matrices.flatten(1)
    filled = torch.zeros(rank, rows.shape[1]).to(rows)
    some = rows.any(1)
    if not some.all():  # an eigenvalue of 0 that repeats hundreds of times is too much for LAPACK
        rows = rows[some]
    if len(rows) > rank:
        vectors = torch.linalg.eigh((rows @ rows.mT).double()).eigenvectors.flip(1)
        rows = vectors[:, :rank].mT.to(rows) @ rows
    filled[: len(rows)] = rows
    return filled.unflatten(1, matrices.shape[1:])


def merged(stack: Tensor, more: Tensor) -> Tensor:
    """Return two stacks (C, N, N), (D, N, N) as one of at most `MERGED` matrices."""
    both = torch.cat([stack, more])
    return thin(both, MERGED) if len(both) > MERGED else both


def shares(stacks: Tensor, basis: Tensor) -> Tensor:
    """Return the share of the energy of each stack (P, C, N, N) that a basis (N, N) puts on the diagonal: (P,).

    For stacks of one matrix it is the diagonal share of that matrix.
    """
    diagonals = (basis @ stacks @ basis.mT).diagonal(dim1=-2, dim2=-1)
    return diagonals.square().sum((-2, -1)) / stacks.square().sum((-3, -2, -1))


def energies(stacks: Tensor, basis: Tensor) -> Tensor:
    """Return the share of the energy of stacks (P, C, N, N) along each row of a basis (num, N), averaged: (num,)."""
    diagonals = torch.einsum("in,pcnk,ik->pci", basis, stacks, basis)
    return (diagonals.square().sum(1) / stacks.square().sum((-3, -2, -1))[:, None]).mean(0)
