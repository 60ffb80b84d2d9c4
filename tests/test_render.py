import json

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from direction_finder.edits import align, move
from direction_finder.images import MADE_KEY
from direction_finder.rendering.drawing import SMALLEST, drawn
from direction_finder.runs.loading import Loaded, Loader
from tests.conftest import NUM_CLASSES, call

CELL = SMALLEST + 4


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def cell(sheet: np.ndarray, row_from_bottom: int, column_from_right: int) -> np.ndarray:
    """An image of a sheet without titles below it, counted from the bottom right corner."""
    bottom = len(sheet) - row_from_bottom * CELL - 4
    right = sheet.shape[1] - column_from_right * CELL - 4
    return sheet[bottom - SMALLEST : bottom, right - SMALLEST : right]


def expected(run_folder, edit, index, amount, sample, samples):
    target = Loaded.open(run_folder, Loader("cpu"))
    own = target.samples(samples, 0, None)
    latents, classes = own.latents, own.classes
    direction = target.directions[index]
    edited = edit(latents[sample : sample + 1], direction.vector, amount)
    return drawn(target.generator, edited, classes[:1], 32)[0]


@pytest.mark.parametrize(("flags", "edit"), [((), move), (("--absolute",), align)])
def test_a_grid_shows_each_sample_at_each_position(flags, edit, run_folder):
    result = call(
        "render", "grid", run_folder, "--directions", "1,3-4", "--samples", 2, "--steps", 5, "--extent", 2, *flags
    )
    assert result.exit_code == 0, result.stderr
    sheet = pixels(run_folder / "grid.png")
    assert result.stdout.strip() == str(run_folder / "grid.png")
    assert len(sheet) > 6 * CELL
    for row, sample in ((0, 1), (1, 0)):
        for column, amount in ((0, 2.0), (2, 0.0), (4, -2.0)):
            assert np.array_equal(cell(sheet, row, column), expected(run_folder, edit, 4, amount, sample, 2))


def test_a_grid_says_how_it_was_made(run_folder):
    call("render", "grid", run_folder, "--directions", "0", "--samples", 1)
    with Image.open(run_folder / "grid.png") as image:
        made = json.loads(image.text[MADE_KEY])
    assert made["directions"] == [0]
    assert made["class"] == "class 1"


def test_overview_and_pair(run_folder):
    assert call("render", "grid", run_folder, "--layout", "overview", "--samples", 3, "--extent", 2).exit_code == 0
    sheet = pixels(run_folder / "overview.png")
    assert np.array_equal(cell(sheet, 0, 0), expected(run_folder, move, 5, 2.0, 2, 3))
    assert np.array_equal(cell(sheet, 2, 6), expected(run_folder, move, 0, 0.0, 0, 3))

    command = ("render", "grid", run_folder, "--layout", "pair", "--samples", 1, "--steps", 3, "--extent", 2)
    assert call(*command, "--directions", "2,0").exit_code == 0
    sheet = pixels(run_folder / "pair.png")
    target = Loaded.open(run_folder, Loader("cpu"))
    own = target.samples(1, 0, None)
    both = move(move(own.latents, target.directions[0].vector, 2.0), target.directions[2].vector, -2.0)
    assert np.array_equal(cell(sheet, 0, 2), drawn(target.generator, both, own.classes, 32)[0])
    assert "two directions" in call(*command, "--directions", "1").stderr


def test_a_video_walks_there_and_back(run_folder):
    result = call(
        "render", "video", run_folder, "--directions", "0-4", "--rows", 2, "--samples", 2, "--seconds", 0.8, "--fps", 10
    )
    assert result.exit_code == 0, result.stderr
    video = iio.imread(run_folder / "video.mp4").astype(int)
    assert len(video) == 3 * 8  # three pages of at most two directions
    assert video.shape[1:3] == (2 * CELL, video.shape[2])
    first = video[0, 4:90, -90:-4]
    assert np.abs(video[4, 4:90, -90:-4] - first).mean() < 4  # half way round: back where it began
    assert np.abs(video[2, 4:90, -90:-4] - first).mean() > 6  # at one end: elsewhere
    assert video[:16].std() > 30
    assert (video[-1, CELL + 10 :] > 240).all()  # the last page has one direction and a white row


def test_directions_files_work_without_their_run(run_folder, dcgan_file, tmp_path):
    path = run_folder / "directions.safetensors"
    alone = call("render", "grid", path, "--samples", 1, "--directions", 0, "--out", tmp_path / "a.png")
    assert alone.exit_code == 2  # it names its generator, but not where it is
    assert "unknown generator" in alone.stderr or "no such file" in alone.stderr


def test_samples_are_the_same_however_many(run_folder):
    target = Loaded.open(run_folder, Loader("cpu"))
    few, many = target.samples(2, 7, None), target.samples(5, 7, None)
    assert few == many[:2] and few != target.samples(2, 8, None)


def test_another_class_can_be_drawn(run_folder):
    target = Loaded.open(run_folder, Loader("cpu"))
    assert target.samples(3, 0, "class 2").classes.tolist() == [2, 2, 2]
    assert target.samples(3, 0, None).classes.tolist() == [1, 1, 1]
    assert call("render", "grid", run_folder, "--class", NUM_CLASSES).exit_code == 2


def test_align_sets_every_sample_to_the_value(run_folder):
    result = call("align", run_folder, "--direction", 2, "--to", -1.5, "--to", 0, "--samples", 4)
    assert result.exit_code == 0, result.stderr
    sheet = pixels(run_folder / "align-2.png")
    for sample in range(4):
        column = 3 - sample
        assert np.array_equal(cell(sheet, 0, column), expected(run_folder, align, 2, 0.0, sample, 4))
        assert np.array_equal(cell(sheet, 1, column), expected(run_folder, align, 2, -1.5, sample, 4))


def test_an_edit_replays_exactly(run_folder, tmp_path):
    first = call("edit", run_folder, "--step", "align:2=0.5", "--step", "move:0=-2", "--samples", 3, "--seed", 9)
    assert first.exit_code == 0, first.stderr
    before = (run_folder / "edit.png").read_bytes()
    again = call("edit", run_folder, "--recipe", run_folder / "edit.json", "--out", tmp_path / "again.png")
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "again.png").read_bytes() == before
    assert (tmp_path / "again.json").read_bytes() == (run_folder / "edit.json").read_bytes()


def test_a_recipe_of_another_run_is_refused(run_folder, dcgan_file, tmp_path):
    call("edit", run_folder, "--step", "align:2=0.5")
    other = tmp_path / "other"
    call(
        "learn",
        "--generator",
        f"dcgan:{dcgan_file}",
        "--num-classes",
        NUM_CLASSES,
        "--method",
        "random",
        "--out",
        other,
    )
    result = call("edit", other, "--recipe", run_folder / "edit.json")
    assert result.exit_code == 2
    assert "made with other directions" in result.stderr
