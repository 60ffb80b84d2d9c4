"""Write images and videos to disk row by row and frame by frame, so that memory use does not grow with their number."""

import json
import os
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import replacing
from direction_finder.overwriting import OF_ENDING, PNG, check_overwrite

GAP = 4  # pixels between images
CODECS = {  # file type: codec, pixel format, further options of ffmpeg
    ".mp4": ("libx264", "yuv420p", ["-crf", "17", "-movflags", "+faststart"]),
    # one palette per frame, so that no frame waits for the others
    ".gif": (
        "gif",
        "pal8",
        ["-filter_complex", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1", "-loop", "0"],
    ),
}
LARGEST = {".mp4": 16384, ".gif": 65535}  # pixels of a side
MADE_KEY = "direction-finder"  # the PNG text chunk that says how an image was made


def to_uint8(images: Tensor) -> np.ndarray:
    """Return images (n, 3, H, W) in [-1, 1] as bytes (n, H, W, 3); values outside the range are clamped."""
    scaled = (images.detach().float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def as_images(pixels: Tensor) -> Tensor:
    """Return bytes (n, H, W, 3) as images (n, 3, H, W) in [-1, 1]; `to_uint8` is the inverse."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


class Row(NamedTuple):
    """One row of a sheet: a label at the left, then images (n, H, W, 3) of one size. A `title` begins a section."""

    label: str
    images: np.ndarray
    title: str = ""


def row_strip(row: Row, columns: Sequence[str] = (), left: int = 0) -> np.ndarray:
    """Render one row with its label, and with its title and the labels of its columns above it, as bytes (H, W, 3).

    left: width of the margin that holds the label, in pixels.
    """
    n, height, width = row.images.shape[:3]
    font = _font(width)
    line = int(font.size) + 2 * GAP
    above = line * (bool(row.title) + bool(columns))
    canvas = Image.new("RGB", (left + n * (width + GAP), above + height + GAP), "white")
    draw = ImageDraw.Draw(canvas)
    if row.title:
        draw.text((GAP, GAP), row.title, fill="black", font=font)
    for i, text in enumerate(columns):
        draw.text((left + i * (width + GAP) + width / 2, above - line / 2), text, fill="black", font=font, anchor="mm")
    draw.text((GAP, above + height / 2), row.label, fill="black", font=font, anchor="lm")
    for i, image in enumerate(row.images):
        canvas.paste(Image.fromarray(image), (left + i * (width + GAP), above))
    return np.asarray(canvas)


def margin(labels: Iterable[str], width: int) -> int:
    """Return the width in pixels that these labels need beside images of this width; 0 if all labels are empty."""
    longest = max((_font(width).getlength(label) for label in labels), default=0)
    return int(longest) + 3 * GAP if longest else 0


def write_sheet(
    path: str | Path,
    rows: Iterable[Row],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] | None = None,
    made: dict[str, Any] | None = None,
) -> None:
    """Write rows of images as one labelled PNG, row by row.

    columns: labels above the images, repeated at each titled row (or once, at the top, if no row has a title).
    labels: the labels of all rows, if some are longer than the first row's.
    made: how the sheet was made, saved in the file as JSON.
    Raises InputError if `path` does not end in .png or there is no row.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: sheets can only be written as .png; give a name ending in .png")
    check_overwrite(path, PNG)
    with replacing(path) as part:
        _write_png(part, _strips(rows, columns, labels), {MADE_KEY: json.dumps(made, sort_keys=True)} if made else {})


def sheet_image(
    rows: Iterable[Row],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] | None = None,
) -> Image.Image:
    """Return rows of images as one labelled image in memory; see `write_sheet` for the arguments.

    Raises InputError if there is no row.
    """
    strips = list(_strips(rows, columns, labels))
    if not strips:
        raise InputError("a sheet needs at least one row")
    return Image.fromarray(np.concatenate(strips))


def _strips(rows: Iterable[Row], columns: Sequence[str], labels: Sequence[str] | None) -> Iterator[np.ndarray]:
    left = None
    for i, row in enumerate(rows):
        if left is None:
            left = margin(labels or [row.label], row.images.shape[2])
        yield row_strip(row, columns if row.title or not i else (), left)


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], *, fps: int = 30, made: dict[str, Any] | None = None
) -> int:
    """Write frames (H, W, 3) of bytes as .mp4 (h264, plays in browsers) or a looping .gif; return their number.

    Frames are encoded one by one. A decoder counts the frames before the file gets its final name, so a full disk or a
    file-size limit leaves no broken video. Raises InputError for another format or if there is no frame, OSError if
    the video cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in CODECS:
        raise InputError(f"{path}: videos can only be written as {' or '.join(CODECS)}; give such a name")
    check_overwrite(path, OF_ENDING[path.suffix.lower()])
    even = map(_even, frames)
    first, count = next(even, None), 0
    if first is None:
        raise InputError(f"{path}: a video needs at least one frame")
    _check_size(path, first)
    with replacing(path) as part:
        try:
            with _encoder(_command(part, first, fps, made)) as encode:
                for frame in chain([first], even):
                    encode(np.ascontiguousarray(frame))
                    count += 1
            written = _count_frames(part)
        except OSError as error:
            raise OSError(
                f"{path}: writing the video failed after {count} frames; check for a full disk or a file-size limit"
            ) from error
        if written != count:
            raise OSError(f"{path}: only {written} of {count} frames could be written; check for a full disk")
        if made and path.suffix.lower() == ".gif":
            _add_comment(part, f"{MADE_KEY} {json.dumps(made, sort_keys=True)}".encode())
    return count


def _command(path: Path, frame: np.ndarray, fps: int, made: dict[str, Any] | None) -> list[str]:
    """Return the command of ffmpeg that writes frames like this one, which it reads from a pipe."""
    import imageio_ffmpeg

    codec, pixels, options = CODECS[path.suffix.lower()]
    comment = ["-metadata", f"comment={json.dumps(made, sort_keys=True)}"] if made else []
    raw = ["-f", "rawvideo", "-vcodec", "rawvideo", "-s", f"{frame.shape[1]}x{frame.shape[0]}", "-pix_fmt", "rgb24"]
    encoded = ["-an", "-vcodec", codec, "-pix_fmt", pixels, "-v", "quiet", *options, *comment]
    # an absolute path, because file:x.mp4 would be a protocol and -x.mp4 an option
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-y", *raw, "-r", str(fps), "-i", "-", *encoded, os.path.abspath(path)]


@contextmanager
def _encoder(command: list[str]) -> Iterator[Callable[[Any], object]]:
    """Run ffmpeg, and yield the function that sends it frames; however this ends, ffmpeg has ended before.

    A thread starts it, because a signal could interrupt this one before it knows the process.
    """
    started: list[subprocess.Popen] = []

    def start() -> None:
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
        )

    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(start).result()
        (pipe,) = [process.stdin for process in started if process.stdin]
        yield pipe.write
        pipe.close()
        started[0].wait()
    finally:
        pool.shutdown()
        for process in started:
            process.kill()
            with suppress(OSError):  # what could not be sent any more
                process.communicate()


def _count_frames(path: Path) -> int:
    """Return the number of frames that a decoder finds in a video. Raises OSError if it cannot be decoded."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.count_frames_and_secs(os.path.abspath(path))[0]
    except RuntimeError as error:
        raise OSError("the video cannot be decoded") from error


def _add_comment(gif: Path, text: bytes) -> None:
    """Add a comment at the end of a GIF, as ffmpeg cannot (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""
    blocks = b"".join(bytes([len(text[i : i + 255])]) + text[i : i + 255] for i in range(0, len(text), 255))
    with open(gif, "r+b") as file:
        file.seek(-1, 2)  # the trailer
        file.write(b"\x21\xfe" + blocks + b"\0\x3b")


def upscaled(images: np.ndarray, smallest: int) -> np.ndarray:
    """Enlarge images (n, H, W, 3) by a whole factor so that they are at least `smallest` pixels wide."""
    factor = -(-smallest // images.shape[2])
    return images.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else images


def _font(width: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=max(11, min(24, width // 9)))
    assert isinstance(font, ImageFont.FreeTypeFont)  # true of every font with a size
    return font


def _check_size(path: Path, frame: np.ndarray) -> None:
    """Raise InputError if frames (H, W, 3) are larger than a format allows."""
    most = LARGEST[path.suffix.lower()]
    if max(frame.shape) > most:
        height, width = frame.shape[:2]
        raise InputError(
            f"{path}: the frames are {width} x {height} pixels, and {path.suffix} allows {most}; show fewer `samples` "
            "or `rows` at once"
        )


def _even(frame: np.ndarray) -> np.ndarray:
    """Pad to even height and width, as h264 in yuv420p needs."""
    return np.pad(frame, [(0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)], constant_values=255)


def _write_png(path: Path, strips: Iterator[np.ndarray], texts: dict[str, str]) -> None:
    """Write strips (h, W, 3) to a PNG one by one, from top to bottom (https://www.w3.org/TR/png-3/).

    The height is known only at the end, so the header is then written again. Pillow would need the whole image in
    memory.
    """
    first = next(strips, None)
    if first is None:
        raise InputError(f"{path}: a sheet needs at least one row")
    width, height = first.shape[1], 0
    packer = zlib.compressobj(6)
    above = np.zeros((1, width * 3), np.uint8)
    with open(path, "wb") as file:

        def chunk(kind: bytes, data: bytes) -> None:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

        def header() -> None:
            file.write(b"\x89PNG\r\n\x1a\n")
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))

        header()
        for key, text in texts.items():
            chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode())
        strip: np.ndarray | None = first
        while strip is not None:
            lines = strip.reshape(len(strip), -1)
            up = np.concatenate([above, lines])
            filtered = np.insert(up[1:] - up[:-1], 0, 2, axis=1)  # filter 2: difference from the line above
            if data := packer.compress(filtered.tobytes()):
                chunk(b"IDAT", data)
            above, height = lines[-1:], height + len(lines)
            strip = next(strips, None)
        chunk(b"IDAT", packer.flush())
        chunk(b"IEND", b"")
        file.seek(0)
        header()
