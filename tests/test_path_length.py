"""Path lengths against maps whose lengths are known."""

import pytest
import torch
from torch import nn

from direction_finder import discovery
from direction_finder.generators import WrappedModule
from direction_finder.metrics.features import lite0_similarity
from direction_finder.metrics.path_length import lengths_along, path_lengths, slerp, trimmed_mean
from direction_finder.metrics.samples import Sampling
from direction_finder.randomness import stream

DIM = 6


class Linear(nn.Module):
    """z (n, 6) -> 2x2 pixels: a fixed matrix."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(12, DIM, generator=torch.Generator().manual_seed(0)))

    def forward(self, z):
        return (z @ self.matrix.mT).view(-1, 3, 2, 2)


@pytest.fixture
def linear():
    return WrappedModule(Linear(), dim=DIM)


def squared(a, b):
    return (a.double() - b.double()).square().flatten(1).sum(1)


def test_along_a_direction_of_a_linear_map_it_is_the_squared_gain(linear):
    axes = discovery.find(linear, "coordinates", score_samples=0)
    for index in (0, 3):
        found = lengths_along(linear, squared, axes[index], Sampling(max_batch=4), samples=9)
        expected = linear.module.matrix[:, index].double().square().sum()
        assert torch.allclose(found, expected.expand(9), rtol=0.02)  # float32 images


def test_of_paths_through_a_linear_map(linear):
    """|d G(slerp) / dt|^2 by automatic differentiation."""
    found = path_lengths(linear, squared, Sampling(max_batch=6), samples=40)
    again = path_lengths(linear, squared, Sampling(max_batch=64), samples=40)
    assert torch.allclose(found, again, rtol=2e-3)  # whatever the batch
    assert not torch.equal(found, path_lengths(linear, squared, Sampling(seed=1), samples=40))
    assert not torch.allclose(found, path_lengths(linear, squared, samples=40, at="full"), rtol=0.1)
    starts = Sampling().draw(linear, 40)[0][:, 0].double()
    ends = linear.sample(40, stream(0, "ends of paths")).double()
    t = torch.zeros(40, 1, dtype=torch.double)
    _, slope = torch.autograd.functional.jvp(lambda t: slerp(starts, ends, t, False), t, torch.ones_like(t))
    expected = (slope @ linear.module.matrix.double().mT).square().sum(1)
    assert torch.allclose(found, expected, rtol=0.03)


def test_slerp(rng):
    a, b = torch.randn(2, 5, 8, dtype=torch.double, generator=rng)
    t = torch.full((5, 1), 0.3, dtype=torch.double)
    halfway = slerp(a, b, t, unit=False)
    assert torch.allclose(halfway.norm(dim=1), 0.7 * a.norm(dim=1) + 0.3 * b.norm(dim=1))

    def angle(x, y):
        return torch.cosine_similarity(x, y).acos()

    assert torch.allclose(angle(a, halfway), 0.3 * angle(a, b))
    assert torch.allclose(angle(halfway, b), 0.7 * angle(a, b))
    assert torch.allclose(slerp(a, b, 0 * t, unit=False), a) and torch.allclose(slerp(a, b, 0 * t + 1, unit=False), b)
    assert torch.allclose(slerp(a, b, t, unit=True), halfway / halfway.norm(dim=1, keepdim=True))


def test_extreme_lengths_are_left_out():
    lengths = torch.ones(1000)
    lengths[0], lengths[1] = 1e9, -1e9
    assert trimmed_mean(lengths).value == 1.0


def test_the_offline_similarity_is_smooth_and_zero_for_equal_images(rng):
    similarity = lite0_similarity()
    images = torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1
    step = torch.randn(2, 3, 32, 32, generator=rng)
    assert torch.equal(similarity(images, images), torch.zeros(2, dtype=torch.double))
    small, smaller = (similarity(images, images + e * step) / e**2 for e in (1e-3, 1e-3 / 2))
    assert torch.allclose(small, smaller, rtol=0.05)
    assert (similarity(images, images.flip(0)) > 0.01).all()
