"""Carry out `direction-finder render`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from direction_finder.commands.actions.shared import made, opened, writing
from direction_finder.commands.option_values import Drawing, Walking
from direction_finder.commands.options import SHOWN
from direction_finder.commands.printing import say, tell
from direction_finder.direction import Direction
from direction_finder.progress import Bars
from direction_finder.rendering.drawing import Walk
from direction_finder.rendering.layouts import render_sheet
from direction_finder.rendering.videos import render_video
from direction_finder.runs.loading import Loaded
from direction_finder.samples import Samples


@dataclass(frozen=True)
class Chosen:
    """Hold what to render, from the options that `grid` and `video` share."""

    target: Loaded
    picked: list[int]
    samples: Samples
    walk: Walk

    @classmethod
    def of(cls, path: Path, walking: Walking, drawing: Drawing, most: int) -> "Chosen":
        """Open the target and choose directions, at most `most` by default, and samples."""
        target = opened(path, drawing)
        walk = Walk(
            walking.extent, walking.even, walking.absolute, walking.features, walking.weights, drawing.max_batch
        )
        samples = target.samples(walking.samples, drawing.seed, drawing.class_text)
        return cls(target, target.pick(walking.directions, most), samples, walk)

    @property
    def directions(self) -> list[Direction]:
        """Return the chosen directions."""
        return [self.target.directions[index] for index in self.picked]


def _settings(walking: Walking, drawing: Drawing) -> dict[str, Any]:
    """Return the options that are saved in an image."""
    return {
        "samples": walking.samples,
        "seed": drawing.seed,
        "extent": walking.extent,
        "even": walking.even,
        "absolute": walking.absolute,
        "class_text": drawing.class_text,
    }


def grid(path: Path, layout: str, steps: int, walking: Walking, drawing: Drawing) -> None:
    """Render a labelled sheet of images that follow directions, as .png."""
    with writing(path, walking.out, walking.force):
        chosen = Chosen.of(path, walking, drawing, 2 if layout == "pair" else SHOWN)
        target = chosen.target
        out = walking.out or target.folder / f"{'grid' if layout == 'blocks' else layout}.png"
        note = made(
            target, "render grid", layout=layout, directions=chosen.picked, steps=steps, **_settings(walking, drawing)
        )
        with Bars() as bars:
            sheet = render_sheet(
                target.generator,
                chosen.directions,
                chosen.samples,
                chosen.walk,
                layout=layout,
                steps=steps,
                on_step=bars,
            )
            for line in sheet.notes:
                tell(line)
            sheet.save(out, note, bars)
        say(out)


def video(path: Path, seconds: float, fps: int, rows: int, walking: Walking, drawing: Drawing) -> None:
    """Render a video of samples that move along directions and back, as .mp4 or .gif."""
    with writing(path, walking.out, walking.force):
        chosen = Chosen.of(path, walking, drawing, SHOWN)
        target = chosen.target
        out = walking.out or target.folder / "video.mp4"
        note = made(target, "render video", directions=chosen.picked, **_settings(walking, drawing))
        with Bars() as bars:
            rendered = render_video(
                target.generator, chosen.directions, chosen.samples, chosen.walk, seconds=seconds, fps=fps, rows=rows,
                on_step=bars,
            )  # fmt: skip
            for line in rendered.notes:
                tell(line)
            count = rendered.save(out, note, bars)
        say(f"{out} ({count} frames)")
