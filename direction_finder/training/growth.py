"""Plan the growth of a ProGAN: which level is trained at which step, how far it has faded in, and matching images.

One number, `grown`, says how far a network has grown: 2 is level 2 (16x16), 1.25 is level 2 faded in by a quarter over
level 1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from direction_finder.errors import InputError
from direction_finder.generators.networks.progan import double
from direction_finder.training.progan_config import ProGANConfig


@dataclass(frozen=True)
class Phase:
    """A number of steps at one level and with one batch size. fading: whether the level fades in during them."""

    level: int
    fading: bool
    steps: int
    batch: int


@dataclass(frozen=True)
class Place:
    """The state of growth at one step.

    grown: how far the networks have grown. batch: images of this step. shown: images shown before it.
    """

    grown: float
    batch: int
    shown: int


def plan(config: ProGANConfig, levels: int, grown: bool) -> list[Phase]:
    """Return the phases of a run.

    grown: train only the last level, from the first step. Raises InputError if `kimg` is too small for growing.
    """

    def phase(level: int, kimg: float, fading: bool = False) -> Phase:
        batch = config.batch_at(level, levels)
        return Phase(level, fading, math.ceil(kimg * 1000 / batch), batch)

    phases = []
    for level in range(0 if grown else levels - 1):
        phases += [phase(level, config.fade_kimg, True)] if level else []
        phases.append(phase(level, config.stable_kimg))
    if levels > 1 and not grown:
        phases.append(phase(levels - 1, config.fade_kimg, True))
    left = config.kimg - sum(part.steps * part.batch for part in phases) / 1000
    if left <= 0:
        needed = f"{config.kimg - left:g}"
        raise InputError(f"kimg is {config.kimg:g}: growing takes {needed} alone; set it above {needed}")
    return [*phases, phase(levels - 1, left)]


def place(phases: list[Phase], step: int) -> Place:
    """Return the state of growth at step number `step`, which counts from 1. Raises IndexError after the last step."""
    shown, before = 0, step - 1
    for phase in phases:
        if before < phase.steps:
            grown = phase.level - 1 + (before + 1) / phase.steps if phase.fading else float(phase.level)
            return Place(grown, phase.batch, shown + before * phase.batch)
        before -= phase.steps
        shown += phase.steps * phase.batch
    raise IndexError(step)


def levels_of(resolution: int) -> int:
    """Return the number of levels of this resolution. Raises InputError if it is not a power of 2 from 8 to 1024."""
    if resolution not in (8, 16, 32, 64, 128, 256, 512, 1024):
        raise InputError(f"images of {resolution} pixels: expected 8, 16, 32, 64, ... 1024")
    return resolution.bit_length() - 2


def at_level(images: Tensor, grown: float) -> Tensor:
    """Return real images at the resolution of the level that `grown` has reached.

    While the level fades in, they are blended with their half resolution, as the generator's images are.
    """
    top = math.ceil(grown)
    images = avg_pool2d(images, images.shape[-1] // (4 * 2**top))
    return images if grown == top else torch.lerp(double(avg_pool2d(images, 2)), images, 1 - (top - grown))
