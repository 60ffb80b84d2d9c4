"""Activeness against images that are linear in z."""

import json

import torch
from PIL import Image
from torch import nn

from direction_finder import discovery
from direction_finder.directions import Directions
from direction_finder.generators import WrappedModule
from direction_finder.metrics.activeness import active, activeness, variances
from direction_finder.metrics.samples import Sampling
from tests.conftest import call


class Linear(nn.Module):
    """z (n, 3) -> each colour channel is one component, times a gain."""

    gains = (1.0, 0.5, 0.1)

    def forward(self, z):
        return (z * torch.tensor(self.gains)).view(-1, 3, 1, 1).expand(-1, 3, 4, 4)


def test_of_a_linear_image_it_is_the_squared_gain():
    generator = WrappedModule(Linear(), dim=3)
    axes = discovery.find(generator, "coordinates", score_samples=0)
    found = activeness(generator, axes, Sampling(max_batch=4), samples=7)
    # the variance of -2, 0, 2 is 4; one channel of three moves
    expected = 4 * torch.tensor(Linear.gains).square() / 3
    assert torch.allclose(found, expected[:, None].expand(3, 7), rtol=1e-4)
    assert active(found.mean(1)) == 2
    assert torch.equal(found, activeness(generator, axes, Sampling(max_batch=64), samples=7))


def test_the_variance_is_unbiased():
    images = torch.tensor([-2.0, 0, 2])[:, None, None, None, None] * torch.ones(3, 5, 3, 2, 2)
    assert torch.equal(variances(images), torch.full((5,), 4.0))


def test_coordinates_are_set_not_moved():
    class Square(nn.Module):
        def forward(self, z):
            return z.square().view(-1, 1, 1, 1).expand(-1, 3, 4, 4)

    generator = WrappedModule(Square(), dim=1)
    found = activeness(generator, discovery.find(generator, "coordinates", score_samples=0), samples=5)
    assert torch.allclose(found, torch.tensor([4.0, 0, 4]).var().expand(1, 5))  # whatever z was


def test_the_command_writes_it(run_folder):
    said = call("measure", run_folder, "--metric", "activeness", "--samples", 8).output
    found = json.loads((run_folder / "activeness.json").read_text())
    assert len(found["of"]) == len(Directions.load(run_folder / "directions.safetensors"))
    assert f"{found['active']} of {len(found['of'])} " in said
    assert found["samples"] == 8
    assert all(0 < each["low"] <= each["value"] <= each["high"] for each in found["of"])
    with Image.open(run_folder / "activeness.png") as figure:
        assert figure.size[0] > 200
