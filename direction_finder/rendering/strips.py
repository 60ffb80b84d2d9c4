"""Render strips: samples at many positions along a direction, as one WebP sheet of which a page shows one frame."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.generators import Generator
from direction_finder.images import to_uint8
from direction_finder.progress import OnStep, counted
from direction_finder.rendering.drawing import DEFAULT_EXTENT
from direction_finder.samples import Samples

FRAMES = 31  # positions along a direction: an odd number, so that 0 is one of them
BEYOND = 1.5  # strips go further than the usable range, to show what happens there
QUALITIES = (90, 80, 70, 55, 40, 25)  # of WebP, tried until a sheet is small enough
SIDE = 192  # pixels of a frame, at most: every strip of a page is in the memory of a phone
THINNED = 3  # a thumbnail shows every third position: the middle and both ends are among them
THUMBNAIL = 55  # quality of thumbnails
SMALLEST = 16  # pixels of a frame below which it is not made smaller
MOST = 16_383  # pixels of a side of a WebP image


@dataclass(frozen=True)
class Strip:
    """Hold frames of several samples at `positions`: a WebP sheet with samples down and positions across.

    size: width and height of a frame in pixels. straight: the strip along a straight line, where this one is curved.
    """

    sheet: bytes
    size: tuple[int, int]
    samples: int
    positions: tuple[float, ...]
    straight: "Strip | None" = None


def extent_of(direction: Direction) -> float:
    """Return how far a strip goes: beyond the usable range, or to 3 where that is unknown."""
    reach = direction.usable_range
    return BEYOND * reach if reach else DEFAULT_EXTENT


def positions_along(direction: Direction) -> Tensor:
    """Return positions in equal steps along a direction, both ways to `extent_of` it; the one in the middle is 0."""
    half = FRAMES // 2
    return torch.arange(-half, half + 1) * (extent_of(direction) / half)


@torch.no_grad()
def frames_along(
    generator: Generator, direction: Direction, samples: Samples, positions: Tensor, max_batch: int = 32
) -> np.ndarray:
    """Return images of bytes (samples, positions, H, W, 3); each sample is moved by each position."""
    rows = []
    for sample in samples:
        parts = positions.split(max_batch)
        moved = [edits.move(sample.latents.expand(len(part), -1, -1), direction, part) for part in parts]
        classes = [sample.class_numbers.expand(len(part)) for part in parts]
        images = [to_uint8(generator(latents, of)) for latents, of in zip(moved, classes, strict=True)]
        rows.append(np.concatenate(images))
    return np.stack(rows)


def encoded(
    images: np.ndarray, positions: Sequence[float], *, quality: int | None, room: float, side: int = SIDE
) -> Strip:
    """Return images (samples, positions, H, W, 3) as a strip.

    side: pixels of a frame, at most.
    quality: of WebP, 1 to 100 (None: the best of a few with which the sheet has at most `room` bytes; if even the worst
    is larger, frames are made smaller).
    """
    rows, columns, height, width = images.shape[:4]
    scale = min(1.0, side / max(height, width), MOST / (rows * height), MOST / (columns * width))
    while True:
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        sheet = _sheet(images, size)
        for each in QUALITIES if quality is None else (quality,):
            data = _webp(sheet, each)
            if quality is not None or len(data) <= room or (each == QUALITIES[-1] and max(size) <= SMALLEST):
                return Strip(data, size, rows, tuple(positions))
        scale *= 0.7


def render_strips(
    generator: Generator,
    directions: Iterable[Direction],
    samples: Samples,
    *,
    quality: int | None = None,
    room: float = 1e6,
    max_batch: int = 32,
    on_step: OnStep | None = None,
) -> Iterator[Strip]:
    """Yield a strip for each direction, one at a time. quality, room: of each sheet, see `encoded`."""
    chosen = list(directions)
    for direction in counted(chosen, len(chosen), "rendering strips", "direction", on_step):
        positions = positions_along(direction)
        first, *other = [
            encoded(
                frames_along(generator, path, samples, positions, max_batch),
                positions.tolist(),
                quality=quality,
                room=room,
            )
            for path in ((direction, direction.straight) if direction.curve else (direction,))
        ]
        yield replace(first, straight=other[0]) if other else first


def first_row(strip: Strip) -> Strip:
    """Return a strip of its first sample alone."""
    return Strip(_webp(_cropped(strip), QUALITIES[1]), strip.size, 1, strip.positions)


def thumbnail(strip: Strip, room: float) -> Strip:
    """Return a strip of its first sample alone in at most `room` bytes: every third position, in smaller frames."""
    width, height = strip.size
    frames = np.asarray(_cropped(strip)).reshape(height, len(strip.positions), width, 3).swapaxes(0, 1)
    images, positions, side = frames[None, ::THINNED], strip.positions[::THINNED], SIDE
    while True:  # few tries, because there are thousands of thumbnails
        small = encoded(images, positions, quality=THUMBNAIL, room=room, side=side)
        if len(small.sheet) <= room or max(small.size) <= SMALLEST:
            return small
        side = int(max(small.size) * max(0.5, 0.9 * (room / len(small.sheet)) ** 0.5))


def _cropped(strip: Strip) -> Image.Image:
    """Return the first row of a sheet, which shows the first sample."""
    with Image.open(io.BytesIO(strip.sheet)) as sheet:
        return sheet.convert("RGB").crop((0, 0, sheet.width, strip.size[1]))


def _sheet(images: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Paste images (rows, columns, H, W, 3) into one, each of this size."""
    rows, columns, height, width = images.shape[:4]
    canvas = Image.new("RGB", (columns * size[0], rows * size[1]))
    for row, column in np.ndindex(rows, columns):
        frame = Image.fromarray(images[row, column])
        if (width, height) != size:
            frame = frame.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(frame, (column * size[0], row * size[1]))
    return canvas


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()
