"""Additional loss terms for training a ProGAN: WGAN-GP's gradient penalty, and the Hessian Penalty."""

import math
from itertools import islice

import torch
from torch import Tensor, nn

from direction_finder import torchrun
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.penalty import hessian_penalty
from direction_finder.randomness import rademacher
from direction_finder.training.growth import Place
from direction_finder.training.progan_config import ProGANConfig

BATCH_MAX = "batch-max"  # the reduction that needs the whole batch


def gradient_penalty(critic: nn.Module, real: Tensor, drawn: Tensor, grown: float, rng: torch.Generator) -> Tensor:
    """Return the mean (|gradient| - 1)^2 of the critic at random points between real and generated images.

    Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028. real, drawn: images (batch, 3, H, W).
    """
    between = torchrun.part(torch.rand(torchrun.count() * len(real), 1, 1, 1, generator=rng)).to(real)
    mixed = torch.lerp(real, drawn, between).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(mixed, grown)[0].sum(), mixed, create_graph=True)
    # the small number avoids 0, where the square root has no finite gradient
    return ((gradient.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()


def penalty_weight(config: ProGANConfig, step: int, here: Place) -> float:
    """Return the weight of the Hessian Penalty at a step: it rises from 0, and is 0 at steps without the penalty."""
    if step % config.penalty_every:
        return 0.0
    risen = min(1.0, here.shown / (1000 * config.ramp_kimg)) if config.ramp_kimg else 1.0
    return config.penalty_weight * config.penalty_every * risen


def penalty_of(
    generator: ProGAN, z: Tensor, grown: float, layers: list[int], config: ProGANConfig, rng: torch.Generator
) -> Tensor:
    """Estimate the Hessian Penalty of z -> activations, summed over layers.

    A layer that is fading in is weighted by how far it has faded in.
    """
    top = math.ceil(grown)
    present = [layer for layer in layers if (layer - 1) // 2 <= top]
    if not present:
        return z.new_zeros(())

    def activations(rows: Tensor) -> list[Tensor]:
        deepest = islice(generator.stages(rows, grown), present[-1])
        return [tensor for number, (_, tensor) in enumerate(deepest, start=1) if number in present]

    drawn = rademacher((config.num_probes, torchrun.count() * len(z), z.shape[1]), rng)
    penalties = hessian_penalty(activations, z, probes=torchrun.part(drawn, 1), epsilon=config.epsilon)
    faded = [min(1.0, grown - (layer - 1) // 2 + 1) for layer in present]
    return torch.stack(
        [w * reduced(entries, config.penalty_reduction) for w, entries in zip(faded, penalties, strict=True)]
    ).sum()


def reduced(penalties: Tensor, reduction: str) -> Tensor:
    """Reduce the penalties of an activation's entries (batch, ...) to one number."""
    if reduction == "mean":
        return penalties.mean()
    return penalties.max() if reduction == BATCH_MAX else penalties.flatten(1).amax(1).mean()
