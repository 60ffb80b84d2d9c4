"""D% and D_R against functions whose Hessians are known, and against a direct computation of the published form."""

import itertools

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.metrics.diagonality import diagonality, hessian_at, pixel_hessians
from direction_finder.randomness import normal, stream
from tests.test_progan import golden, write


def quadratics(hessians: torch.Tensor):
    """z -> (z^T H_p z / 2 for each p)."""
    return lambda rows, numbers=None: torch.einsum("ni,pij,nj->np", rows, hessians, rows) / 2


def test_known_hessians(rng):
    hessians = torch.tensor([[[3.0, 1], [1, -2]], [[1.0, 4], [4, 0.5]], [[0.0, 0], [0, 0]]], dtype=torch.double)
    x = torch.randn(2, dtype=torch.double, generator=rng)
    of = pixel_hessians(quadratics(hessians), x)
    assert torch.allclose(of.top_diagonal, torch.tensor([3.0, 1, 0], dtype=torch.double), atol=1e-9)
    assert torch.allclose(of.top_off, torch.tensor([1.0, 4, 0], dtype=torch.double), atol=1e-9)
    assert torch.allclose(of.mean_diagonal, torch.tensor([2.5, 0.75, 0], dtype=torch.double), atol=1e-9)
    assert torch.allclose(of.penalty, torch.tensor([4.0, 64, 0], dtype=torch.double), atol=1e-9)  # 2 (H_01^2 + H_10^2)
    assert torch.allclose(of.interactions, hessians.abs().mean(0).float())
    for pixel in range(3):
        assert torch.allclose(hessian_at(quadratics(hessians), x, pixel), hessians[pixel].abs().float())
    points = torch.randn(5, 2, dtype=torch.double, generator=rng)
    found = diagonality(quadratics(hessians), points)
    assert found.percent_bending.value == pytest.approx(1 / 2)  # the flat pixel does not count
    assert found.ratio_of_sums.value == pytest.approx(3.25 / 5)
    assert found.percent.value >= 1 / 3  # and in the published form it may


def test_a_linear_map_has_no_off_diagonal_and_one_dimension_no_score(rng):
    points = torch.randn(4, 3, dtype=torch.double, generator=rng)
    separable = diagonality(lambda rows, _: (rows**3).cumsum(1), points)
    assert separable.percent.value == 1.0 and separable.ratio.value > 1e4 and separable.ratio_of_sums.value > 1e8
    with pytest.raises(InputError, match="1 dimension"):
        diagonality(lambda rows, _: rows, points[:, :1])


@torch.no_grad()
def test_the_published_form_computed_directly(tmp_path):
    """All Hessians of all pixels in memory, in double precision, then the definition word for word."""
    state, _, _ = golden("progan-genforce-fused")
    generator = load_generator(write(tmp_path / "g.safetensors", state), fused_scale=True).double()
    points = normal(3, 5, stream(0, "test")).double()

    def f(rows, numbers=None):
        return generator(torch.cat([rows, rows.new_ones(len(rows), 11)], 1)[:, None])

    hits, ratios = [], []
    for x in points:
        h = torch.zeros(3 * 16 * 16, 5, 5, dtype=torch.double)
        for i, j in itertools.product(range(5), repeat=2):
            e = 0.1 * torch.eye(5, dtype=torch.double)
            corner = [f((x + a * e[i] + b * e[j])[None]).flatten() for a in (1, -1) for b in (1, -1)]
            h[:, i, j] = (corner[0] - corner[1] - corner[2] + corner[3]) / (4 * 0.1**2)
        h = h.abs()
        place = h.flatten(1).argmax(1)
        hits.append((place // 5 == place % 5).double().mean())
        on = h.diagonal(dim1=1, dim2=2)
        ratios.append((on.mean(1) / ((h.sum((1, 2)) - on.sum(1)) / 20 + 1e-8)).mean())
    for max_batch in (4, 32):
        found = diagonality(f, points, max_batch=max_batch)
        assert found.percent.value == pytest.approx(torch.stack(hits).mean().item(), abs=1e-6)
        assert found.ratio.value == pytest.approx(torch.stack(ratios).mean().item(), abs=1e-6)
        assert 0 < found.percent.value < 1
        assert found.percent.low <= found.percent.value <= found.percent.high
