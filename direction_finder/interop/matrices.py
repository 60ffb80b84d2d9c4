"""Read matrices of directions from other tools' files.

hessian_penalty and OroJaR publish the free matrix that they trained (`.pt`, rows). Gram-Schmidt turns it into
directions; with 40 dimensions, it covers a third of BigGAN's z. GANLatentDiscovery publishes the state of its
deformator: directions are the columns of `linear.weight`, or of the exponential of an antisymmetric matrix
(`log_mat_half`). Other tools, and this one, write rows as `.npy`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.weights import read_tensors


class Matrix(NamedTuple):
    """Hold rows (num, dim) and their names. free: whether Gram-Schmidt must still turn the rows into directions."""

    rows: Tensor
    free: bool = False
    names: tuple[str, ...] = ()


def read_matrix(path: str | Path) -> Matrix:
    """Read a matrix of directions (num, dim), one direction per row.

    The file is one of: `.npy`; a torch file of a matrix, of a list or dict of vectors, of (matrix, names), or of
    GANLatentDiscovery's deformator; or GANSpace's `.npz` of components.

    Raises InputError if the file is none of these, or contains NaN, an empty or zero row, or a deformator that is not
    linear.
    """
    path = Path(path)
    if path.suffix == ".npy":
        matrix = Matrix(_read_npy(path))
    else:
        content = read_tensors(path)
        matrix = Matrix(content, free=True) if isinstance(content, Tensor) else _collected(content, path)
    rows = matrix.rows[None] if matrix.rows.ndim == 1 else matrix.rows
    if rows.ndim != 2 or not rows.numel() or not rows.is_floating_point():
        raise InputError(
            f"{path}: {tuple(rows.shape)} of {rows.dtype}; expected a matrix of floats, one direction per row"
        )
    if not torch.isfinite(rows).all():
        raise InputError(f"{path}: contains NaN or infinite values")
    zeros = (rows.norm(dim=1) == 0).nonzero()
    if len(zeros):
        raise InputError(f"{path}: row {int(zeros[0])} is zero, which is not a direction")
    return matrix._replace(rows=rows.detach().float())


def _collected(content: Any, path: Path) -> Matrix:
    """Return the directions in a list, tuple or dict."""
    if isinstance(content, Mapping):
        if "lat_comp" in content:  # GANSpace: (components, 1, dim)
            return Matrix(content["lat_comp"].flatten(1))
        if _are_vectors(content.values()) and len(content) > 1:
            return Matrix(torch.stack(list(content.values())), names=tuple(map(str, content)))
        return Matrix(_of_deformator(content, path))
    if isinstance(content, list | tuple):
        if _are_vectors(content):
            return Matrix(torch.stack(list(content)))
        if len(content) == 2 and isinstance(content[0], Tensor) and _are_names(content[1], len(content[0])):
            return Matrix(content[0], names=tuple(content[1]))
    raise InputError(
        f"{path}: contains a {type(content).__name__} of {len(content) if hasattr(content, '__len__') else 1}; "
        "expected a matrix with one direction per row, a list of vectors of one size, or names and vectors"
    )


def _are_vectors(values: Iterable[Any]) -> bool:
    shapes = {tuple(value.shape) if isinstance(value, Tensor) and value.ndim == 1 else None for value in values}
    return len(shapes) == 1 and None not in shapes


def _are_names(values: Any, count: int) -> bool:
    return isinstance(values, list | tuple) and len(values) == count and all(isinstance(name, str) for name in values)


def _read_npy(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (ValueError, EOFError, TypeError, OSError) as error:
        raise InputError(f"{path}: not a .npy file of numbers, or cut short ({error})") from error


def _of_deformator(state: Mapping[str, Tensor], path: Path) -> Tensor:
    """Return the directions of GANLatentDiscovery, whose deformator maps the k-th unit vector to its k-th column."""
    if "log_mat_half" in state:
        half = state["log_mat_half"]
        if half.ndim != 2 or half.shape[0] != half.shape[1]:
            raise InputError(f"{path}: log_mat_half has shape {tuple(half.shape)}, expected a square matrix")
        return torch.linalg.matrix_exp(half.double() - half.double().mT).float().mT
    if "linear.weight" in state and set(state) <= {"linear.weight", "linear.bias"}:
        return state["linear.weight"].mT
    kind = (
        "a non-linear deformator, which has no directions"
        if "fc1.weight" in state
        else f"{', '.join(map(str, state))[:60]}"
    )
    raise InputError(
        f"{path}: contains {kind}; expected a matrix, or GANLatentDiscovery's linear.weight or log_mat_half"
    )
