"""Draw latents of a user's module that are not N(0, I), with a function or with a mapping network in front."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from direction_finder.errors import InputError
from direction_finder.generators.module_calls import input_size
from direction_finder.generators.module_outputs import described
from direction_finder.randomness import normal, stream

MEASURED = 4096  # number of latents whose standard deviation is the scale
NEAR_ONE = 0.03  # a measured scale this near to 1 counts as 1
Draw = Callable[[int, torch.Generator], Tensor]


def mapped(mapping: nn.Module) -> Draw:
    """Return a function that draws z ~ N(0, I) and returns the latents w (n, dim) = mapping(z).

    The mapping may also return (n, layers, dim) if all layers are equal. Raises InputError if the size of z cannot be
    read from the mapping's layers.
    """
    size = input_size(mapping)
    if size is None:
        raise InputError(
            "cannot read the size of z from mapping's layers; give sample=lambda n, rng: mapping(torch.randn(n, SIZE, "
            "generator=rng)) instead"
        )
    return partial(_map, mapping, size)


@torch.no_grad()
def _map(mapping: nn.Module, size: int, n: int, rng: torch.Generator) -> Tensor:
    device = next(mapping.parameters()).device
    latents = mapping(normal(n, size, rng).to(device))
    if not isinstance(latents, Tensor) or latents.ndim != 3:
        return latents
    if not torch.equal(latents, latents[:, :1].expand_as(latents)):
        raise InputError("has a mapping that returns different latents for each layer: expected the same for all")
    return latents[:, 0]


def checked(latents: Tensor, n: int) -> Tensor:
    """Return the latents (n, dim) as float32. Raises InputError unless they are finite floats of this shape."""
    if not isinstance(latents, Tensor) or latents.ndim != 2 or len(latents) != n or not latents.is_floating_point():
        raise InputError(f"draws latents of {described(latents)}: expected floats ({n}, dim)")
    if not torch.isfinite(latents).all():
        raise InputError("draws latents with NaN or infinite values")
    return latents.float()


def measured_scale(draw: Draw) -> float:
    """Return the root mean square over dimensions of the latents' standard deviation, to four digits.

    Raises InputError if it is 0, or if two calls with equal random generators differ.
    """
    latents, again = (checked(draw(MEASURED, stream(0, "scale")), MEASURED).double() for _ in range(2))
    if not torch.equal(latents, again):
        raise InputError("draws different latents for the same torch.Generator: take all random numbers from it")
    scale = float(latents.std(0).square().mean().sqrt())
    if not scale:
        raise InputError("draws the same latents every time: expected random ones")
    return 1.0 if abs(scale - 1) < NEAR_ONE else float(f"{scale:.4g}")
