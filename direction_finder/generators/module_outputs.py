"""Find the images in the output of a user's module, perhaps in lists, tuples and dicts, and their range of values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.base import as_rgb
from direction_finder.torch_files import unusable

Range = tuple[float, float]
SIGNED, UNIT, BYTES = (-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)  # usual values for black and white
UNUSUAL = 3.0  # networks for [-1, 1] that do not end in tanh rarely exceed this


def entries(output: Any) -> dict[Any, Any]:
    """Return the parts of a list, tuple, dict or dataclass by number, key or name; no parts for anything else."""
    if isinstance(output, Mapping):
        return dict(output)
    if dataclasses.is_dataclass(output):
        return dict(vars(output))
    return dict(enumerate(output)) if isinstance(output, list | tuple) else {}


def first_tensor(output: Any) -> Tensor | None:
    """Return the first tensor of floats in an output, which may be nested; None if there is none."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    return next((tensor for entry in entries(output).values() if (tensor := first_tensor(entry)) is not None), None)


def described(output: Any, depth: int = 3) -> str:
    """Return a description of an output, e.g. "a list of 0: (4, 3, 16, 16), 1: a NoneType".

    depth: how many containers within one another are described; an output may contain itself.
    """
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if depth == 0 or not (parts := entries(output)):
        return f"a {type(output).__name__}"
    inner = ", ".join(f"{key}: {described(value, depth - 1)}" for key, value in parts.items())
    return f"a {type(output).__name__} of {inner}"


def only_images(output: Any) -> int | str:
    """Return the key of the only entry that can be images. Raises InputError if there are none or several."""
    tensors = {key: value for key, value in entries(output).items() if isinstance(value, Tensor) and value.ndim == 4}
    candidates = [key for key, value in tensors.items() if value.shape[1] in (1, 3, 4)] or list(tensors)
    if not candidates:
        raise InputError(f"returns {described(output)}: expected a tensor of images (batch, 1, 3 or 4, H, W)")
    if len(candidates) > 1:
        raise InputError(
            f"returns {described(output)}: choose the images with output=, as in "
            f"direction_finder.WrappedModule(module, output={candidates[0]!r})"
        )
    return candidates[0]


def images_of(output: Any, key: int | str | None) -> Tensor:
    """Return the images (batch, 3, H, W), with unchanged values, in a module's output or in its entry `key`.

    Raises InputError if there are none, or if they are not floats.
    """
    images = output if isinstance(output, Tensor) else entries(output).get(key)
    if not isinstance(images, Tensor):
        raise InputError(f"returns {described(output)}: expected images{'' if key is None else f' as output {key!r}'}")
    if not images.is_floating_point():
        raise InputError(
            f"returns images of {images.dtype}: expected floats, because small differences between images matter; "
            "return them before they are rounded to bytes"
        )
    if problem := unusable(images):
        raise InputError(f"returns a tensor that {problem}: expected ordinary floats")
    if not images.numel():
        raise InputError(f"returns {described(images)}: expected images (batch, 1, 3 or 4, H, W)")
    try:
        return as_rgb(images[:, None] if images.ndim == 3 else images)
    except InputError as error:
        raise InputError(f"returns {described(images)}: expected images (batch, 1, 3 or 4, H, W)") from error


def noticed_range(images: Tensor) -> Range:
    """Return the likely range of a few images: 0 to 1 if no value is below 0, or 0 to 255 if the largest is above 2."""
    low, high = float(images.min()), float(images.max())
    if low < 0 or low == high:
        return SIGNED
    return UNIT if high <= 1 else BYTES if 2 < high <= 256 else SIGNED


def is_unusual(images: Tensor, value_range: Range) -> bool:
    """Return whether values go so far beyond `value_range` that the range is probably another one."""
    return bool(in_range(images, value_range).abs().max() > UNUSUAL)


def in_range(images: Tensor, value_range: Range) -> Tensor:
    """Return images with values mapped from `value_range` to [-1, 1]."""
    low, high = value_range
    return images if value_range == SIGNED else (images - low) * (2 / (high - low)) - 1
