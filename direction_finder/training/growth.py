"""How a ProGAN grows: which level is trained at which step, how far it has faded in, and real pictures to match.

How far a network has grown is one number: 2 is level 2 (16x16), 1.25 is level 2 faded in by a quarter over level 1.
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
    """Some steps at one level, during which it fades in or does not."""

    level: int
    fading: bool
    steps: int
    batch: int


@dataclass(frozen=True)
class Place:
    """Where a step is: how far the networks have grown, its batch, and how many pictures were shown before it."""

    grown: float
    batch: int
    shown: int


def plan(config: ProGANConfig, levels: int, grown: bool) -> list[Phase]:
    """The phases of a run; `grown`: everything at the last level. Raises InputError if kimg do not suffice to grow."""

    def phase(level: int, kimg: float, fading: bool = False) -> Phase:
        batch = config.batch_at(level, levels)
        return Phase(level, fading, math.ceil(kimg * 1000 / batch), batch)

    phases = []
    for level in range(0 if grown else levels - 1):
        phases += [phase(level, config.fade_kimg, True)] if level else []
        phases.append(phase(level, config.stable_kimg))
    if levels > 1 and not grown:
        phases.append(phase(levels - 1, config.fade_kimg, True))
    left = config.kimg - sum(each.steps * each.batch for each in phases) / 1000
    if left <= 0:
        raise InputError(f"kimg is {config.kimg:g}: growing takes {config.kimg - left:g} alone")
    return [*phases, phase(levels - 1, left)]


def place(phases: list[Phase], step: int) -> Place:
    """Where step number `step` (from 1) is."""
    shown, before = 0, step - 1
    for each in phases:
        if before < each.steps:
            grown = each.level - 1 + (before + 1) / each.steps if each.fading else float(each.level)
            return Place(grown, each.batch, shown + before * each.batch)
        before -= each.steps
        shown += each.steps * each.batch
    raise IndexError(step)


def levels_of(resolution: int) -> int:
    """How many levels lead to this resolution. Raises InputError if it is no power of two from 8 to 1024."""
    if resolution not in (8, 16, 32, 64, 128, 256, 512, 1024):
        raise InputError(f"pictures of {resolution} pixels: expected 8, 16, 32, 64, ... 1024")
    return resolution.bit_length() - 2


def at_level(images: Tensor, grown: float) -> Tensor:
    """Images at the resolution of the last level begun, as smooth as the generator's are while it fades in."""
    top = math.ceil(grown)
    images = avg_pool2d(images, images.shape[-1] // (4 * 2**top))
    return images if grown == top else torch.lerp(double(avg_pool2d(images, 2)), images, 1 - (top - grown))
