"""Pictures of directions, edits and alignments, each by one function."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.progress import Reporting, reporting
from direction_finder.rendering.alignment import aligned, compared
from direction_finder.rendering.drawing import Walk, several
from direction_finder.rendering.films import ROWS, Film, film
from direction_finder.rendering.layouts import sheet
from direction_finder.samples import Samples


def grid(
    generator: Generator,
    directions: Directions | Direction | Sequence[Direction],
    samples: Samples,
    *,
    layout: str = "blocks",
    steps: int = 7,
    extent: float | None = None,
    even: bool = False,
    absolute: bool = False,
    features: str = "lite0",
    weights: Path | None = None,
    max_batch: int = 32,
    progress: Reporting = None,
) -> Image.Image:
    """Draw what directions do as one labelled picture, which a notebook shows.

    layout: "blocks" (a section for each direction: samples down, `steps` pictures across), "overview" (samples down,
    directions across, at full extent) or "pair" (two directions, a block for each sample). extent: how far, both ways,
    in standard deviations (None: each direction's usable range, or 3). even: in steps that change the picture equally
    (blocks), told by `features`. absolute: set coordinates, instead of moving them.

    >>> df.grid(generator, directions[:5], generator.samples(3, class_name="cube")).save("grid.png")

    Raises InputError for a layout that does not go with the rest.
    """
    walk = Walk(extent, even, absolute, features, weights, max_batch)
    with reporting(progress) as on_step:
        drawing = sheet(generator, several(directions), samples, walk, layout=layout, steps=steps, on_step=on_step)
        return drawing.image(on_step)


def video(
    generator: Generator,
    directions: Directions | Direction | Sequence[Direction],
    samples: Samples,
    *,
    seconds: float = 4.0,
    fps: int = 30,
    rows: int = ROWS,
    extent: float | None = None,
    even: bool = False,
    absolute: bool = False,
    features: str = "lite0",
    weights: Path | None = None,
    max_batch: int = 32,
    progress: Reporting = None,
) -> Film:
    """Return a film of samples going along directions and back: frames (H, W, 3), drawn as they are asked for.

    seconds: of one loop. rows: directions shown at once. Otherwise as `grid`.

    >>> df.video(generator, directions["x", "hue"], generator.samples(4)).save("video.mp4")
    """
    walk = Walk(extent, even, absolute, features, weights, max_batch)
    with reporting(progress) as on_step:
        return film(generator, several(directions), samples, walk, seconds=seconds, fps=fps, rows=rows, on_step=on_step)


def align_sheet(
    generator: Generator, direction: Direction, samples: Samples, to: Sequence[float] = (), *, max_batch: int = 32
) -> Image.Image:
    """Draw samples as they are, and a row for each value that their coordinates along a direction are set to (paper,
    Fig. 7).

    to: by default 0, and the ends of the usable range where it is known; `df.percentile` gives values.

    >>> df.align_sheet(generator, directions["x"], generator.samples(6), to=[-1.5, 0, 1.5]).save("align.png")
    """
    return aligned(generator, direction, samples, to, max_batch=max_batch).image()


def compare(generator: Generator, rows: Mapping[str, Samples], *, title: str = "", max_batch: int = 32) -> Image.Image:
    """Draw several versions of the same samples, one below the other, with their names.

    >>> df.compare(generator, {"original": samples, "edited": df.move(samples, 2 * directions["x"])})
    """
    return compared(generator, rows, ["", title], max_batch=max_batch).image()
