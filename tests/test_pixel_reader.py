"""The reader of factors without a network: how accurate it is, and what it does with images that are no renders."""

import json

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.images import as_images
from direction_finder.metrics import pixel_reader
from direction_finder.metrics.factor_network import accuracy, read_all
from direction_finder.metrics.pixel_reader import CONSTANTS, FACTORS, PixelReader, calibrate
from direction_finder.scenes import make
from direction_finder.scenes.families import FAMILIES
from direction_finder.scenes.render import CAMERA
from tests.conftest import call

LEAST = {"x": 0.997, "y": 0.93, "size": 0.7, "hue": 0.999, "light": 0.99}  # R^2; 0.9994 0.9645 0.8226 0.9999 0.998


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    return make("shapes", tmp_path_factory.mktemp("renders") / "new", num=90, resolution=64, seed=31, workers=1)


@pytest.fixture(scope="module")
def images(renders):
    return as_images(torch.from_numpy(renders.images()))


def test_it_reads_renders(renders, images):
    found = accuracy(PixelReader(), renders)
    assert {name: value for name, value in found.items() if not LEAST[name] < value <= 1} == {}
    read = read_all(PixelReader(), images, batch=7)
    assert read["hue"].min() >= 0 and read["hue"].max() < 1 and read["light"].min() >= 0 and read["light"].max() < 1


def test_within_a_class_size_is_accurate_too(renders, images):
    read, truth, classes = (PixelReader().read(images)["size"], *(
        torch.from_numpy(renders.values[name]) for name in ("size", "class")
    ))  # fmt: skip
    for number in range(3):
        columns = torch.stack([read[classes == number].double(), truth[classes == number]])
        assert torch.corrcoef(columns)[0, 1] > 0.99, number


def test_its_constants_are_those_that_renders_give(renders, images):
    values = {name: torch.from_numpy(column) for name, column in renders.values.items()}
    found = calibrate(images, values)
    assert (found.x, found.size, found.slope) == pytest.approx((CONSTANTS.x, CONSTANTS.size, CONSTANTS.slope), abs=0.02)
    assert (found.y, found.y_of_size) == pytest.approx((CONSTANTS.y, CONSTANTS.y_of_size), abs=0.06)
    doubled = {**values, "x": 2 * values["x"], "size": 3 * values["size"]}
    changed = calibrate(images, doubled)
    assert changed.x == pytest.approx(2 * CONSTANTS.x, abs=0.06)
    assert changed.size == pytest.approx(3 * CONSTANTS.size, abs=0.09)


def test_its_scene_is_that_of_the_renders():
    assert tuple(CAMERA) == pixel_reader.CAMERA
    assert FAMILIES["shapes"].factors[1:] == FACTORS


def test_the_light_is_read_without_the_shadow(images):
    """A dark disc on the ground changes the slope of a fit to all pixels, but not what is read."""
    across, down = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="xy")
    shaded = images.clone()
    shaded[:, :, (across - 50) ** 2 + (down - 50) ** 2 < 40] -= 0.3
    turned = PixelReader().read(shaded)["light"] - PixelReader().read(images)["light"]
    off = ((turned + 0.5).remainder(1) - 0.5).abs()
    assert off.median() < 0.01


@pytest.mark.parametrize("image", [torch.zeros(3), torch.ones(3), -torch.ones(3), torch.tensor([1.0, -1, -1])])
def test_one_colour_gives_finite_factors(image):
    read = PixelReader().read(image[None, :, None, None].expand(2, 3, 64, 64))
    assert all(bool(torch.isfinite(values).all()) and values.shape == (2,) for values in read.values())


def test_values_outside_of_the_range_of_images_are_cut(images):
    loud, cut = (PixelReader().read(each) for each in (2 * images, (2 * images).clamp(-1, 1)))
    assert all(torch.equal(loud[name], cut[name]) for name in loud)


def test_the_command_measures_with_it(tmp_path):
    run = tmp_path / "run"
    assert call("learn", "--generator", "shapes-64", "--class", "cube", "--method", "coordinates", "--out", run,
                "--score-samples", 2).exit_code == 0  # fmt: skip
    reports = {}
    for reader in ("network", "pixels"):
        result = call("measure", run, "--metric", "factors", "--samples", 8, "--reader", reader)
        assert result.exit_code == 0, result.stderr
        reports[reader] = json.loads((run / "factors.json").read_text())
    assert reports["pixels"]["factor_network"] == PixelReader().about != reports["network"]["factor_network"]
    assert reports["pixels"]["factors"] == reports["network"]["factors"] == ["x", "y", "size", "hue", "light"]
    effects = torch.tensor([reports[reader]["effects"] for reader in reports]).flatten(1)
    assert 0.9 < torch.corrcoef(effects)[0, 1] < 1
    again = call("measure", run, "--metric", "factors", "--again")
    assert again.exit_code == 0 and json.loads((run / "factors.json").read_text()) == reports["pixels"]


def test_other_sizes_are_refused():
    with pytest.raises(InputError, match=r"images of 32 pixels: this pixel reader reads 64 pixels"):
        PixelReader().read(torch.zeros(1, 3, 32, 32))
