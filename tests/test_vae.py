"""The regularisers of Kumar and Poole, against what they stand for."""

import math

import numpy as np
import pytest
import torch

from direction_finder.cayley_adam import CayleyAdam
from direction_finder.training import vae
from direction_finder.training.vae import full, grams, mean_field, trace

DIM, PIXELS = 3, 8


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


WEIGHTS = normal(DIM, PIXELS, seed=1)


def linear(z: torch.Tensor) -> torch.Tensor:
    return z @ WEIGHTS


def smooth(z: torch.Tensor) -> torch.Tensor:
    return (z @ WEIGHTS).sin()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def many(z: torch.Tensor) -> torch.Tensor:
    """One latent many times, for a mean over random choices."""
    return z.repeat(40_000, 1)


def test_grams_are_those_of_the_jacobian():
    z = normal(5, DIM)
    jacobians = torch.stack([torch.func.jacrev(lambda row: smooth(row[None])[0])(row) for row in z])
    torch.testing.assert_close(grams(smooth, z), jacobians.mT @ jacobians)


def test_an_expected_likelihood_is_that_of_second_order_up_to_the_fourth_power_of_the_noise():
    """By Gauss-Hermite quadrature: the residual falls with the square of the noise, relative to what noise adds."""
    points, weights = np.polynomial.hermite_e.hermegauss(9)
    grid = torch.cartesian_prod(*[torch.from_numpy(points)] * DIM)
    weight = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum())] * DIM).prod(1)
    mean, image = normal(1, DIM) / 2, normal(1, PIXELS, seed=3)
    likelihood = lambda z: -(smooth(z) - image).square().sum(-1) / 2  # noqa: E731
    hessian = torch.func.hessian(lambda row: likelihood(row[None])[0])(mean[0])
    residuals = []
    for scale in (0.1, 0.05):
        added = (weight * likelihood(mean + scale * grid)).sum() - likelihood(mean)[0]
        second = scale**2 * hessian.trace() / 2
        residuals.append(((added - second) / second).item())
    assert residuals[0] / residuals[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_the_best_posterior_gives_the_full_and_the_mean_field_regulariser(beta):
    z = normal(1, DIM)
    gram = grams(smooth, z)[0]

    def objective(covariance: torch.Tensor) -> float:
        divergence = (covariance.trace() - torch.logdet(covariance) - DIM) / 2
        return float(-(gram @ covariance).trace() / 2 - beta * divergence)

    best = torch.linalg.inv(torch.eye(DIM).double() + gram / beta)
    prior = beta / 2 * float(z.square().sum())
    assert objective(best) == pytest.approx(prior - float(full(smooth, z, beta, rng())), abs=1e-9)
    diagonal = (1 / (1 + gram.diagonal() / beta)).diag()
    field = beta / 2 * float((gram.diagonal() / beta).log1p().sum())
    assert objective(diagonal) == pytest.approx(-field, abs=1e-9)
    for seed in range(200):
        turn = torch.linalg.matrix_exp(0.1 * normal(DIM, DIM, seed=seed + 10))
        assert objective(turn @ best @ turn.mT) < objective(best)
        stretch = (0.1 * normal(DIM, seed=seed)).exp()
        assert objective(stretch * diagonal) < objective(diagonal)


def test_for_a_linear_decoder_the_full_objective_is_the_likelihood_of_probabilistic_pca():
    image, offset = normal(1, PIXELS, seed=3), normal(PIXELS, seed=4)
    covariance = torch.eye(PIXELS).double() + WEIGHTS.mT @ WEIGHTS
    likelihood = torch.distributions.MultivariateNormal(offset, covariance).log_prob(image)
    inverse = torch.linalg.inv(torch.eye(DIM).double() + WEIGHTS @ WEIGHTS.mT)
    mean = (image - offset) @ WEIGHTS.mT @ inverse
    misfit = (linear(mean) + offset - image).square().sum() / 2 + PIXELS / 2 * math.log(2 * math.pi)
    assert float(-misfit - full(linear, mean, 1.0, rng())) == pytest.approx(float(likelihood), abs=1e-10)


def test_estimates_are_unbiased():
    z, beta = normal(1, DIM), 0.7
    gram, norm = grams(smooth, z)[0], float(z.square().sum())
    field = beta / 2 * (norm + float((gram.diagonal() / beta).log1p().sum()))
    assert float(mean_field(smooth, many(z), beta, rng())) == pytest.approx(field, rel=5e-3)
    small = beta / 2 * norm + float(gram.trace()) / 2
    assert float(trace(smooth, many(z), beta, rng())) == pytest.approx(small, rel=5e-3)


def test_the_mean_field_regulariser_is_larger_unless_columns_are_orthogonal():
    z = normal(1, DIM)
    turn = torch.linalg.eigh(WEIGHTS @ WEIGHTS.mT).eigenvectors.mT
    gap = lambda decoder: float(mean_field(decoder, many(z), 1.0, rng()) - full(decoder, z, 1.0, rng()))  # noqa: E731
    assert gap(linear) > 0.05
    assert gap(lambda x: x @ turn @ WEIGHTS) == pytest.approx(0, abs=0.02)  # its estimate is random


def test_a_small_jacobian_leaves_half_its_squared_norm_whatever_beta():
    z, small = normal(1, DIM), lambda x: linear(x) / 1000
    half = float(WEIGHTS.square().sum()) / 2e6
    for beta in (0.5, 1.0, 2.0):
        prior = beta / 2 * float(z.square().sum())
        assert float(full(small, z, beta, rng())) - prior == pytest.approx(half, rel=1e-4)
        assert float(mean_field(small, many(z), beta, rng())) - prior == pytest.approx(half, rel=2e-2)


def test_a_vanishing_beta_leaves_twice_the_contrast_of_independent_mechanisms():
    gram = WEIGHTS @ WEIGHTS.mT
    contrast = (gram.diagonal().log().sum() - torch.logdet(gram)) / 2
    beta = 1e-6
    gap = (gram.diagonal() / beta).log1p().sum() - torch.logdet(torch.eye(DIM).double() + gram / beta)
    assert float(gap) == pytest.approx(2 * float(contrast), rel=1e-4)
    half_full = full(linear, torch.zeros(1, DIM).double(), beta, rng()) / (beta / 2)
    assert float((gram.diagonal() / beta).log1p().sum() - half_full) == pytest.approx(2 * float(contrast), rel=1e-4)


def test_turning_the_latents_changes_the_mean_field_regulariser_only():
    turn = torch.linalg.qr(normal(DIM, DIM, seed=5)).Q
    z = normal(1, DIM)
    turned = lambda x: smooth(x @ turn)  # noqa: E731
    torch.testing.assert_close(full(turned, z @ turn.mT, 1.0, rng()), full(smooth, z, 1.0, rng()))
    before, after = (
        (grams(decoder, at)[0].diagonal()).log1p().sum() for decoder, at in ((smooth, z), (turned, z @ turn.mT))
    )
    assert abs(before - after) > 0.01


@pytest.mark.parametrize("seed", [0, 1])
def test_the_mean_field_optimum_is_unique_up_to_signs_and_order(seed):
    """For a planted decoder with distinct eigenvalues of J^T J, from two beginnings."""
    gram = WEIGHTS @ WEIGHTS.mT
    turn = torch.linalg.qr(normal(DIM, DIM, seed=seed)).Q.requires_grad_()
    optimiser, steps = CayleyAdam([turn], lr=0.3), 3000
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / steps)
        optimiser.zero_grad()
        (turn @ gram @ turn.mT).diagonal().log1p().sum().backward()
        optimiser.step()
    overlap = (turn.detach() @ torch.linalg.eigh(gram).eigenvectors).abs()
    torch.testing.assert_close(overlap.amax(1), torch.ones(DIM).double(), rtol=0, atol=1e-4)
    assert sorted(overlap.argmax(1).tolist()) == list(range(DIM))


def test_the_divergence_is_that_of_torch():
    mean, log_variance = normal(4, DIM), normal(4, DIM, seed=1)
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(vae.divergence_from_prior(mean, log_variance), expected)
