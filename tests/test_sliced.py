"""The sliced Wasserstein distance of patches."""

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.metrics.sliced import _pyramid, sliced_distances


def noise(seed: int, side: int = 32, n: int = 40) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_it_is_about_equal_for_equal_distributions_and_larger_for_others():
    smooth = torch.nn.functional.avg_pool2d(noise(2), 3, 1, 1)
    same, other = sliced_distances(noise(0), noise(1)), sliced_distances(noise(0), smooth)
    assert list(same) == [32, 16]
    assert other[32] > 1.5 * same[32]


def test_brightness_and_contrast_of_a_channel_do_not_count():
    scaled = noise(1) * torch.tensor([1.0, 3.0, 0.2])[:, None, None] + 5
    plain, changed = (sliced_distances(noise(0, 16), images)[16] for images in (noise(1, 16), scaled[..., :16, :16]))
    assert changed == pytest.approx(plain, rel=0.5)


def test_levels_add_up_to_the_image():
    images = noise(0)
    high, low = _pyramid(images)
    from direction_finder.metrics.sliced import _blurred

    again = high + _blurred(torch.nn.functional.interpolate(low, scale_factor=2.0))
    torch.testing.assert_close(again, images)


def test_sets_of_other_sizes_are_refused():
    with pytest.raises(InputError, match="two sets of one size, from 16 pixels"):
        sliced_distances(noise(0, 8), noise(1, 8))
    with pytest.raises(InputError, match="two sets"):
        sliced_distances(noise(0), noise(0, n=20))
