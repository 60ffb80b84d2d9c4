"""Check, when a user's network is loaded, the conditions without which directions in it mean nothing."""

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, Generator
from direction_finder.generators.module_outputs import described
from direction_finder.generators.user_errors import told
from direction_finder.randomness import stream

TOGETHER = 4  # images in the batch
ROUNDING = 1e-3  # fraction of the range of values: batches of other sizes are computed in another order
REPEATED = 1e-5  # fraction of the range of values by which repeated calls may differ


def inputs(generator: Generator) -> tuple[Tensor, Tensor | None]:
    """Return the latents (4, layers, dim) and classes (4,) with which a generator is checked."""
    rng = stream(0, "contract")
    z = generator.sample(TOGETHER, rng)
    classes = torch.arange(TOGETHER, device=z.device) % generator.num_classes if generator.num_classes else None
    return z.unsqueeze(1).expand(-1, generator.num_layers, -1), classes


def first(classes: Tensor | None) -> Tensor | None:
    """Return the class (1,) of the first image; None if there are no classes."""
    return None if classes is None else classes[:1]


@torch.no_grad()
def check(generator: Generator) -> bool:
    """Check a generator in three forward passes and return whether it is differentiable; see `check_images`."""
    latents, classes = inputs(generator)
    tensors = generator.run(latents, classes, frozenset([IMAGE]))
    together = tensors.get(IMAGE) if isinstance(tensors, dict) else None
    if not isinstance(together, Tensor):
        raise InputError(f"{generator.name} returns {described(tensors)}: expected a dict with the images as {IMAGE!r}")
    if together.ndim != 4 or together.shape[:2] != (len(latents), 3) or not together.is_floating_point():
        raise InputError(
            f"{generator.name} returns {tuple(together.shape)} of {together.dtype}: expected floats (batch, 3, H, W)"
        )
    try:
        alone = generator.run(latents[:1], first(classes), frozenset([IMAGE]))[IMAGE]
    except Exception as error:
        raise alone_failed(generator, error) from error
    return check_images(generator, latents, classes, together, alone)


def alone_failed(generator: Generator, error: Exception) -> InputError:
    """Return the error for a generator that computes four images together, but not one image alone."""
    reason = str(error) if isinstance(error, InputError) else told(error)
    return InputError(
        f"{generator.name} cannot compute one image alone: {reason}; if its batch norms use batch statistics, give "
        "them running statistics: an image must not depend on the others in its batch"
    )


def check_images(
    generator: Generator, latents: Tensor, classes: Tensor | None, together: Tensor, alone: Tensor
) -> bool:
    """Compare the images of `inputs` with those of another forward pass, and the first with the one computed alone.

    Returns whether gradients reach the latents. Raises InputError, one line that says what to do, if images are not
    finite, differ from call to call, or depend on the others in their batch.
    """
    name = generator.name
    if not torch.isfinite(together).all():
        raise InputError(
            f"{name} returns NaN or infinite values for its own latents; check that it is trained and in float32"
        )
    with torch.enable_grad():
        leaf = latents.detach().clone().requires_grad_(True)
        again = generator.run(leaf, classes, frozenset([IMAGE]))[IMAGE]
        differentiable = again.requires_grad and _reaches(again, leaf)
    spread = float(together.max() - together.min())
    if _apart(again.detach(), together) > REPEATED * spread:
        raise InputError(
            f"{name} returns another image for the same z at every call: switch off dropout; if its forward draws "
            "noise, wrap it with fixed_noise=True"
        )
    if _apart(alone, together[:1]) > ROUNDING * spread:
        raise InputError(
            f"{name} computes another image alone than in a batch of {len(together)} (they differ by "
            f"{_apart(alone, together[:1]):.3g} in a range of {spread:.3g}); if its batch norms use batch statistics, "
            "give them running statistics"
        )
    return differentiable


def _reaches(images: Tensor, leaf: Tensor) -> bool:
    gradient = torch.autograd.grad(images.float().sum(), leaf, allow_unused=True)[0]
    return gradient is not None


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max())
