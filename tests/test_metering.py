"""What a search costs, counted."""

import pytest
import torch

from direction_finder.discovery.metering import metered
from tests.planted import planted


@pytest.fixture
def generator():
    return planted(4)


def test_images_are_counted_and_those_with_gradients(generator):
    latents = torch.randn(3, 1, 4)
    with metered(generator) as meter:
        generator(latents)
        assert (meter.images, meter.gradients) == (3, 0)
        generator(latents[:2].requires_grad_(True))
        generator.activations(latents[:1], None, ["image"])
        assert (meter.images, meter.gradients) == (6, 2)
        with torch.no_grad():
            generator(latents.requires_grad_(True))
    assert (meter.images, meter.gradients) == (9, 2)


def test_what_comes_out_is_the_same(generator):
    latents = torch.randn(3, 1, 4)
    expected = generator(latents)
    with metered(generator):
        assert torch.equal(generator(latents), expected)


def test_nothing_is_counted_afterwards_also_if_the_search_failed(generator):
    with pytest.raises(KeyError), metered(generator) as meter:
        raise KeyError
    generator(torch.randn(3, 1, 4))
    assert meter.images == 0 and "run" not in vars(generator)


def test_a_search_inside_of_another_counts_for_both(generator):
    latents = torch.randn(3, 1, 4)
    with metered(generator) as outer:
        generator(latents)
        with metered(generator) as inner:
            generator(latents)
        generator(latents)
    assert (outer.images, inner.images) == (9, 3) and "run" not in vars(generator)
