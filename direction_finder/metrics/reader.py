"""Say what every reader of factors answers."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from direction_finder.datasets import Factor
from direction_finder.errors import InputError


class Reader(nn.Module):
    """Read factors in images; subclasses say how, in `values_in`.

    factors: those that it reads. resolution: of the images that it reads. about: what it is and how accurate. title:
    its name in messages.
    """

    factors: tuple[Factor, ...]
    resolution: int
    about: dict[str, Any]
    title: ClassVar[str]

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """Return the factors of images (batch, 3, resolution, resolution), nominally in [-1, 1].

        Returns for each factor numbers (batch,) in its units, or indexes into its choices. Raises InputError for images
        of another resolution.
        """
        if images.shape[-1] != self.resolution:
            raise InputError(
                f"images of {images.shape[-1]} pixels: this {self.title} reads {self.resolution} pixels; "
                "give images of that size"
            )
        return self.values_in(images.clamp(-1, 1))

    def values_in(self, images: Tensor) -> dict[str, Tensor]:
        """Return what `read` does, for images of the right resolution in [-1, 1]."""
        raise NotImplementedError
