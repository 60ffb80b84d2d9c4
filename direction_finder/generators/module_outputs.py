"""What a module of the user's gives: tensors, perhaps in lists, tuples and dicts, and the range of its images."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.base import as_rgb

Range = tuple[float, float]
SIGNED, UNIT, BYTES = (-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)  # values for black and white, as networks have them
UNUSUAL = 3.0  # what networks for [-1, 1] that do not end in tanh rarely exceed


def entries(output: Any) -> dict[Any, Any]:
    """Return the parts of a list, tuple, dict or dataclass by number, key or name; nothing for anything else."""
    if isinstance(output, Mapping):
        return dict(output)
    if dataclasses.is_dataclass(output):
        return dict(vars(output))
    return dict(enumerate(output)) if isinstance(output, list | tuple) else {}


def first_tensor(output: Any) -> Tensor | None:
    """Return the first tensor of floats in an output that may be nested; None if there is none."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    return next((tensor for each in entries(output).values() if (tensor := first_tensor(each)) is not None), None)


def described(output: Any) -> str:
    """Return an output in words, e.g. "a list of 0: (4, 3, 16, 16), 1: a NoneType"."""
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if not (parts := entries(output)):
        return f"a {type(output).__name__}"
    return f"a {type(output).__name__} of {', '.join(f'{key}: {described(value)}' for key, value in parts.items())}"


def only_images(output: Any) -> int | str:
    """Return the key of the only entry that can be images. Raises InputError if there are none or several."""
    candidates = [key for key, value in entries(output).items() if isinstance(value, Tensor) and value.ndim == 4]
    if not candidates:
        raise InputError(f"gives {described(output)}: expected a tensor of images (batch, 1, 3 or 4, H, W)")
    if len(candidates) > 1:
        raise InputError(
            f"gives {described(output)}: name the one to use by output=, as in "
            f"direction_finder.WrappedModule(module, output={candidates[0]!r})"
        )
    return candidates[0]


def images_of(output: Any, key: int | str | None) -> Tensor:
    """Return the images (batch, 3, H, W), with values as given, in what a module gave, or in its entry `key`.

    Raises InputError if there are none, or none of floats.
    """
    images = output if isinstance(output, Tensor) else entries(output).get(key)
    if not isinstance(images, Tensor):
        raise InputError(f"gives {described(output)}: expected images{'' if key is None else f' as output {key!r}'}")
    if not images.is_floating_point():
        raise InputError(
            f"gives images of {images.dtype}: expected floats, whose small differences directions are found by; return "
            "them before they are rounded to bytes"
        )
    try:
        return as_rgb(images[:, None] if images.ndim == 3 else images)
    except InputError as error:
        raise InputError(f"gives {described(images)}: expected images (batch, 1, 3 or 4, H, W)") from error


def noticed_range(images: Tensor) -> Range:
    """Return the range that values of a few images speak for: none below 0 means 0 to 1, or 0 to 255 if above 2."""
    low, high = float(images.min()), float(images.max())
    if low < 0 or low == high:
        return SIGNED
    return UNIT if high <= 1 else BYTES if 2 < high <= 256 else SIGNED


def is_unusual(images: Tensor, value_range: Range) -> bool:
    """Return whether values go so far beyond a range that it is probably another one."""
    return bool(in_range(images, value_range).abs().max() > UNUSUAL)


def in_range(images: Tensor, value_range: Range) -> Tensor:
    """Return images of that range in [-1, 1]."""
    low, high = value_range
    return images if value_range == SIGNED else (images - low) * (2 / (high - low)) - 1
