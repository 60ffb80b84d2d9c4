"""Carry out `direction-finder bend`."""

from dataclasses import asdict
from pathlib import Path

from direction_finder.commands.actions.shared import going_on, opened, writing
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.printing import say, tell
from direction_finder.discovery.bend import BendSettings, bend_with
from direction_finder.progress import Bars
from direction_finder.runs.measure_cache import MeasureCache, identity


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
