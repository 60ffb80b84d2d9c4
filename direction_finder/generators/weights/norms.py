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
            _fold_spectral(plain, key[:-5], key, f"{key[:-5]}_u", f"{key[:-5]}_v")
        elif key.endswith("_g") and f"{key[:-2]}_v" in state:
            _fold_length(plain, key[:-2], key, f"{key[:-2]}_v")
        elif NEW in key and key.endswith((".original", ".original0")):
            before, _, rest = key.partition(NEW)
            name, inner = f"{before}.{rest.partition('.')[0]}", key.rpartition(".")[0]
            if key.endswith("0"):
                _fold_length(plain, name, key, f"{inner}.original1")
            elif f"{inner}.0._u" in state:
                _fold_spectral(plain, name, key, f"{inner}.0._u", f"{inner}.0._v")
            else:
                raise InputError(
                    f"{source}: {name} has an unknown parametrisation; call remove_parametrizations and save it again"
                )
    return plain


def _fold_spectral(plain: State, name: str, weight: str, left: str, right: str) -> None:
    matrix, u, v = plain.pop(weight), plain.pop(left), plain.pop(right, None)
    rows = [matrix.transpose(0, axis).flatten(1) for axis in (0, 1) if matrix.shape[axis] == len(u)]
    if v is None:  # torch before 1.0 did not store v
        sigmas = [(u @ flat).norm() for flat in rows]
    else:
        sigmas = [u @ flat @ v for flat in rows if flat.shape[1] == len(v)]
    # if both axes have the size of u, the vectors belong to the axis with the larger value
    plain[name] = matrix / torch.stack(sigmas).max()


def _fold_length(plain: State, name: str, length: str, direction: str) -> None:
    g, v = plain.pop(length), plain.pop(direction)
    axes = [axis for axis in range(v.ndim) if g.ndim == v.ndim and g.shape[axis] == 1]
    plain[name] = v * (g / _norm(v, axes))


def _norm(v: Tensor, axes: list[int]) -> Tensor:
    return torch.linalg.vector_norm(v, dim=axes or None, keepdim=bool(axes))
