"""Train an St-RKM (Pandey et al. 2021, https://arxiv.org/abs/2006.07046).

An autoencoder whose decoder gets features projected on the span of U, which has orthonormal columns: the error of the
images is minimised together with |(I - U U^T) phi|^2, the error of PCA in the feature space. U is trained by Cayley
ADAM, the networks by Adam, with the same gradient. In the end U becomes the leading eigenvectors of the covariance of
all features, so that the covariance of the latents h = U^T phi is diagonal.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from direction_finder.cayley_adam import CayleyAdam
from direction_finder.generators.autoencoder import Autoencoder
from direction_finder.randomness import stream
from direction_finder.training.autoencoder import AutoencoderPlayers, AutoencoderTrainer, principal, squared_error
from direction_finder.training.autoencoder_config import DETERMINISTIC, STOCHASTIC, StRKMConfig


class Columns(nn.Module):
    """U^T (columns, features), with orthonormal rows."""

    def __init__(self, count: int, features: int):
        super().__init__()
        self.rows = nn.Parameter(torch.eye(count, features))


class StRKMPlayers(AutoencoderPlayers):
    """The encoder, the decoder, and U."""

    def __init__(self, config: StRKMConfig, widths: list[int], side: int):
        super().__init__(config, widths, side, config.features, config.features)
        self.columns = Columns(config.columns, config.features)


class StRKMTrainer(AutoencoderTrainer):
    """An St-RKM on images (n, H, W, 3) of bytes."""

    config: StRKMConfig
    players: StRKMPlayers

    def _players(self) -> StRKMPlayers:
        players = StRKMPlayers(self.config, self.widths, self.side)
        noise = torch.randn(self.config.features, self.config.columns, generator=stream(self.seed, "columns"))
        players.columns.rows.data.copy_(torch.linalg.qr(noise).Q.mT)
        players.columns.requires_grad_(self.config.column_rate > 0)
        return players

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        if not self.config.column_rate:
            return super()._optimisers()
        columns = CayleyAdam(self.players.columns.parameters(), lr=self.config.column_rate)
        return {**super()._optimisers(), "columns": columns}

    def losses(self, images: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        features = self.players.encoder(images)
        features = features - features.mean(0)
        noise = torch.randn(len(images), self.config.columns, generator=rng).to(images.device)
        return st_rkm_losses(features, self.players.columns.rows, self.players.decoder, images, self.config, noise)

    @torch.no_grad()
    def finished(self, count: int | None = None) -> Autoencoder:
        """Return the St-RKM whose U has the leading eigenvectors of the covariance of the features as columns."""
        mean, deviations, vectors = principal(self.encoded_images(count))
        columns = self.config.columns
        model = Autoencoder(self.players.encoder, self.players.decoder, columns, of_features=True)
        model.rows.copy_(_signed(vectors.mT.flip(0)[:columns]))
        model.feature_mean.copy_(mean)
        model.latent_root.copy_(deviations.flip(0)[:columns].diag())
        return model.to(self.device)


def st_rkm_losses(
    features: Tensor,
    rows: Tensor,
    decoder: Callable[[Tensor], Tensor],
    images: Tensor,
    config: StRKMConfig,
    noise: Tensor,
) -> dict[str, Tensor]:
    """Return what is minimised, its two parts, and the variance of the features.

    features: centred, (batch, features). rows: U^T. images: what is decoded, (batch, ...). noise: standard normal,
    (batch, columns). The squared errors are summed over pixels; half of the images' error counts.
    """
    projected = features @ rows.mT @ rows
    missed = (features - projected).square().sum(1).mean()
    if config.loss == DETERMINISTIC:
        error = squared_error(decoder(projected), images)
    else:
        noisy = decoder(projected + config.noise * noise @ rows)
        if config.loss == STOCHASTIC:
            error = squared_error(noisy, images)
        else:
            decoded = decoder(projected)
            error = squared_error(decoded, images) + squared_error(noisy, decoded)
    return {
        "loss": missed + config.image_weight * error / 2,
        "error": error,
        "feature_error": missed,
        "feature_variance": features.square().sum(1).mean(),
    }


def _signed(rows: Tensor) -> Tensor:
    """Return rows whose largest entry is positive, so that they do not depend on the solver."""
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return rows * largest.sign()
