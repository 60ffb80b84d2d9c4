"""Compute plain weights from those under torch's spectral and weight norm, old and new."""

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.weights.states import State

NEW = ".parametrizations."


def folded(state: State, source: str) -> State:
    """Return the state with every normed weight computed as in eval mode.

    Spectral norm (Miyato et al. 2018, https://arxiv.org/abs/1802.05957): weight / (u^T W v), where W is the weight
    with the normed axis first. Weight norm (https://arxiv.org/abs/1602.07868): g v / |v|. Raises InputError for a
    parametrisation that is neither.
    """
    plain = dict(state)
    for key in state:
        if key.endswith("_orig") and f"{key[:-5]}_u" in state:
            _fold_spectral(plain, key[:-5], [key, f"{key[:-5]}_u", f"{key[:-5]}_v"], source)
        elif key.endswith("_g") and f"{key[:-2]}_v" in state:
            _fold_length(plain, key[:-2], key, f"{key[:-2]}_v", source)
        elif NEW in key and key.endswith((".original", ".original0")):
            before, _, rest = key.partition(NEW)
            name, inner = f"{before}.{rest.partition('.')[0]}", key.rpartition(".")[0]
            if key.endswith("0") and f"{inner}.original1" in state:
                _fold_length(plain, name, key, f"{inner}.original1", source)
            elif f"{inner}.0._u" in state:
                _fold_spectral(plain, name, [key, f"{inner}.0._u", f"{inner}.0._v"], source)
            else:
                raise InputError(
                    f"{source}: {name} has an unknown parametrisation; call remove_parametrizations and save it again"
                )
    for key in plain.keys() - state.keys():
        if not torch.isfinite(plain[key]).all():
            raise InputError(f"{source}: the norm of {key} is zero or not finite; the checkpoint is damaged")
    return plain


def _fold_spectral(plain: State, name: str, keys: list[str], source: str) -> None:
    """Replace weight, u and v, the last of which torch before 1.0 did not store, by the plain weight."""
    matrix, u, v = (plain.pop(key, None) for key in keys)
    sigmas = []
    if matrix is not None and u is not None and matrix.ndim > 1 and u.ndim == 1:
        rows = [matrix.transpose(0, axis).flatten(1) for axis in (0, 1) if matrix.shape[axis] == len(u)]
        if v is None:
            sigmas = [(u @ flat).norm() for flat in rows]
        else:
            sigmas = [u @ flat @ v for flat in rows if v.shape == flat.shape[1:]]
    if matrix is None or not sigmas:
        raise InputError(f"{source}: the vectors of the spectral norm of {name} do not fit its weight")
    # if both axes have the size of u, the vectors belong to the axis with the larger value
    plain[name] = matrix / torch.stack(sigmas).max()


def _fold_length(plain: State, name: str, length: str, direction: str, source: str) -> None:
    """Replace the length g and the direction v by the plain weight."""
    g, v = plain.pop(length, None), plain.pop(direction, None)
    if g is None or v is None or (g.numel() != 1 and (g.ndim != v.ndim or any(map(_apart, g.shape, v.shape)))):
        raise InputError(f"{source}: the lengths of the weight norm of {name} do not fit its weight")
    axes = [axis for axis in range(v.ndim) if g.ndim == v.ndim and g.shape[axis] == 1]
    plain[name] = v * (g / _norm(v, axes))


def _apart(length: int, size: int) -> bool:
    return length not in (1, size)


def _norm(v: Tensor, axes: list[int]) -> Tensor:
    return torch.linalg.vector_norm(v, dim=axes or None, keepdim=bool(axes))
