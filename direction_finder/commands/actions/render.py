"""What `direction-finder render` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.actions.shared import made, opened, tell
from direction_finder.commands.given import Drawing, Walking
from direction_finder.commands.options import SHOWN
from direction_finder.direction import Direction
from direction_finder.progress import Bars
from direction_finder.rendering.drawing import Walk
from direction_finder.rendering.films import film
from direction_finder.rendering.layouts import sheet
from direction_finder.runs.target import Target
from direction_finder.samples import Samples


@dataclass(frozen=True)
class Chosen:
    """What is to be drawn, of the options that `grid` and `video` share."""

    target: Target
    picked: list[int]
    samples: Samples
    walk: Walk

    @classmethod
    def of(cls, path: Path, walking: Walking, drawing: Drawing, most: int) -> "Chosen":
        target = opened(path, drawing)
        walk = Walk(
            walking.extent, walking.even, walking.absolute, walking.features, walking.weights, drawing.max_batch
        )
        samples = target.samples(walking.samples, drawing.seed, drawing.class_text)
        return cls(target, target.pick(walking.directions, most), samples, walk)

    @property
    def directions(self) -> list[Direction]:
        return [self.target.directions[index] for index in self.picked]


def _settings(walking: Walking, drawing: Drawing) -> dict[str, Any]:
    """What a picture notes of the options."""
    return {
        "samples": walking.samples,
        "seed": drawing.seed,
        "extent": walking.extent,
        "even": walking.even,
        "absolute": walking.absolute,
        "class_text": drawing.class_text,
    }


def grid(path: Path, layout: str, steps: int, walking: Walking, drawing: Drawing) -> None:
    """Draw a labelled sheet of pictures along directions, as .png."""
    chosen = Chosen.of(path, walking, drawing, 2 if layout == "pair" else SHOWN)
    target = chosen.target
    out = walking.out or target.folder / f"{'grid' if layout == 'blocks' else layout}.png"
    note = made(
        target, "render grid", layout=layout, directions=chosen.picked, steps=steps, **_settings(walking, drawing)
    )
    with Bars() as bars:
        drawn = sheet(
            target.generator, chosen.directions, chosen.samples, chosen.walk, layout=layout, steps=steps, on_step=bars
        )
        for line in drawn.notes:
            tell(line)
        drawn.save(out, note, bars)
    click.echo(out)


def video(path: Path, seconds: float, fps: int, rows: int, walking: Walking, drawing: Drawing) -> None:
    """Film all samples moving along directions and back, as .mp4 (or .gif, by the ending of --out)."""
    chosen = Chosen.of(path, walking, drawing, SHOWN)
    target = chosen.target
    out = walking.out or target.folder / "video.mp4"
    note = made(target, "render video", directions=chosen.picked, **_settings(walking, drawing))
    with Bars() as bars:
        drawn = film(
            target.generator, chosen.directions, chosen.samples, chosen.walk, seconds=seconds, fps=fps, rows=rows,
            on_step=bars,
        )  # fmt: skip
        for line in drawn.notes:
            tell(line)
        count = drawn.save(out, note, bars)
    click.echo(f"{out} ({count} frames)")
