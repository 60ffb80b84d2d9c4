"""The page of a run: what it says, that it stands alone, that nothing in a run's files becomes markup."""

import base64
import json
import os
import re
import warnings
from configparser import ConfigParser
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from PIL import Image

from direction_finder.directions import Directions
from direction_finder.errors import InputError, MissingExtra, Unfinished
from direction_finder.files import write_json
from direction_finder.reports import write_page
from direction_finder.reports.measures import METRICS
from direction_finder.reports.pages import embedding, page

EVIL = '<script>alert("1")</script>&'
HEADING = "<h1><bdi>3 random directions in planted</bdi></h1>"
VALUE = {"value": 0.5, "low": 0.25, "high": 0.75}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small run of `learn`, written by hand."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_json(folder / "config.json", {
        "direction_finder": "0.1", "torch": "2", "class": None, "method": "random", "settings": {},
        "generator": {"name": "planted"},
    })  # fmt: skip
    record(folder)
    return folder


def record(folder: Path, **given) -> Directions:
    directions = Directions(torch.eye(3), "random", seed=7, **given)
    directions.save(folder / "directions.safetensors")
    return directions


def config(folder: Path, **changes) -> None:
    write_json(folder / "config.json", {**json.loads((folder / "config.json").read_text()), **changes})


def written(folder: Path) -> str:
    notes: list[str] = []
    text = write_page(folder, strips=False, on_note=notes.append).read_text(encoding="utf-8")
    assert notes == []
    return text


def cells(text: str) -> list[list[str]]:
    rows = re.findall("<tr>(.*?)</tr>", text)
    return [re.findall("<t[dh].*?>(?:<bdi>)?(.*?)(?:</bdi>)?</t[dh]>", row) for row in rows]


def test_it_says_what_was_found_where(folder):
    text = written(folder)
    assert "<title>3 random directions in planted</title>" in text and HEADING in text
    assert "class random, seed 7" in text and ["torch", "2"] in cells(text) and "Measured" not in text
    share = {"share": 0.5, "random_share": 0.25, "matrices": 8}
    record(folder, share=share, weights_sha256="ab" * 32)
    assert ["diagonal share, held out", "0.500; of a random basis 0.250"] in cells(written(folder))
    assert ["weights", "ab" * 8] in cells(written(folder))


def test_directions_that_are_bound_to_none_are_in_nothing(folder):
    config(folder, generator={"name": None})
    assert "<title>3 random directions</title>" in written(folder)


def test_a_training_is_told_with_all_its_settings(folder):
    data = {"kind": "images", "folder": "a", "resolution": 16, "num": 8, "sha256": "0"}
    training = {"model": "progan", "data": data, "start": None, "settings": {"kimg": 600}}
    config(folder, **training)
    (folder / "directions.safetensors").unlink()
    text = written(folder)
    assert "<h1><bdi>ProGAN trained on images</bdi></h1>" in text and "8 images, started from nothing" in text
    assert ["kimg", "600"] in cells(text) and ["resolution", "16"] in cells(text)
    config(folder, start={"file": "x.safetensors", "sha256": "0"})
    assert "started from x.safetensors" in written(folder) and ["file", "x.safetensors"] in cells(written(folder))


def test_it_is_written_where_it_is_wanted_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    def failing(*_):
        raise OSError("the disk is full")

    assert write_page(folder, strips=False) == folder / "index.html"
    elsewhere = tmp_path / "deep" / "page.html"
    assert write_page(str(folder), elsewhere, strips=False) == elsewhere
    (folder / "a.png").write_bytes(b"image")
    before = (folder / "index.html").read_bytes()
    monkeypatch.setattr(page, "Figure", failing)
    with pytest.raises(OSError, match="disk"):
        write_page(folder, strips=False)
    assert (folder / "index.html").read_bytes() == before and not list(folder.glob(".*"))


def test_what_has_no_page_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        write_page(tmp_path)
    (folder / "directions.safetensors").unlink()
    with pytest.raises(Unfinished, match="no directions yet"):
        write_page(folder)


def test_nothing_in_a_run_becomes_markup(folder):
    directions = record(folder, names=(EVIL, None, None))
    config(folder, generator={"name": EVIL}, torch=EVIL, **{"class": EVIL})
    write_json(folder / "rank.json", {
        "directions_sha256": directions.sha256, "short_list": [0],
        "signals": {EVIL: {"values": [1.0, 1.0, 1.0], "chance": 0.5}},
    })  # fmt: skip
    write_json(folder / "factors.json", {
        "scores": {EVIL: VALUE}, "factors": [EVIL], "effects": [[1.0]] * 3, "strongest": [0, 1, 2], "names": [EVIL] * 3,
        "shares": [[EVIL, 0.5]] * 3,
    })  # fmt: skip
    Image.new("RGB", (2, 2)).save(folder / "grid-<b>.png")
    text = written(folder)
    assert text.count("<script") == 1 and "<b>" not in text  # ours
    assert text.count("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;") >= 12


def test_images_and_films_are_in_it_in_the_order_of_their_captions(folder):
    kinds = {
        "video.mp4": b"video",
        "zebra.webp": b"webp",
        "align-2.png": b"align",
        "grid.png": b"grid",
        "walk.gif": b"gif",
    }
    for name, content in kinds.items():
        (folder / name).write_bytes(content)
    (folder / "figure.svg").write_text("<svg/>")
    text = written(folder)
    assert re.findall("<code>(.*?)</code>", text) == ["grid.png", "align-2.png", "video.mp4", "walk.gif", "zebra.webp"]
    embedded = re.findall(r'src="data:(.*?);base64,(.*?)"', text)
    assert all(re.findall(r'<img [^>]*alt="([^"]{9,})"', text)) and text.count("alt=") == 4
    assert [(kind, base64.b64decode(data)) for kind, data in embedded] == [
        ("image/png", b"grid"), ("image/png", b"align"), ("video/mp4", b"video"), ("image/gif", b"gif"),
        ("image/webp", b"webp"),
    ]  # fmt: skip
    assert text.count("<video") == 1 and text.count("<img") == 4 and "//" not in text.partition("<script>")[0]
    assert "What each direction does" in text and "A walk along each direction" in text


def test_the_last_preview_is_in_it(folder):
    (folder / "previews").mkdir()
    for number in (250, 1000, 500):
        (folder / "previews" / f"{number:06d}.png").write_bytes(f"{number}".encode())
    assert re.findall("<code>(.*?)</code>", written(folder)) == ["001000.png"]


def test_measures_are_told_with_arrows(folder):
    write_json(folder / "share.json", VALUE)
    write_json(folder / "fid.json", {"value": 3.0, "features": "inception-v3"})
    text = written(folder)
    assert text.index("<h2>Measured</h2>") < text.index("FID")
    assert cells(text)[:2] == [["FID (inception-v3) ↓", "3"], ["diagonal share ↑", "0.500 [0.250, 0.750]"]]


def test_a_ranking_is_told_if_it_is_of_these_directions(folder):
    directions = record(folder, names=(None, "zoom", None), ranges=(None, 2.5, None))
    report = {
        "directions_sha256": directions.sha256, "short_list": [1, 0],
        "signals": {"activeness": {"values": [0.5, 4.0, 0.1], "chance": 0.25}},
    }  # fmt: skip
    write_json(folder / "rank.json", report)
    text = written(folder)
    assert "<h2>Which directions matter</h2>" in text
    assert cells(text)[:4] == [
        ["direction", "activeness", "usable range"], ["95 % of random directions", "0.25", ""],
        ["direction 1 zoom", "4", "2.5"], ["direction 0", "0.5", ""],
    ]  # fmt: skip
    assert "Stands out: above 95 % of random directions in 1 of 1 signals" in text
    assert "changes the image a lot: yes" in text
    distortion = {"turn": 42.1, "random": 63.0}
    write_json(folder / "rank.json", {**report, "short_list": [], "distortion": distortion})
    text = written(folder)
    assert "No direction stands out" in text and "is turned by 42 degrees" in text and text.count("<article") == 3
    write_json(folder / "rank.json", {**report, "directions_sha256": "of others"})
    assert "Which directions matter" not in written(folder)


def test_known_factors_are_told(folder):
    write_json(folder / "factors.json", {
        "scores": {"disentanglement": VALUE}, "factors": ["x", "hue"], "effects": [[1.0, 0.0], [0.25, 2.0], [0.0, 0.0]],
        "strongest": [1, 0, 2], "names": ["x", "hue", None], "shares": [["x", 1.0], ["hue", 0.834], ["x", 0.1]],
    })  # fmt: skip
    text = written(folder)
    assert "What it changes: hue 83%" in text and '<rect width="12.5"' in text and '<rect width="100.0"' in text
    rows = cells(text)
    start = rows.index(["direction", "changes", "x", "hue"])
    assert rows[start : start + 4] == [
        ["direction", "changes", "x", "hue"], ["direction 1", "hue 83%", "0.25", "2.00"],
        ["direction 0", "x 100%", "1.00", "0.00"],
        ["direction 2", "mixed", "0.00", "0.00"],
    ]  # fmt: skip


def test_curves_are_drawn_of_a_log_of_two_steps_or_more(folder, monkeypatch):
    drawn = []
    monkeypatch.setattr(page, "curves", lambda *given, **named: drawn.append((given, named)))
    log = folder / "log.jsonl"
    log.write_text('{"step": 1, "loss": 2.0}\n')
    written(folder)
    assert drawn == []
    log.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "share_of": 8}\n{"step": 3, "loss": 1.0}\n')
    written(folder)
    ((path, across, values), named) = drawn.pop()
    assert (path, across, named["title"]) == (folder / "curves.png", "step", "3 random directions in planted")
    assert values["step"] == [1, 2, 3] and [str(each) for each in values["loss"]] == ["2.0", "nan", "1.0"]
    assert set(values) == {"step", "loss"}
    log.write_text('{"step": 1, "kimg": 4, "loss": 2.0}\n{"step": 2, "kimg": 8, "loss": 1.0}\n')
    written(folder)
    assert drawn[0][0][1] == "kimg" and set(drawn[0][0][2]) == {"kimg", "loss"}


def test_without_matplotlib_it_is_written_without_curves_and_that_is_noted(folder, monkeypatch):
    def missing(*_, **__):
        raise MissingExtra("a figure", "measure")

    monkeypatch.setattr(page, "curves", missing)
    (folder / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    notes: list[str] = []
    assert write_page(folder, strips=False, on_note=notes.append).is_file()
    assert notes[0].startswith("The curves are left out: a figure needs pip install")
    with pytest.warns(UserWarning, match="The curves are left out"):
        write_page(folder, strips=False)


def test_its_style_ships_with_the_package(folder):
    place, text = files("direction_finder.reports.pages"), written(folder)
    style, script = (place.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    assert "font" in style and f"<style>{style}</style>" in text and f"<script>{script}</script>" in text
    for content in (style, script):  # a browser runs and applies nothing else
        assert f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'" in text
    setup = ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    assert setup["options.package_data"]["direction_finder.reports.pages"] == "*.html, *.css, *.js"


def left_out(folder: Path) -> tuple[str, list[str]]:
    """The page, and the notes about what it leaves out, each one line."""
    notes: list[str] = []
    text = write_page(folder, strips=False, on_note=notes.append).read_text(encoding="utf-8")
    assert all("\n" not in note and "left out: " in note for note in notes)
    return text, notes


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}", "null", '{"value": "high"}', "[" * 99_999])
@pytest.mark.parametrize("name", [*METRICS, "rank"])
def test_a_damaged_report_is_left_out_and_that_is_noted(name, content, folder):
    write_json(folder / "share.json", VALUE)
    (folder / f"{name}.json").write_text(content)
    text, notes = left_out(folder)
    assert len(notes) == 1 and f"{name}.json: " in notes[0] and "or delete the file" in notes[0]
    assert HEADING in text and ("diagonal share" in text) == (name != "share")


@pytest.mark.parametrize("listed", [[99], [-1], [True], [1e300], [1, 1], "1", [[0]]])
def test_a_short_list_of_directions_that_do_not_exist_is_left_out(listed, folder):
    signals = {"activeness": {"values": [0.5, 4.0, 0.1], "chance": 0.25}}
    directions = record(folder)
    write_json(
        folder / "rank.json",
        {"directions_sha256": directions.sha256, "short_list": listed, "signals": signals},
    )
    text, notes = left_out(folder)
    assert "Which directions matter" not in text and len(notes) == 1 and "rank.json: " in notes[0]


def test_a_damaged_log_is_left_out(folder):
    (folder / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": [}\n{"step": 3, "loss": 1.0}\n')
    assert "The curves are left out" in left_out(folder)[1][0] and not (folder / "curves.png").exists()


@pytest.mark.parametrize("value", ["1e308", "-1e308", "NaN", "Infinity", "1", "123456789012345678901234567890"])
@pytest.mark.parametrize("name", ["loss", "$\\\\frac{$", "x_{$", "\u0000"])
def test_odd_numbers_and_names_in_a_log_are_drawn(name, value, folder):
    lines = [f'{{"step": {step}, {json.dumps(name)}: {number}}}' for step, number in enumerate((1.5, value, "-1e308"))]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        assert "curves.png" in written(folder)


def test_links_and_large_files_are_left_out(folder, tmp_path, monkeypatch):
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "grid.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.setattr(embedding, "LARGEST", 10)
    (folder / "video.mp4").write_bytes(b"v" * 11)
    text, notes = left_out(folder)
    assert base64.b64encode(b"secret").decode() not in text and "<figure>" not in text and len(notes) == 2


def test_names_that_are_no_text_are_replaced(folder):
    Image.new("RGB", (2, 2)).save(os.fsencode(folder) + b"/grid-\xff.png")
    assert "<code>grid-?.png</code>" in written(folder)
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"planted"', '"\\ud800"').replace("{}", '{"a": NaN}'))
    with pytest.raises(InputError, match=r"config.json: not JSON"):
        write_page(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": None}, "expected object, got null, at settings"),
        ({"generator": []}, "expected object, got array, at generator"),
        ({"model": "stylegan"}, "has no 'data'"),
        ({"class": 7}, "expected str | null, got int"),
    ],
)
def test_a_damaged_configuration_is_one_line(changes, words, folder):
    config(folder, **changes)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        write_page(folder)
    assert "\n" not in str(caught.value)


def test_a_run_of_an_unknown_model_is_one_line(folder):
    data = {"kind": "images", "folder": "a", "resolution": 16, "num": 8, "sha256": "0"}
    config(folder, model="stylegan", data=data)
    with pytest.raises(InputError, match="a run of model stylegan; expected biggan or progan"):
        write_page(folder)
