"""Render videos of samples that move along directions and back."""

import base64
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import Row, margin, row_strip, write_video
from direction_finder.progress import OnStep, counted
from direction_finder.rendering.drawing import Walk, drawn, evenly
from direction_finder.samples import Samples
from direction_finder.settings import check_number

KNOTS = 17  # positions that an even video goes through
ROWS = 8  # directions shown at once


@dataclass(frozen=True)
class Video:
    """Describe a video of `count` frames (H, W, 3) of bytes, which `draw` renders one at a time. notes: remarks."""

    draw: Callable[[], Iterator[np.ndarray]]
    count: int
    fps: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.draw()

    def save(self, path: str | Path, made: dict[str, Any] | None = None, on_step: OnStep | None = None) -> int:
        """Write the video as .mp4 or .gif, a frame at a time, and return the number of frames.

        made: how it was made, which is saved in the file.
        """
        frames = counted(self.draw(), self.count, Path(path).name, "frame", on_step)
        return write_video(path, frames, fps=self.fps, made=made)

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "video.mp4"
            self.save(path)
            data = base64.b64encode(path.read_bytes()).decode()
        return f'<video src="data:video/mp4;base64,{data}" controls loop muted autoplay></video>'


def render_video(
    generator: Generator,
    directions: Sequence[Direction],
    samples: Samples,
    walk: Walk,
    *,
    seconds: float = 4.0,
    fps: int = 30,
    rows: int = ROWS,
    on_step: OnStep | None = None,
) -> Video:
    """Return a video with a row for each direction and a column for each sample.

    seconds: length of one loop. rows: directions shown at once; more follow one after another. Raises InputError for
    fewer than one row or one frame per second.
    """
    check_number("seconds", seconds, float, above=0, most=3600)
    check_number("fps", fps, float, most=1000)
    check_number("rows", rows, int)
    if rows < 1 or fps < 1:
        raise InputError(f"rows {rows}, fps {fps}: expected at least 1 of each")
    frames = max(2, round(seconds * fps))
    if walk.even:
        places, notes = evenly(generator, directions, samples, walk, KNOTS, on_step=on_step)
        walks = [edits.steady_walk(frames, positions) for positions in places]
    else:
        walks, notes = [edits.walk(frames, walk.reach(direction)) for direction in directions], []
    pairs = list(zip(directions, walks, strict=True))
    pages = [pairs[i : i + rows] for i in range(0, len(pairs), rows)]
    return Video(lambda: _frames(generator, pages, samples, walk), len(pages) * frames, fps, tuple(notes))


def _frames(
    generator: Generator, pages: list[list[tuple[Direction, Tensor]]], samples: Samples, walk: Walk
) -> Iterator[np.ndarray]:
    """Render page after page; a short last page is padded."""
    labels = [direction.label for page in pages for direction, _ in page]
    left = 0
    for page in pages:
        for frame in range(len(page[0][1])):
            moved = [walk.place(samples.latents, direction, float(way[frame])) for direction, way in page]
            classes = samples.class_numbers.repeat(len(page))
            images = drawn(generator, torch.cat(moved), classes, walk.max_batch)
            left = left or margin(labels, images.shape[2])
            rows = images.reshape(len(page), len(samples), *images.shape[1:])
            strips = [
                row_strip(Row(direction.label, row), left=left) for (direction, _), row in zip(page, rows, strict=True)
            ]
            missing = len(pages[0]) - len(page)
            yield np.concatenate(strips + [np.full_like(strips[0], 255)] * missing)
