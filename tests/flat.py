"""A generator whose images can be read: each has one colour, whose three channels are z / 4."""

import numpy as np
import torch
from torch import nn

from direction_finder.directions import Directions
from direction_finder.generators import WrappedModule
from direction_finder.images import to_uint8


class Flat(nn.Module):
    """z (n, 3), and with classes darker by half for class 1, -> images (n, 3, 4, 4)."""

    def forward(self, z: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        colours = z / 4 if label is None else z / 4 - 0.5 * label[:, None]
        return colours[:, :, None, None].expand(-1, -1, 4, 4)


class Unconditional(Flat):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return super().forward(z)


def flat(num_classes: int = 0) -> WrappedModule:
    if num_classes:
        return WrappedModule(Flat(), 3, num_classes, "index", value_range=(-1, 1), name="flat")
    return WrappedModule(Unconditional(), 3, value_range=(-1, 1), name="flat")


def channels() -> Directions:
    """The directions along which a channel alone changes: red has a usable range, blue a score."""
    return Directions(
        torch.eye(3), "test", names=("red", None, "blue"), ranges=(2.0, None, None), scores=(None, None, 0.5)
    )


def bytes_of(*latents: object) -> list[list[int]]:
    """The colours, as bytes, that latents (n, 3) have."""
    colours = torch.tensor(np.asarray(latents), dtype=torch.float32).reshape(-1, 3, 1, 1) / 4
    return to_uint8(colours)[:, 0, 0].tolist()


def colours(images: np.ndarray) -> list[list[int]]:
    """The colours, as bytes, of images (n, H, W, 3) that have one each."""
    assert (images == images[:, :1, :1]).all()
    return images[:, 0, 0].tolist()
