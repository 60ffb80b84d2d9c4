"""Describe images and videos: their size, and how they were made if this package made them."""

import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

from direction_finder.errors import InputError
from direction_finder.files import parse_json
from direction_finder.images import MADE_KEY
from direction_finder.overwriting import GIF, MP4, kind_of
from direction_finder.reports.run_headers import Facts

Made = dict[str, Any]
"""Declare how an image or video was made: the command, its settings, and what it was applied to."""

SECONDS = 60  # after which ffmpeg is stopped


def image(path: Path) -> Facts:
    """Return facts about a PNG. Raises InputError if it is damaged, or has so many pixels that they fill the memory."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG",)) as opened:
                opened.load()
                made, size = getattr(opened, "text", {}).get(MADE_KEY), list(opened.size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not decoded, because it has too many pixels ({error})") from error
    except (OSError, ValueError, SyntaxError, TypeError, IndexError, OverflowError) as error:  # all of them Pillow's
        raise InputError(f"{path}: not a readable image ({error})") from error
    return {"kind": "image", "size": size, "made": parse_json(str(made), f"{path}: its text", Made) if made else None}


def video(path: Path) -> Facts:
    """Return facts about an MP4 or GIF. Raises InputError if it is damaged."""
    import imageio_ffmpeg

    if kind_of(path) not in (MP4, GIF):
        raise InputError(f"{path}: not a readable video, neither MP4 nor GIF")
    file = str(path.resolve())  # which ffmpeg cannot take for an option or a protocol
    try:
        frames, seconds = imageio_ffmpeg.count_frames_and_secs(file)
        listing = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-i", file, "-f", "ffmetadata", "-"]
        told = subprocess.run(listing, capture_output=True, check=False, timeout=SECONDS)
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(f"{path}: not a readable video; it may be cut short") from error
    metadata, stream = (text.decode(errors="replace") for text in (told.stdout, told.stderr))
    comment = re.search(r"^comment=(.*)$", metadata, re.MULTILINE)
    made = re.sub(r"\\(.)", r"\1", comment[1]).removeprefix(f"{MADE_KEY} ") if comment else ""
    size = re.search(r"Video: .*?, (\d+)x(\d+)", stream)
    return {
        "kind": "video",
        "frames": frames,
        "seconds": seconds,
        "size": [int(size[1]), int(size[2])] if size else None,
        "made": parse_json(made, f"{path}: its comment", Made) if made.startswith("{") else None,
    }
