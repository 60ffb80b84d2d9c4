"""Which strips a page has: rendered by the run's generator, saved ones, or none; and the cards that hold them."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from direction_finder.curves import Curve
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, STRIPS, write_json
from direction_finder.reports import write_page
from direction_finder.reports.pages import run_strips
from direction_finder.reports.pages.run_strips import chosen, strip_of_training
from direction_finder.reports.pages.strip_file import read_strips
from tests.conftest import call

NAMES = ("<script>alert('x')</script>", 'a "quoted" name', "كلب أحمر", "x" * 200)


def written(folder: Path, **options) -> tuple[str, list[str]]:
    notes: list[str] = []
    path = write_page(folder, samples=2, on_note=notes.append, **options)
    return path.read_text(encoding="utf-8"), notes


def cards(text: str) -> list[str]:
    return re.findall(r'<article class="card".*?</article>', text, re.DOTALL)


def sheets(text: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall('src="data:image/webp;base64,(.*?)"', text)]


def test_each_direction_has_a_strip_that_is_a_slider(run_folder):
    text, notes = written(run_folder, directions="2,0")
    assert notes == [] and len(cards(text)) == 2 and "There are no images" not in text
    saved, _ = read_strips(run_folder / STRIPS)
    assert sheets(text) == [saved[2].sheet, saved[0].sheet] and saved[0].samples == 2
    first = cards(text)[0]
    for words in ('role="slider"', 'tabindex="0"', 'aria-label="direction 2"', 'aria-valuemin="-3.0"',
                  'aria-valuemax="3.0"', 'aria-valuenow="0.0"', 'data-number="2"', 'data-samples="2"'):  # fmt: skip
        assert words in first
    assert re.search(r'alt="2 samples of dcgan:\S+, one below the other, in 31 steps along direction 2 from -3', first)


def test_strips_are_rendered_again_only_if_what_they_depend_on_changed(run_folder, monkeypatch):
    rendered = []
    real = run_strips.render_strips
    monkeypatch.setattr(run_strips, "render_strips", lambda *a, **b: rendered.append(1) or real(*a, **b))
    before = written(run_folder)
    assert written(run_folder) == before and len(rendered) == 1
    for options in ({"seed": 1}, {"quality": 20}, {"class_name": "2"}, {"directions": "3"}):
        rendered.clear()
        assert written(run_folder, **options) != before and len(rendered) == 1
    rendered.clear()
    directions = Directions.load(run_folder)
    ranged = Directions(**{**vars(directions), "ranges": (2.0,) + (None,) * (len(directions) - 1)})
    ranged.save(run_folder / "directions.safetensors")
    text, _ = written(run_folder)
    assert len(rendered) == 1 and 'aria-valuemax="3.0"' in text and "Usable range ±2" in text
    written(run_folder, strips=False, seed=7)
    assert len(rendered) == 1


@pytest.fixture
def curved_run(run_folder) -> Path:
    """A run whose direction 1 has a curve."""
    plain = Directions.load(run_folder)
    curve = Curve(plain.vectors[1], torch.tensor([0.5]), plain.vectors[:1])
    curves = (None, curve, *[None] * (len(plain) - 2))
    about = {"points": 8, "seed": 0, "at": ["image"], "epsilon": 0.1}
    replace(plain, curves=curves, curvature=about).save(run_folder / "directions.safetensors")
    return run_folder


def test_a_curved_direction_has_a_straight_strip_too(curved_run, monkeypatch):
    text, notes = written(curved_run, directions="0,1")
    saved, made = read_strips(curved_run / STRIPS)
    assert notes == [] and made["also_straight"] == [1] and saved[0].straight is None
    straight = saved[1].straight
    assert straight and straight.positions == saved[1].positions and straight.sheet != saved[1].sheet
    assert sheets(text) == [saved[0].sheet, saved[1].sheet, straight.sheet]
    assert text.count('role="switch"') == 1 and 'aria-label="Straight line, direction 1"' in text
    assert "to +3, from left to right, along its curve" in text and "left to right, along a straight line" in text
    assert written(curved_run, directions="0,1") == (text, notes)
    rooms = []
    real = run_strips.render_strips
    monkeypatch.setattr(run_strips, "render_strips", lambda *a, **b: rooms.append(b["room"]) or real(*a, **b))
    written(curved_run, directions="1,2,3")
    directions = Directions.load(curved_run).straight
    directions.save(curved_run / "directions.safetensors")
    text, _ = written(curved_run, directions="1,2,3")
    assert sheets(text)[0] == straight.sheet and 'role="switch"' not in text
    assert rooms[0] == pytest.approx(rooms[1] * 3 / 4)  # four sheets have the room of three


def test_straight_strips_that_do_not_fit_are_refused(curved_run):
    written(curved_run, directions="0,1")
    path = curved_run / STRIPS
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        record = json.loads(file.metadata()[METADATA_KEY])
    (straight,) = record["straight"]
    for change in ({"direction": 2}, {"direction": 0}, {"positions": straight["positions"][::-1]}, {"size": [1, 1]}):
        record["straight"] = [straight | change]
        save_file(tensors, path, metadata={METADATA_KEY: json.dumps(record)})
        with pytest.raises(InputError, match=r"direction . do not fit|has no strip of direction . straight|damaged"):
            read_strips(path)


def test_without_a_generator_the_saved_strips_are_shown(run_folder, tmp_path, dcgan_file):
    text, _ = written(run_folder, directions="0,1")
    config = json.loads((run_folder / "config.json").read_text())
    config["generator"]["spec"] = f"dcgan:{tmp_path / 'gone.pth'}"
    write_json(run_folder / "config.json", config)
    again, notes = written(run_folder, directions="0,1", seed=5)
    assert sheets(again) == sheets(text) and len(notes) == 1
    assert notes[0].startswith("New strips are left out: ") and "gone.pth" in notes[0]
    (run_folder / STRIPS).unlink()
    without, notes = written(run_folder)
    assert sheets(without) == [] and "There are no images" in without and len(cards(without)) == 6
    assert "gone.pth" in notes[0] and "\n" not in notes[0]


def test_strips_of_other_directions_or_damaged_ones_are_not_shown(run_folder):
    written(run_folder)
    (run_folder / STRIPS).write_bytes((run_folder / STRIPS).read_bytes()[:-9])
    text, notes = written(run_folder, strips=False)
    assert (
        sheets(text) == [] and notes[0].startswith("Saved strips are left out: ") and "strips.safetensors" in notes[0]
    )
    text, notes = written(run_folder)  # renders them again
    assert len(sheets(text)) == 6 and len(notes) == 1
    turned = Directions.load(run_folder).vectors.flip(0)
    Directions(turned, "random").save(run_folder / "directions.safetensors")
    assert sheets(written(run_folder, strips=False)[0]) == []


def test_a_link_out_of_the_run_folder_is_not_followed(run_folder, tmp_path):
    written(run_folder)
    for name in (STRIPS, "factors.json", "rank.json", "log.jsonl"):
        outside = tmp_path / name
        outside.write_bytes((run_folder / name).read_bytes() if (run_folder / name).exists() else b"{}")
        (run_folder / name).unlink(missing_ok=True)
        (run_folder / name).symlink_to(outside)
    text, notes = written(run_folder, strips=False)
    assert sheets(text) == [] and len([note for note in notes if "a link to a file outside" in note]) == 4


def test_odd_names_are_shown_and_stay_text(run_folder):
    directions = Directions.load(run_folder)
    Directions(**{**vars(directions), "names": (*NAMES, None, None)}).save(run_folder / "directions.safetensors")
    text, notes = written(run_folder)
    assert notes == [] and text.count("<script") == 1 and "<script>alert" not in text
    assert 'data-name="a &#34;quoted&#34; name"' in text and '<bdi title="كلب أحمر">كلب أحمر</bdi>' in text
    assert f'aria-label="direction {NAMES[3]}"' in text


def test_the_short_list_is_shown_or_the_best_eight():
    many = Directions(torch.eye(20), "random")
    report = {"directions_sha256": "", "short_list": [5, 3], "order": [5, 3, *range(3), 4, *range(6, 20)]}
    assert chosen(many, report, None) == [5, 3]
    assert chosen(many, {**report, "short_list": []}, None) == [5, 3, 0, 1, 2, 4, 6, 7]
    assert chosen(many, None, None) == list(range(8))
    assert chosen(many, report, "1,1,0") == [1, 0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("class_name", "nobody"),
        ("generator", "dcgan:gone.pth"),
        ("quality", 0),
        ("quality", 101),
        ("quality", 1.5),
        ("directions", "99"),
    ],
)
def test_impossible_options_are_one_line(option, value, run_folder):
    with pytest.raises(InputError):
        write_page(run_folder, **{option: value})


def test_the_command_has_the_same_options(run_folder):
    options = ("--directions", "1,2", "--samples", 1, "--quality", 30, "--seed", 4)
    assert call("page", run_folder, *options).exit_code == 0
    page = (run_folder / "index.html").read_bytes()
    (run_folder / STRIPS).unlink()
    write_page(run_folder, directions="1,2", samples=1, quality=30, seed=4)
    assert (run_folder / "index.html").read_bytes() == page


def test_previews_of_a_training_are_a_strip_over_its_steps(tmp_path):
    from PIL import Image

    (tmp_path / "previews").mkdir()
    for step in range(100, 4100, 100):
        Image.new("RGB", (20, 10), (step // 20, 0, 0)).save(tmp_path / "previews" / f"{step:06d}.png")
    (tmp_path / "previews" / "000200.png").write_bytes(b"damaged")
    strip = strip_of_training(tmp_path)
    assert strip and strip.samples == 1 and strip.size == (20, 10)
    assert strip.positions[0] == 100 and strip.positions[-1] == 4000 and len(strip.positions) <= 16
    for path in sorted((tmp_path / "previews").glob("*.png"))[:-1]:
        path.unlink()
    assert strip_of_training(tmp_path) is None
