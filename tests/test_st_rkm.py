"""The objective of an St-RKM: what it is equal to, and what it does not depend on."""

import pytest
import torch

from direction_finder.training.autoencoder_config import LOSSES, StRKMConfig
from direction_finder.training.st_rkm import st_rkm_losses

FEATURES, COLUMNS, PIXELS = 6, 3, 7


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def rows(seed: int = 1) -> torch.Tensor:
    return torch.linalg.qr(normal(FEATURES, COLUMNS, seed=seed)).Q.mT


WEIGHTS = normal(FEATURES, PIXELS, seed=2) / 2


def decoder(features: torch.Tensor) -> torch.Tensor:
    """A smooth decoder with curvature."""
    return (features @ WEIGHTS).tanh() + features[:, :1].square() / 10


def config(**settings) -> StRKMConfig:
    return StRKMConfig(columns=COLUMNS, features=FEATURES, **settings)


def test_the_error_of_features_is_what_pca_leaves():
    features = normal(50, FEATURES) * torch.arange(1, FEATURES + 1)
    features = features - features.mean(0)
    covariance = features.mT @ features / len(features)
    images, noise = normal(50, PIXELS, seed=3), normal(50, COLUMNS, seed=4)
    basis = rows()
    missed = st_rkm_losses(features, basis, decoder, images, config(), noise)["feature_error"]
    assert missed.item() == pytest.approx(
        (covariance.trace() - (basis @ covariance @ basis.mT).trace()).item(), abs=1e-10
    )
    values, vectors = torch.linalg.eigh(covariance)
    best = st_rkm_losses(features, vectors.mT[-COLUMNS:], decoder, images, config(), noise)["feature_error"]
    assert best.item() == pytest.approx(values[:-COLUMNS].sum().item(), abs=1e-10)


@pytest.mark.parametrize("loss", ["stochastic", "split"])
def test_noise_adds_what_the_expansion_says(loss):
    """|r|^2 + sigma^2 (Tr U^T J^T J U - sum_a r_a Tr U^T H_a U); without the second trace if the loss is split.

    The noise is one point on either side of each axis, whose mean is exact up to the third order.
    """
    feature, image, basis = normal(1, FEATURES), normal(1, PIXELS, seed=3), rows()
    projected = feature @ basis.mT @ basis
    noise = COLUMNS**0.5 * torch.cat([torch.eye(COLUMNS), -torch.eye(COLUMNS)]).double()
    single = lambda x: decoder(x[None])[0]  # noqa: E731
    jacobian = torch.func.jacrev(single)(projected[0]) @ basis.mT
    hessians = basis @ torch.func.hessian(single)(projected[0]) @ basis.mT
    residual = (image - decoder(projected))[0]
    bent = (residual * hessians.diagonal(dim1=1, dim2=2).sum(1)).sum()
    added = jacobian.square().sum() - (bent if loss == "stochastic" else 0)
    misses = []
    for sigma in (0.02, 0.01):
        given = feature.repeat(len(noise), 1), basis, decoder, image.repeat(len(noise), 1)
        error = st_rkm_losses(*given, config(loss=loss, noise=sigma), noise)["error"]
        misses.append(float((error - residual.square().sum()) / sigma**2 / added - 1))
    assert abs(misses[0]) < 1e-3
    assert misses[0] / misses[1] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_depends_on_the_span_of_u_only(loss):
    turn = torch.linalg.qr(normal(COLUMNS, COLUMNS, seed=9)).Q
    features, images, noise = normal(40, FEATURES), normal(40, PIXELS, seed=3), normal(40, COLUMNS, seed=4)
    settings = config(loss=loss, noise=0.3)
    before = st_rkm_losses(features, rows(), decoder, images, settings, noise)
    after = st_rkm_losses(features, turn @ rows(), decoder, images, settings, noise @ turn.mT)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-12, atol=1e-12)
