"""Images and videos of all kinds of damage: facts, or one line."""

import json
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from direction_finder.errors import InputError
from direction_finder.images import MADE_KEY, Row, write_sheet, write_video
from direction_finder.reports import media_facts
from direction_finder.reports.media_facts import image, video

FRAMES = [np.full((24, 32, 3), value, np.uint8) for value in (0, 80, 160, 240)]


def refused(read, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_sheet_says_how_it_was_made(tmp_path):
    write_sheet(tmp_path / "a.png", [Row("", np.zeros((2, 8, 8, 3), np.uint8))], made={"verb": "grid ü"})
    facts = image(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert facts["made"] == {"verb": "grid ü"} and facts["size"] == list(opened.size)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_video_says_how_it_was_made(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    write_video(path, FRAMES, fps=10, made={"verb": 'vi=deo; #"\\'})
    facts = video(path)
    assert (facts["frames"], facts["size"], facts["kind"]) == (4, [32, 24], "video")
    assert facts["made"] == {"verb": 'vi=deo; #"\\'}


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "[" * 500 + "]" * 500, "\\"])
def test_what_is_not_made_by_us_is_one_line(text, tmp_path):
    info = PngInfo()
    info.add_itxt(MADE_KEY, text)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)
    if text:
        assert "its text" in refused(image, tmp_path / "a.png")
    else:
        assert image(tmp_path / "a.png")["made"] is None


def test_comments_of_others_are_not_ours(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif", comment=b"made elsewhere")
    assert video(tmp_path / "a.gif")["made"] is None
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif", comment=b'{"half')
    assert "its comment: not JSON" in refused(video, tmp_path / "a.gif")


def png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 20_000, 2**31 - 1])
def test_a_decompression_bomb_is_not_decoded(side, tmp_path, recwarn, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, b"\0" * 1000))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    assert "not decoded, because it has too many pixels" in refused(image, path)
    assert not recwarn.list


def test_a_bomb_in_its_text_is_one_line(tmp_path):
    info = PngInfo()
    info.add_text(MADE_KEY, "0" * 80_000_000, zip=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)
    refused(image, tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "EPS", "PPM"])
def test_other_images_named_png_are_not_opened(kind, tmp_path, monkeypatch):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", format=kind)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was run"))  # as for EPS
    assert "not a readable image" in refused(image, tmp_path / "a.png")


def test_any_cut_and_any_changed_byte_of_an_image_is_facts_or_one_line(tmp_path, recwarn):
    path = tmp_path / "a.png"
    write_sheet(path, [Row("", np.zeros((1, 4, 4, 3), np.uint8))], made={"a": 1})
    whole = path.read_bytes()
    damaged = 0
    for place in range(0, len(whole), 3):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]):
            path.write_bytes(content)
            try:
                json.dumps(image(path))
            except InputError as error:
                damaged += 1
                assert "\n" not in str(error)
    assert damaged > len(whole) // 3 and not recwarn.list


@pytest.mark.parametrize(
    "content",
    [b"", b"no video", b"#EXTM3U\n#EXTINF:1\nother.mp4\n", b"ffconcat version 1.0\nfile other.mp4\n", b"\0" * 999],
)
def test_other_files_named_like_videos_are_not_given_to_ffmpeg(content, tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(content)
    monkeypatch.setattr(media_facts.subprocess, "run", lambda *_, **__: pytest.fail("ffmpeg was run"))
    assert "not a readable video" in refused(video, tmp_path / "a.mp4")


def test_a_video_that_is_cut_short_is_one_line(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES)
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[:60])
    assert "it may be cut short" in refused(video, tmp_path / "a.mp4")


def test_names_that_ffmpeg_could_take_for_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-y.mp4", "concat:a.mp4", "a%03d.mp4", "new\nline.gif"):
        write_video(tmp_path / name, FRAMES)
        assert video(Path(name))["frames"] == 4
