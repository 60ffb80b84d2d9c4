import json
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from direction_finder.errors import InputError
from direction_finder.images import MADE_KEY, Row, row_strip, to_uint8, upscaled, write_sheet, write_video
from tests.process import wait_for


def test_to_uint8_clamps_and_rounds():
    values = torch.tensor([-7.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
    every = torch.linspace(-1, 1, 256).view(1, 1, 1, 256).expand(1, 3, 1, 256)
    assert to_uint8(every)[0, 0, :, 1].tolist() == list(range(256))
    assert to_uint8(torch.zeros(2, 3, 5, 7)).shape == (2, 5, 7, 3)


@pytest.fixture
def rows():
    pixels = np.random.RandomState(0).randint(0, 256, (6, 3, 16, 20, 3)).astype(np.uint8)
    return [Row(f"row {i}", images, "section" if i % 3 == 0 else "") for i, images in enumerate(pixels)]


def test_a_sheet_is_its_strips_pixel_for_pixel(rows, tmp_path):
    write_sheet(tmp_path / "s.png", iter(rows), columns=["a", "b", "c"], made={"seed": 1})
    with Image.open(tmp_path / "s.png") as image:
        pixels = np.asarray(image)
        assert json.loads(image.text[MADE_KEY]) == {"seed": 1}
    left = pixels.shape[1] - 3 * (20 + 4)
    strips = [row_strip(row, ["a", "b", "c"] if row.title else (), left) for row in rows]
    assert np.array_equal(pixels, np.concatenate(strips))
    heights = [len(strip) for strip in strips]
    bottom = heights[0]
    assert np.array_equal(pixels[bottom - 4 - 16 : bottom - 4, left : left + 20], rows[0].images[0])
    assert heights[0] > heights[1] == 16 + 4  # a title and column labels, or neither
    assert (pixels[:, :left] < 100).any()  # there is a label


def test_a_failed_sheet_leaves_nothing(rows, tmp_path):
    def broken():
        yield rows[0]
        raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError):
        write_sheet(tmp_path / "s.png", broken())
    for path, content, words in ((tmp_path / "s.jpg", rows, ".png"), (tmp_path / "s.png", [], "at least one")):
        with pytest.raises(InputError, match=words):
            write_sheet(path, content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_is_read_back(suffix, tmp_path):
    frames = [np.full((33, 51, 3), level, np.uint8) for level in range(0, 250, 25)]
    assert write_video(tmp_path / f"f{suffix}", iter(frames), fps=10, made={"a": 1}) == 10
    if suffix == ".gif":
        with Image.open(tmp_path / "f.gif") as gif:
            video = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])
    else:
        video = iio.imread(tmp_path / "f.mp4")
    assert video.shape == (10, 34, 52, 3)  # padded to even sizes
    levels = video[:, 10:20, 10:20].mean((1, 2, 3))
    assert np.abs(levels - np.arange(0, 250, 25)).max() < 6
    if suffix == ".mp4":
        data = (tmp_path / "f.mp4").read_bytes()
        assert b"avc1" in data  # h264
        assert data.index(b"moov") < data.index(b"mdat")  # plays before it is whole


def test_a_failed_film_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros((32, 32, 3), np.uint8)
        raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "f.mp4", broken())
    with pytest.raises(InputError, match="at least one frame"):
        write_video(tmp_path / "f.mp4", [])
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        write_video(tmp_path / "f.avi", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "width"), [(".mp4", 16386), (".gif", 65536)])
def test_frames_too_large_for_the_format_are_refused(suffix, width, tmp_path):
    frame = np.zeros((2, width, 3), np.uint8)
    with pytest.raises(InputError, match=f"the frames are {width} x 2 pixels, and {suffix} allows"):
        write_video(tmp_path / f"f{suffix}", [frame])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file:x.mp4", "-x.mp4", "%03d.mp4", "concat:a|b.gif"])
def test_any_name_is_the_name_of_a_file(name, tmp_path, monkeypatch):
    """Not of a protocol, an option or a series."""
    monkeypatch.chdir(tmp_path)
    assert write_video(name, [np.zeros((32, 32, 3), np.uint8)] * 2) == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_encoder_that_dies_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "/bin/false")
    with pytest.raises(OSError, match=r"f\.mp4: writing the video failed after \d+ frames"):
        write_video(tmp_path / "f.mp4", [np.zeros((512, 512, 3), np.uint8)] * 9)
    assert not list(tmp_path.iterdir())


def encoders(folder: Path) -> list[Path]:
    """The processes that write a video into a folder."""
    return [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if encodes(path, folder)]


def encodes(cmdline: Path, folder: Path) -> bool:
    try:
        return f"{folder}/".encode() in cmdline.read_bytes()
    except OSError:  # it has ended
        return False


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_an_encoder_ends_when_the_frames_do(tmp_path):
    def frames():
        yield np.zeros((32, 32, 3), np.uint8)
        wait_for(lambda: bool(encoders(tmp_path)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "f.mp4", frames())
    assert not encoders(tmp_path) and not list(tmp_path.iterdir())


MEMORY = """
import resource, sys
import numpy as np
from direction_finder.images import Row, write_sheet, write_video
count, folder = int(sys.argv[1]), sys.argv[2]
images = np.random.RandomState(0).randint(0, 256, (4, 256, 256, 3)).astype(np.uint8)
write_sheet(folder + "/s.png", (Row("row", images) for _ in range(count)))
write_video(folder + "/f.mp4", (images[i % 4] for i in range(count)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_rows_or_frames(tmp_path):
    """120 more rows would be 94 MB as one image, 120 more frames 24 MB."""
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", MEMORY, str(count), str(tmp_path)], capture_output=True, check=True
            ).stdout
        )
        for count in (10, 130)
    ]
    assert peaks[1] - peaks[0] < 12_000  # kilobytes


def test_small_images_are_enlarged_by_whole_factors():
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    assert upscaled(images, 4) is images
    large = upscaled(images, 9)
    assert large.shape == (2, 9, 12, 3)
    assert np.array_equal(large[:, 1::3, 1::3], images)
