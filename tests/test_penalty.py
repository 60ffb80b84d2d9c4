from itertools import product

import pytest
import torch
from torch import nn

from direction_finder.errors import InputError
from direction_finder.penalty import check_deterministic, hessian_penalty
from direction_finder.randomness import rademacher


def all_signs(n: int) -> torch.Tensor:
    return torch.tensor(list(product([-1.0, 1.0], repeat=n)), dtype=torch.float64)


def off_diagonal(hessian: torch.Tensor) -> torch.Tensor:
    return (hessian**2).sum() - (hessian.diagonal() ** 2).sum()


def test_variance_over_all_probes_is_twice_the_off_diagonal_energy(rng):
    """Theorem 1, exactly: a quadratic form has no finite-difference error, all 2^8 probes leave no sampling error."""
    hessian = torch.randn(8, 8, dtype=torch.float64, generator=rng)
    hessian = hessian + hessian.mT
    z = torch.randn(1, 8, dtype=torch.float64, generator=rng)

    penalty = hessian_penalty(
        lambda x: torch.einsum("bi,ij,bj->b", x, hessian, x) / 2,
        z,
        probes=all_signs(8).unsqueeze(1),
        epsilon=1.0,
        unbiased=False,
    )
    assert penalty.shape == (1,)
    assert abs(float(penalty) / float(2 * off_diagonal(hessian)) - 1) < 1e-12


def test_the_authors_own_example(rng):
    """G = [z0 z1, z0^2 z1] has penalties 4 and 16 z0^2."""
    z = torch.randn(5, 2, dtype=torch.float64, generator=rng)
    probes = all_signs(2).unsqueeze(1).expand(-1, 5, -1)
    penalty = hessian_penalty(
        lambda x: torch.stack([x[:, 0] * x[:, 1], x[:, 0] ** 2 * x[:, 1]], 1), z, probes=probes, unbiased=False
    )
    expected = torch.stack([torch.full((5,), 4.0, dtype=torch.float64), 16 * z[:, 0] ** 2], 1)
    assert torch.allclose(penalty, expected, rtol=0, atol=1e-10)


def test_linear_and_separable_functions_have_none(rng):
    weight = torch.randn(6, 4, dtype=torch.float64, generator=rng)
    z = torch.randn(3, 6, dtype=torch.float64, generator=rng)
    linear = hessian_penalty(lambda x: x @ weight, z, rng=rng)
    separable = hessian_penalty(lambda x: (x.sin() + x**3) @ weight, z, rng=rng)
    assert linear.shape == separable.shape == (3, 4)
    assert linear.abs().max() < 1e-20
    assert separable.abs().max() < 1e-20


def test_two_probes_estimate_without_bias_and_the_biased_form_is_half(rng):
    z = torch.zeros(20_000, 3, dtype=torch.float64)

    def f(x):
        return x[:, 0] * x[:, 1] + 2 * x[:, 1] * x[:, 2]

    unbiased = hessian_penalty(f, z, rng=torch.Generator().manual_seed(1)).mean()
    biased = hessian_penalty(f, z, rng=torch.Generator().manual_seed(1), unbiased=False).mean()
    assert abs(unbiased / (4 * (1 + 4)) - 1) < 0.03
    assert torch.isclose(biased, unbiased / 2)


def test_error_falls_as_the_square_of_epsilon(rng):
    hessian = torch.autograd.functional.hessian(lambda x: x.sin().prod(), torch.full((3,), 0.7, dtype=torch.float64))
    z = torch.full((1, 3), 0.7, dtype=torch.float64)
    errors = [
        abs(
            float(
                hessian_penalty(
                    lambda x: x.sin().prod(1),
                    z,
                    probes=all_signs(3).unsqueeze(1),
                    epsilon=epsilon,
                    unbiased=False,
                )
            )
            / float(2 * off_diagonal(hessian))
            - 1
        )
        for epsilon in (0.1, 0.05)
    ]
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_float32_gradients_equal_float64(rng):
    """At the paper's epsilon 0.1, although the differences divide by 1e-4."""
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh()).double()
    z = torch.randn(4, 8, dtype=torch.float64, generator=rng)
    probes = rademacher((2, 4, 8), rng)

    def gradient(dtype):
        net.to(dtype)
        x = z.clone().to(dtype).requires_grad_(True)
        hessian_penalty(net, x, probes=probes).mean().backward()
        return x.grad.double()

    exact = gradient(torch.float64)
    assert (gradient(torch.float32) - exact).norm() / exact.norm() < 1e-4


def test_several_outputs_and_context(rng):
    z, scale = torch.randn(3, 2, generator=rng), torch.tensor([1.0, 2.0, 3.0])
    seen = []

    def f(x, s):
        seen.append((x.shape, s.shape))
        return [s[:, None] * x[:, :1] * x[:, 1:], x]

    first, second = hessian_penalty(f, z, probes=torch.tensor([[[1.0, 1.0]] * 3, [[1.0, -1.0]] * 3]), context=(scale,))
    assert seen == [((12, 2), (12,))]
    # v^T H v is +-2 s, so the unbiased variance of the two is (4 s)^2 / 2
    assert torch.allclose(first.squeeze(1), 8 * scale**2, rtol=1e-4)
    assert second.shape == (3, 2)


def test_the_centre_is_not_evaluated(rng):
    rows = []
    hessian_penalty(lambda x: rows.append(len(x)) or x.prod(1), torch.ones(5, 3), rng=rng, num_probes=3)
    assert rows == [2 * 3 * 5]


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "rng"), ({"num_probes": 1}, "probe"), ({"epsilon": 0.0}, "epsilon"), ({"probes": torch.ones(2, 4)}, "shape")],
)
def test_bad_arguments_are_named(options, words, rng):
    if options:
        options.setdefault("rng", rng)
    with pytest.raises(InputError, match=words):
        hessian_penalty(lambda x: x, torch.ones(1, 3), **options)


def test_random_and_broken_functions_are_refused():
    x = torch.ones(4, 10)
    with pytest.raises(InputError, match="not deterministic"):
        check_deterministic(nn.Dropout(0.5).train(), x)
    with pytest.raises(InputError, match="NaN"):
        check_deterministic(lambda x: x / 0, x)
    check_deterministic(lambda x: [x.sin(), x], x)
