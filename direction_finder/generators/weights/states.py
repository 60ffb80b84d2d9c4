"""Load state dicts strictly, and compare them by hashes."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from direction_finder.errors import InputError

State = dict[str, Tensor]


def load_strict(module: nn.Module, state: State, source: str) -> None:
    """Load `state` into `module`. Raises InputError that names the first weight whose name or shape does not agree."""
    expected = module.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    if missing:
        raise InputError(f"{source}: weight {missing[0]} is missing (and {len(missing) - 1} more)")
    if unexpected:
        raise InputError(
            f"{source}: weight {unexpected[0]} is not part of this architecture (and {len(unexpected) - 1} more)"
        )
    for key, tensor in expected.items():
        if state[key].shape != tensor.shape:
            raise InputError(
                f"{source}: weight {key} has shape {tuple(state[key].shape)}, expected {tuple(tensor.shape)}"
            )
        if state[key].is_complex():
            raise InputError(f"{source}: weight {key} is complex; expected real numbers")
    module.load_state_dict(state, strict=True)


def tensor_hashes(state: Mapping[str, Any]) -> dict[str, str]:
    """Return a short hash of each tensor of a state dict, so that two states can be compared tensor by tensor."""
    return {key: state_sha256({"": value})[:12] for key, value in state.items() if isinstance(value, Tensor)}


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the names, types, shapes and bytes of a state dict, sorted by name."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
