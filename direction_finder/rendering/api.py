"""Render directions, edits and alignments, with one function for each kind of image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.edits import Along, Several
from direction_finder.generators import Generator
from direction_finder.progress import Reporting, reporting
from direction_finder.rendering.alignment import aligned, compared
from direction_finder.rendering.drawing import Walk, checked_samples, several
from direction_finder.rendering.layouts import render_sheet
from direction_finder.rendering.videos import ROWS, Video, render_video
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
    """Render what directions do as one labelled image, which a notebook displays.

    layout: "blocks" (a section for each direction: samples down, `steps` images across), "overview" (samples down,
    directions across, at full extent) or "pair" (two directions, a block for each sample). extent: how far to go both
    ways, in standard deviations (None: each direction's usable range, or 3). even: use steps that change the image
    equally, measured with `features` and their `weights` (layout "blocks" only). absolute: set coordinates instead of
    adding to them. max_batch: images rendered at once.

    >>> df.grid(generator, directions[:5], generator.samples(3, class_name="cube")).save("grid.png")

    Raises InputError for a layout that does not fit the other arguments.
    """
    walk = Walk(extent, even, absolute, features, weights, max_batch)
    with reporting(progress) as on_step:
        sheet = render_sheet(
            generator, several(directions), checked_samples(samples), walk, layout=layout, steps=steps, on_step=on_step
        )
        return sheet.image(on_step)


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
) -> Video:
    """Return a video of samples that move along directions and back: frames (H, W, 3), rendered one at a time.

    seconds: length of one loop. rows: directions shown at once; more follow one after another. The other arguments are
    those of `grid`.

    >>> df.video(generator, directions["x", "hue"], generator.samples(4)).save("video.mp4")
    """
    walk = Walk(extent, even, absolute, features, weights, max_batch)
    with reporting(progress) as on_step:
        return render_video(
            generator,
            several(directions),
            checked_samples(samples),
            walk,
            seconds=seconds,
            fps=fps,
            rows=rows,
            on_step=on_step,
        )


def align_sheet(
    generator: Generator,
    direction: Direction | Sequence[Direction] | Directions,
    samples: Samples,
    to: Sequence[float | Sequence[float]] = (),
    *,
    keep: Along | Several = (),
    max_batch: int = 32,
) -> Image.Image:
    """Render samples unchanged, then a row for each value that their coordinates along a direction are set to.

    This is the paper's Fig. 7. to: the values (default: 0, and the ends of the usable range where it is known);
    `df.percentile` computes such values. Several directions are set together, each to its value in every row. keep:
    see `df.align`.

    >>> df.align_sheet(generator, directions["x"], generator.samples(6), to=[-1.5, 0, 1.5]).save("align.png")
    """
    chosen = several(direction)
    return aligned(generator, chosen, checked_samples(samples), to, keep=keep, max_batch=max_batch).image()


def compare(generator: Generator, rows: Mapping[str, Samples], *, title: str = "", max_batch: int = 32) -> Image.Image:
    """Render several versions of the same samples, one row for each version, labelled with its name.

    >>> df.compare(generator, {"original": samples, "edited": df.move(samples, 2 * directions["x"])})
    """
    return compared(generator, rows, ["", title], max_batch=max_batch).image()
