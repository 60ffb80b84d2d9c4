"""Rendered sets: determined by (seed, index), resumable, checked, with the right factors."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from direction_finder.datasets import Dataset, image_name
from direction_finder.errors import InputError
from direction_finder.scenes import DRAWN, KINDS, draw, edge_map, make, redrawn, render_image
from direction_finder.scenes.families import FAMILIES, Thing
from direction_finder.scenes.render import render
from direction_finder.scenes.sprites import draw_sprite
from tests.conftest import call

SIZE = 24


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "shapes"
    result = call("scenes", "shapes", "--num", 20, "--resolution", SIZE, "--seed", 3, "--workers", 1, "--out", folder)
    assert result.exit_code == 0, result.stderr
    return folder


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", DRAWN)
def test_factors_are_in_range_and_vary(kind):
    rows = [draw(kind, 0, index) for index in range(300)]
    assert rows[7] == draw(kind, 0, 7) != draw(kind, 1, 7)
    for factor in DRAWN[kind].factors:
        alike = [name for name in rows[0] if name.rstrip("12") == factor.name.rstrip("12")]  # of both objects
        values = [row[name] for row in rows for name in alike]
        if factor.choices:
            assert set(values) == set(factor.choices)
        else:
            low, high = min(values), max(values)
            width = factor.high - factor.low
            assert factor.low <= low < factor.low + 0.05 * width and factor.high - 0.05 * width < high <= factor.high


def test_sprites_are_where_and_what_their_factors_say(tmp_path):
    """Their centre moves with x and y, their area with the square of the scale, and the ellipse turns."""
    row = {"shape": "ellipse", "scale": 1.0, "orientation": 0.0, "x": 0.0, "y": 0.5}
    places = np.arange(64) + 0.5

    def drawn(**changes):
        image = draw_sprite({**row, **changes}, 64)[..., 0] / 255
        return image, np.array([image.sum(0) @ places, image.sum(1) @ places]) / image.sum()

    image, centre = drawn()
    assert centre == pytest.approx([16, 32], abs=0.1)
    assert drawn(x=1.0, y=0.0)[1] == pytest.approx([48, 16], abs=0.1)
    assert drawn(scale=0.5)[0].sum() == pytest.approx(image.sum() / 4, rel=0.02)
    turned = drawn(orientation=0.25)[0]
    assert (image.sum(0) > 0).sum() == pytest.approx(2 * (image.sum(1) > 0).sum(), abs=1)
    assert (turned.sum(0) > 0).sum() == (image.sum(1) > 0).sum()
    assert drawn(orientation=0.5)[0] == pytest.approx(image, abs=1e-9)  # an ellipse, but not a heart
    assert np.abs(drawn(shape="heart", orientation=0.5)[0] - drawn(shape="heart")[0]).max() == 1
    data = make("sprites", tmp_path / "sprites", num=3, resolution=16, workers=1)
    assert not redrawn(data, [0, 1, 2])


def test_two_objects_never_touch_and_are_numbered_from_the_left():
    things = FAMILIES["clevr-complex"].things
    for index in range(200):
        a, b = things(draw("clevr-complex", 0, index))
        assert np.hypot(a.x - b.x, a.y - b.y) > a.size + b.size
        assert a.x < b.x


@pytest.mark.parametrize(
    ("axis", "values"),
    [(1, (-1.0, 1.0)), (0, (1.0, -1.0))],  # x moves right across columns, y up across rows
)
def test_objects_are_drawn_where_the_factors_say(axis, values):
    centres = []
    for value in values:
        at = {"x": value, "y": 0.0} if axis else {"x": 0.0, "y": value * 0.8}
        image = render([Thing("sphere", **at, size=0.6, colour=(1, 0, 0))], resolution=48, seed=1).astype(int)
        red = image[:, :, 0] - image[:, :, 1] > 60
        assert 60 < red.sum() < 600
        centres.append(np.argwhere(red).mean(0)[axis])
    assert centres[1] - centres[0] > 9


def test_the_shadow_falls_away_from_the_light():
    ball = [Thing("sphere", 0.0, 0.0, 0.7, (1, 0, 0))]
    right, left = (render(ball, resolution=48, seed=1, light=light).astype(int).sum(2) for light in (0.0, 0.5))
    assert (right - left)[24:40, 4:14].mean() < -20  # light from the right darkens the ground at the left
    assert (right - left)[24:40, 36:44].mean() > 20


def test_a_image_depends_on_seed_and_index_alone(shapes, tmp_path):
    data = Dataset.open(shapes)
    assert redrawn(data, range(20)) == []
    assert not np.array_equal(render_image("shapes", 3, 4, SIZE), render_image("shapes", 4, 4, SIZE))
    longer = make("shapes", tmp_path / "longer", num=22, resolution=SIZE, seed=3, workers=1)
    assert np.array_equal(longer.images(range(20)), data.images())
    assert longer.values["hue"][:20].tolist() == data.values["hue"].tolist()


def test_interrupted_and_resumed_equals_uninterrupted(shapes, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(shapes, folder)
    for index in (2, 3, 11, 19):
        (folder / image_name(index)).unlink()
    (folder / "checksums.sha256").unlink()
    with pytest.raises(InputError, match="not finished"):
        Dataset.open(folder)

    class StopAtOnce:
        def __call__(self, progress):
            progress.stop()

    with pytest.raises(InputError, match="not finished"):
        make("shapes", folder, num=28, resolution=SIZE, seed=3, workers=1, progress=StopAtOnce())
    assert call("scenes", "shapes", "--num", 28, "--resolution", SIZE, "--seed", 3, "--out", folder).exit_code == 0
    whole = tmp_path / "whole"
    make("shapes", whole, num=28, resolution=SIZE, seed=3, workers=1)
    assert files(folder) == files(whole)


def test_verify(shapes, tmp_path):
    result = call("scenes", "verify", shapes, "--redraw", 3)
    assert result.exit_code == 0 and "20 images are undamaged; 3 rendered again are identical" in result.stdout
    damaged = tmp_path / "damaged"
    shutil.copytree(shapes, damaged)
    (damaged / image_name(5)).write_bytes((damaged / image_name(6)).read_bytes())
    result = call("scenes", "verify", damaged)
    assert result.exit_code == 2 and "images/000005.png" in result.stderr
    forged = tmp_path / "forged"
    shutil.copytree(shapes, forged)
    text = (forged / "dataset.json").read_text().replace('"seed": 3', '"seed": 4')
    (forged / "dataset.json").write_text(text)
    result = call("scenes", "verify", forged, "--redraw", 2)
    assert result.exit_code == 2 and "rendered differently" in result.stderr


def test_another_set_is_not_overwritten(shapes, tmp_path):
    before = files(shapes)
    for arguments, word in [
        (["shapes", "--seed", 4, "--num", 20], "seed 3, not 4"),
        (["clevr-1fov", "--seed", 3, "--num", 20], "kind"),
        (["shapes", "--seed", 3, "--num", 10], "20 images already"),
    ]:
        result = call("scenes", *arguments, "--resolution", SIZE, "--out", shapes)
        assert result.exit_code == 2 and word in result.stderr, result.stderr
    assert files(shapes) == before
    (tmp_path / "mine.txt").write_text("mine")
    assert call("scenes", "shapes", "--num", 1, "--out", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num": 0}, "`num` is 0: expected at least 1"),
        ({"num": 10**30}, "expected at most 1000000"),
        ({"num": float("nan")}, "`num` is nan: expected a whole number"),
        ({"num": True}, "`num` is True"),
        ({"resolution": 10**6}, "`resolution` is 1000000: expected at most 4096"),
        ({"seed": -1}, "`seed` is -1: expected at least 0"),
        ({"workers": 0}, "`workers` is 0: expected at least 1"),
        ({"workers": 2**31}, "expected at most 256"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(given, words, tmp_path):
    with pytest.raises(InputError) as refusal:
        make("shapes", tmp_path / "set", **{"num": 1, "workers": 1, **given})
    assert words in str(refusal.value) and not list(tmp_path.iterdir())


def test_a_set_needs_a_known_kind_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="kind 'spheres': expected one of clevr-simple"):
        make("spheres", tmp_path / "set", num=1)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file; give a folder"):
        make("shapes", tmp_path / "file", num=1, workers=1)
    result = call("scenes", "shapes", "--num", 1, "--out", tmp_path / "file")
    assert result.exit_code == 2 and "is a file" in result.stderr


def test_few_images_train_no_factor_network(shapes, tmp_path):
    result = call("train", "factors", shapes, shapes, "--out", tmp_path / "f.safetensors")
    assert result.exit_code == 2 and "20 images are fewer than a batch; give at least 100" in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())
    for words in (
        ("train", "factors", tmp_path, shapes, "--out", tmp_path / "f.safetensors"),
        ("scenes", "verify", tmp_path),
    ):
        assert "not a data set" in call(*words).stderr


def test_a_factor_network_does_not_train_if_its_file_is_something_else(shapes, tmp_path):
    (tmp_path / "f.npy").write_bytes(b"\x93NUMPY")
    result = call("train", "factors", shapes, shapes, "--out", tmp_path / "f.npy")
    assert result.exit_code == 2 and "exists and is a NumPy array, not factor network" in result.stderr


def test_the_table(shapes):
    with open(shapes / "factors.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(20))
    assert rows[4]["class"] == draw("shapes", 3, 4)["class"]
    data = Dataset.open(shapes)
    assert data.factor("light").circular and not data.factor("x").circular
    with pytest.raises(InputError, match="no factor 'z'"):
        data.factor("z")
    assert data.images([4]).shape == (1, SIZE, SIZE, 3)


def test_every_kind_is_rendered(tmp_path):
    for kind in KINDS:
        data = make(kind, tmp_path / kind, num=2, resolution=16, seed=0, workers=1)
        images = data.images()
        assert images.std() > 3 and not np.array_equal(*images), kind


def test_edges_and_shapes_are_half_and_half(tmp_path):
    data = make("edges-and-shapes", tmp_path / "set", num=6, resolution=32, seed=0, workers=1)
    assert data.values["domain"].tolist() == [0, 1, 0, 1, 0, 1]
    images = data.images().astype(int)
    for index, image in enumerate(images):
        colourless = np.ptp(image, axis=2).max() == 0
        assert colourless == (index % 2 == 0)
    assert np.median(images[0]) == 255 and images[0].min() < 30


def test_an_edge_map_draws_the_outline_alone():
    image = np.full((40, 40, 3), 90, np.uint8)
    image[10:30, 12:28] = (90, 200, 90)
    lines = edge_map(image)[:, :, 0]
    assert lines[10, 20] == 0 and lines[20, 12] == 0
    assert lines[20, 20] == 255 and lines[3, 3] == 255


def test_pairs_are_taken_apart(tmp_path):
    source = tmp_path / "train"
    source.mkdir()
    for number in range(3):
        pair = np.zeros((32, 64, 3), np.uint8)
        pair[:, :32], pair[:, 32:] = 255, 50 * number
        Image.fromarray(pair).save(source / f"{number}_AB.png")
    out = tmp_path / "out"
    result = call("scenes", "edges-and-shoes", "--from", source, "--resolution", 16, "--out", out)
    assert result.exit_code == 0, result.stderr
    data = Dataset.open(out)
    assert data.images().mean((1, 2, 3)).tolist() == [255, 0, 255, 50, 255, 100]
    assert data.values["domain"].tolist() == [0, 1, 0, 1, 0, 1]
    Image.fromarray(np.zeros((32, 60, 3), np.uint8)).save(source / "3_AB.png")
    result = call("scenes", "edges-and-shoes", "--from", source, "--resolution", 16, "--out", tmp_path / "no")
    assert result.exit_code == 2 and "two squares side by side" in result.stderr
    result = call("scenes", "edges-and-shoes", "--from", source, "--num", 9, "--out", tmp_path / "many")
    assert result.exit_code == 2 and "not 9" in result.stderr
