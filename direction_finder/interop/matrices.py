"""Read matrices of directions from other tools' files.

hessian_penalty and OroJaR publish the free matrix that they trained (`.pt`, rows). Gram-Schmidt turns it into
directions; with 40 dimensions, it covers a third of BigGAN's z. GANLatentDiscovery publishes the state of its
deformator: directions are the columns of `linear.weight`, or of the exponential of an antisymmetric matrix
(`log_mat_half`). Other tools, and this one, write rows as `.npy`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import existing_file
from direction_finder.generators.weights import read_tensors
from direction_finder.torch_files import load_numpy


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
    path = existing_file(path, "expected a matrix of directions")
    content = load_numpy(path) if path.suffix == ".npy" else read_tensors(path)
    matrix = Matrix(content, path.suffix != ".npy") if isinstance(content, Tensor) else _collected(content, path)
    rows = matrix.rows[None] if matrix.rows.ndim == 1 else matrix.rows
    if rows.ndim != 2 or not rows.numel() or not rows.is_floating_point():
        raise InputError(
            f"{path}: {tuple(rows.shape)} of {rows.dtype}; expected a matrix of floats, one direction per row"
        )
    rows = rows.detach().float()
    if not torch.isfinite(rows).all():
        raise InputError(f"{path}: contains NaN or infinite values")
    zeros = (rows.norm(dim=1) == 0).nonzero()
    if len(zeros):
        raise InputError(f"{path}: row {int(zeros[0])} is zero, which is not a direction")
    return matrix._replace(rows=rows)


def _collected(content: Any, path: Path) -> Matrix:
    """Return the directions in a list, tuple or dict."""
    if isinstance(content, Mapping):
        components = content.get("lat_comp")
        if isinstance(components, Tensor) and components.ndim == 3:  # GANSpace: (components, 1, dim)
            return Matrix(components.flatten(1))
        names = tuple(str(name) for name in content if isinstance(name, str | int))
        if _are_vectors(content.values()) and len(content) == len(names) > 1:
            return Matrix(torch.stack(list(content.values())), names=names)
        return Matrix(_of_deformator(content, path))
    if isinstance(content, list | tuple):
        if _are_vectors(content):
            return Matrix(torch.stack(list(content)))
        if len(content) == 2 and isinstance(content[0], Tensor) and _are_names(content[1], len(content[0])):
            return Matrix(content[0], names=tuple(content[1]))
    size = f" of {len(content)}" if isinstance(content, list | tuple) else ""
    raise InputError(
        f"{path}: contains a {type(content).__name__}{size}; "
        "expected a matrix with one direction per row, a list of vectors of one size, or names and vectors"
    )


def _are_vectors(values: Iterable[Any]) -> bool:
    """Return whether values are vectors of one size and type."""
    kinds = {(value.shape, value.dtype) if isinstance(value, Tensor) and value.ndim == 1 else None for value in values}
    return len(kinds) == 1 and None not in kinds


def _are_names(values: Any, count: int) -> bool:
    return isinstance(values, list | tuple) and len(values) == count and all(isinstance(name, str) for name in values)


def _of_deformator(state: Mapping[Any, Any], path: Path) -> Tensor:
    """Return the directions of GANLatentDiscovery, whose deformator maps the k-th unit vector to its k-th column."""
    name = "log_mat_half" if "log_mat_half" in state else "linear.weight"
    if name in state and set(state) <= {"log_mat_half", "linear.weight", "linear.bias"}:
        columns = state[name]
        if not isinstance(columns, Tensor) or columns.ndim != 2 or not columns.is_floating_point():
            raise InputError(f"{path}: {name} is not a matrix of floats")
        if name == "linear.weight":
            return columns.mT
        if columns.shape[0] != columns.shape[1]:
            raise InputError(f"{path}: log_mat_half has shape {tuple(columns.shape)}, expected a square matrix")
        return torch.linalg.matrix_exp(columns.double() - columns.double().mT).float().mT
    names = [str(name) for name in state if isinstance(name, str | int)]
    kind = (
        "a non-linear deformator, which has no directions"
        if "fc1.weight" in state
        else f"{', '.join(names[:5])[:60] or f'{len(state)} entries'}"
    )
    raise InputError(
        f"{path}: contains {kind}; expected a matrix, or GANLatentDiscovery's linear.weight or log_mat_half"
    )
