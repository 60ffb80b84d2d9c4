"""Carry out `direction-finder bend`."""

from dataclasses import asdict
from pathlib import Path

import torch

from direction_finder.commands.actions.shared import going_on, opened, writing
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.options import SHOWN
from direction_finder.commands.printing import say, tell
from direction_finder.directions import Directions
from direction_finder.discovery.bend import BendSettings, bend_with
from direction_finder.edits import commutativity_error
from direction_finder.progress import Bars
from direction_finder.runs.loading import Loaded
from direction_finder.runs.measure_cache import MeasureCache, identity

DRAWN = 64  # samples at which it is measured how much the order of two moves matters


def bend(path: Path, points: int, drawing: Drawing) -> None:
    """Curve the directions of a run or file, and save them in its place."""
    settings = BendSettings(points, drawing.seed, drawing.max_batch)
    with writing(path):
        target = opened(path, drawing)
        straight = target.directions.straight
        depends_on = {
            **identity(target.generator, straight, straight.class_index),
            "bend": [asdict(settings), straight.method, straight.config],
        }
        with going_on(), MeasureCache(depends_on, tell) as cache, Bars() as bars:
            curved = bend_with(target.generator, straight, settings, cache=cache, on_step=bars)
        curved.save(target.path)
        count = sum(curve is not None for curve in curved.curves)
        say(f"{count} of {len(curved)} directions are curved, the others stay straight: {target.path}")
        _tell_order(target, curved, drawing.seed)


def _tell_order(target: Loaded, curved: Directions, seed: int) -> None:
    """Say how much the order of two moves matters, over all pairs of the short list."""
    numbers = target.pick(None, SHOWN)
    if len(numbers) > 1:
        error = commutativity_error(target.samples(DRAWN, seed, None), curved[numbers])
        pairs = error[*torch.triu_indices(len(numbers), len(numbers), 1)]
        first, second = (numbers[place] for place in divmod(int(error.argmax()), len(numbers)))
        say(
            f"Moves by 1 along two of {len(numbers)} directions end {pairs.mean():.3f} apart in the other order, on "
            f"average; along {first} and {second} {pairs.max():.3f}; along straight lines 0."
        )
