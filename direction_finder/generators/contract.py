"""What a network of a user must keep to, or directions in it mean nothing; checked once, when it is loaded."""

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, Generator
from direction_finder.generators.foreign import told
from direction_finder.randomness import stream

TOGETHER = 4  # pictures in the batch
ROUNDING = 1e-3  # of the range of the values: batches of other sizes are computed in another order
REPEATED = 1e-5


def inputs(generator: Generator) -> tuple[Tensor, Tensor | None]:
    """Return the latents (4, layers, dim) and classes (4,) that a generator is checked with."""
    rng = stream(0, "contract")
    z = generator.sample(TOGETHER, rng)
    classes = torch.arange(TOGETHER, device=z.device) % generator.num_classes if generator.num_classes else None
    return z.unsqueeze(1).expand(-1, generator.num_layers, -1), classes


def first(classes: Tensor | None) -> Tensor | None:
    """Return the class of the first picture, if there are classes."""
    return None if classes is None else classes[:1]


@torch.no_grad()
def check(generator: Generator) -> bool:
    """Check a generator in three forwards; see `check_images`."""
    latents, classes = inputs(generator)
    together = generator.run(latents, classes, frozenset([IMAGE]))[IMAGE]
    if together.ndim != 4 or together.shape[:2] != (len(latents), 3) or not together.is_floating_point():
        raise InputError(
            f"{generator.name} gives {tuple(together.shape)} of {together.dtype}: expected floats (batch, 3, H, W)"
        )
    try:
        alone = generator.run(latents[:1], first(classes), frozenset([IMAGE]))[IMAGE]
    except Exception as error:
        raise alone_failed(generator, error) from error
    return check_images(generator, latents, classes, together, alone)


def alone_failed(generator: Generator, error: Exception) -> InputError:
    """Return the error of a generator that gives four pictures together, but not one."""
    reason = str(error) if isinstance(error, InputError) else told(error)
    return InputError(
        f"{generator.name} cannot make one picture alone: {reason}; does it use batch statistics? A picture must not "
        "depend on those made with it: give its batch norms running statistics"
    )


def check_images(
    generator: Generator, latents: Tensor, classes: Tensor | None, together: Tensor, alone: Tensor
) -> bool:
    """Compare the images of `inputs` with those of a further forward, and the first with the one made alone.

    Returns whether gradients reach the latents. Raises InputError, one line with what cures it, if images are not
    finite, differ from call to call, or depend on those made with them.
    """
    name = generator.name
    if not torch.isfinite(together).all():
        raise InputError(f"{name} gives NaN or infinite values for its own latents: is it trained, and in float32?")
    with torch.enable_grad():
        leaf = latents.detach().clone().requires_grad_(True)
        again = generator.run(leaf, classes, frozenset([IMAGE]))[IMAGE]
        differentiable = again.requires_grad and _reaches(again, leaf)
    spread = float(together.max() - together.min())
    if _apart(again.detach(), together) > REPEATED * spread:
        raise InputError(
            f"{name} gives another picture for the same z at every call: switch off dropout; where its forward draws "
            "noise, wrap it with fixed_noise=True"
        )
    if _apart(alone, together[:1]) > ROUNDING * spread:
        raise InputError(
            f"{name}: a picture made alone and among {len(together)} differs by {_apart(alone, together[:1]):.3g} of "
            f"{spread:.3g}: does it use batch statistics? Give its batch norms running statistics"
        )
    return differentiable


def _reaches(images: Tensor, leaf: Tensor) -> bool:
    gradient = torch.autograd.grad(images.float().sum(), leaf, allow_unused=True)[0]
    return gradient is not None


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max())
