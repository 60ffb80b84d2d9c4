"""Choose the device on which to compute."""

import torch

from direction_finder.errors import InputError


def pick_device(name: str = "auto") -> str:
    """Return the device of this name; "auto" is the fastest available. Raises InputError if torch cannot use it."""
    torch.backends.cudnn.allow_tf32 = False  # second differences need float32: the 10 bits of TF32 are too few
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try `device` cpu"
        ) from error
    return name
