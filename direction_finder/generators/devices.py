"""Choose the device on which to compute."""

import warnings

import torch

from direction_finder.errors import InputError


def pick_device(name: str = "auto") -> str:
    """Return the device of this name; "auto" is the fastest available. Raises InputError if torch cannot use it."""
    torch.backends.cudnn.allow_tf32 = False  # second differences need float32: the 10 bits of TF32 are too few
    torch.backends.cudnn.deterministic = True  # and the same result whenever a network is asked
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old names of devices
            device = torch.device(str(name))
        works = float(torch.ones(2, device=device).sum()) == 2  # meta has shapes, but no numbers
    except Exception as error:  # each backend has errors of its own, an import of a missing package among them
        reason = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0]
        raise InputError(f"device {name!r} cannot be used here ({reason}); try `device` cpu") from error
    if not works or (device.type == "cpu" and device.index):
        raise InputError(f"device {name!r} cannot be used here (it does not exist); try `device` cpu")
    return str(name)
