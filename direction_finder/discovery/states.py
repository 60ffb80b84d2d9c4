"""Check the saved state of a search before it is resumed from."""

from collections.abc import Mapping

import torch
from torch import Tensor

from direction_finder.errors import InputError

Shape = tuple[int | None, ...]


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Shape], rng: torch.Generator | None) -> None:
    """Raise InputError unless a state has the tensors of a search, of finite floats, and the state of `rng`, if given.

    expected: the shapes of the tensors by name; None stands for any size.
    """
    if rng:
        expected = {**expected, "rng": tuple(rng.get_state().shape)}
    for name, shape in expected.items():
        if name not in state:
            raise InputError(
                f"the saved state has no {name!r}: it belongs to a run of another method; resume with that method"
            )
        tensor = state[name]
        fits = len(tensor.shape) == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, tensor.shape, strict=True)
        )
        if not fits or tensor.dtype != (torch.uint8 if name == "rng" else torch.float32):
            wanted_shape = ", ".join("any" if size is None else str(size) for size in shape)
            raise InputError(
                f"the saved state's {name} has shape {tuple(tensor.shape)} of {tensor.dtype}, expected "
                f"({wanted_shape}): resume with the settings of that run"
            )
        if not torch.isfinite(tensor).all():
            raise InputError(f"the saved state's {name} holds NaN or infinite values; delete it to start the run again")
