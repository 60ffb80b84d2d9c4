"""Train autoencoders with the regularisers that the beta-VAE implies, and beta-VAEs themselves.

Kumar and Poole 2020, https://arxiv.org/abs/2002.00041: with a decoder g of small curvature, unit variance of the pixels
and the best Gaussian posterior, the loss of a beta-VAE is that of an autoencoder plus

    beta/2 |z|^2 + beta/2 log det(I + J^T J / beta)                  full
    beta/2 |z|^2 + beta/2 sum_i log(1 + |J e_i|^2 / beta)            mean-field: posteriors with a diagonal covariance
    beta/2 |z|^2 + 1/2 |J|^2                                         trace: both, for a small Jacobian J of g at z

J^T J stands for the Hessian of the log-likelihood (Gauss-Newton), which is exact for piecewise linear decoders. The
second and third are estimated without bias from one derivative an image, along a random axis or a random vector of
signs; the first is computed exactly, at some images of a batch.
"""

import warnings
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from direction_finder.generators.autoencoder import Autoencoder
from direction_finder.generators.networks.autoencoder import Encoder
from direction_finder.randomness import rademacher, stream
from direction_finder.training.autoencoder import AutoencoderPlayers, AutoencoderTrainer, gaussian, squared_error
from direction_finder.training.autoencoder_config import BETA, FACTOR, FULL, MEAN_FIELD, NONE, TRACE, VAEConfig

SHARE = 8  # the full regulariser is computed at one of so many images of a batch
JUDGE_WIDTH = 256
Decode = Callable[[Tensor], Tensor]


class VAEPlayers(AutoencoderPlayers):
    """The encoder, the decoder, and FactorVAE's judge of whether the components of latents are independent."""

    def __init__(self, config: VAEConfig, widths: list[int], side: int):
        random = config.regulariser in (BETA, FACTOR)
        super().__init__(config, widths, side, config.z_dim * (1 + random), config.z_dim)
        if config.regulariser == FACTOR:
            sizes = (config.z_dim, JUDGE_WIDTH, JUDGE_WIDTH)
            layers = [(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in pairwise(sizes)]
            self.judge = nn.Sequential(*(module for pair in layers for module in pair), nn.Linear(JUDGE_WIDTH, 2))


class VAETrainer(AutoencoderTrainer):
    """An autoencoder with a regulariser, or a beta-VAE or FactorVAE, on images (n, H, W, 3) of bytes."""

    config: VAEConfig
    players: VAEPlayers

    def _players(self) -> VAEPlayers:
        players, rng = VAEPlayers(self.config, self.widths, self.side), stream(self.seed, "judge")
        if self.config.regulariser == FACTOR:
            for layer in (module for module in players.judge if isinstance(module, nn.Linear)):
                bound = float(layer.in_features) ** -0.5  # torch's own, but from a stream of the seed
                for parameter in (layer.weight, layer.bias):
                    nn.init.uniform_(parameter, -bound, bound, generator=rng)
        return players

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        if self.config.regulariser != FACTOR:
            return super()._optimisers()
        judge = torch.optim.Adam(self.players.judge.parameters(), lr=self.config.learning_rate / 2, betas=(0.5, 0.9))
        return {**super()._optimisers(), "judge": judge}

    def losses(self, images: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        config, encoded = self.config, self.players.encoder(images)
        if config.regulariser in (BETA, FACTOR):
            return self._noisy_losses(images, encoded, rng)
        misfit = _misfit(self.players.decoder(encoded), images)
        regulariser = REGULARISED[config.regulariser](self.players.decoder, encoded, config.beta, rng)
        return {"loss": misfit + regulariser, "misfit": misfit, "regulariser": regulariser}

    def _noisy_losses(self, images: Tensor, encoded: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        mean, log_variance = encoded.chunk(2, 1)
        noise = torch.randn(mean.shape, generator=rng).to(mean.device)
        self.latents = mean + (log_variance / 2).exp() * noise
        misfit = _misfit(self.players.decoder(self.latents), images)
        divergence = divergence_from_prior(mean, log_variance)
        loss, parts = misfit + self.config.beta * divergence, {"misfit": misfit, "divergence": divergence}
        if self.config.regulariser == FACTOR:
            scores = self.players.judge(self.latents)
            parts["correlation"] = (scores[:, 0] - scores[:, 1]).mean()
            loss = loss + self.config.gamma * parts["correlation"]
        return {"loss": loss, **parts}

    def _update(self, rng: torch.Generator) -> None:
        for name in ("encoder", "decoder"):
            self.optimisers[name].step()
        if self.config.regulariser == FACTOR:
            self._train_judge(rng)

    def _train_judge(self, rng: torch.Generator) -> None:
        """Train the judge to tell latents of one half of the batch from those of the other with shuffled components."""
        own, other = self.latents.detach().chunk(2)
        shuffled = torch.stack([column[torch.randperm(len(other), generator=rng)] for column in other.T], 1)
        scores = self.players.judge(torch.cat([own, shuffled]))
        kinds = torch.cat([scores.new_zeros(len(own)), scores.new_ones(len(shuffled))]).long()
        self.optimisers["judge"].zero_grad()
        cross_entropy(scores, kinds).backward()
        self.optimisers["judge"].step()

    @torch.no_grad()
    def finished(self, count: int | None = None) -> Autoencoder:
        """Return the autoencoder; latents are drawn from the prior, or where there is none from a fitted Gaussian."""
        config, encoder = self.config, Encoder(self.widths, self.side, self.config.hidden, self.config.z_dim)
        weights = self.players.encoder.state_dict()
        encoder.load_state_dict(  # without the outputs that are variances
            {name: tensor[: config.z_dim] if name.startswith("last.") else tensor for name, tensor in weights.items()}
        )
        model = Autoencoder(encoder, self.players.decoder, config.z_dim, of_features=False)
        if config.regulariser not in (BETA, FACTOR):
            mean, root = gaussian(self.encoded_images(count))
            model.latent_mean.copy_(mean)
            model.latent_root.copy_(root)
        return model.to(self.device)


def divergence_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of N(mean, diag(exp(log_variance))) from N(0, I), averaged over rows.

    mean and log_variance: (batch, dim).
    """
    return ((mean.square() + log_variance.exp() - log_variance - 1) / 2).sum(1).mean()


def full(decoder: Decode, z: Tensor, beta: float, rng: torch.Generator) -> Tensor:
    """Return beta/2 |z|^2 + beta/2 log det(I + J^T J / beta), averaged; the latter over the first images."""
    some = z[: -(-len(z) // SHARE)]
    identity = torch.eye(z.shape[1]).to(z)
    volumes = torch.linalg.slogdet(identity + grams(decoder, some) / beta).logabsdet
    return beta / 2 * (z.square().sum(1).mean() + volumes.mean())


def mean_field(decoder: Decode, z: Tensor, beta: float, rng: torch.Generator) -> Tensor:
    """Return beta/2 |z|^2 + beta/2 sum_i log(1 + |J e_i|^2 / beta), averaged, from one random i an image."""
    dim = z.shape[1]
    axes = torch.eye(dim)[torch.randint(dim, (len(z),), generator=rng)].to(z)
    lengths = moved(decoder, z, axes).square().sum(1)
    return beta / 2 * (z.square().sum(1) + dim * (lengths / beta).log1p()).mean()


def trace(decoder: Decode, z: Tensor, beta: float, rng: torch.Generator) -> Tensor:
    """Return beta/2 |z|^2 + 1/2 |J|^2, averaged, from one random vector of signs an image."""
    signs = rademacher(z.shape, rng).to(z)
    return (beta * z.square().sum(1) + moved(decoder, z, signs).square().sum(1)).mean() / 2


def nothing(decoder: Decode, z: Tensor, beta: float, rng: torch.Generator) -> Tensor:
    """Return 0."""
    return z.new_zeros(())


REGULARISED = {FULL: full, MEAN_FIELD: mean_field, TRACE: trace, NONE: nothing}


def moved(decoder: Decode, z: Tensor, vectors: Tensor) -> Tensor:
    """Return J v (batch, pixels) at z (batch, dim) for vectors v (batch, dim)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the code that torch loads for this
        return torch.func.jvp(decoder, (z,), (vectors,))[1].flatten(1)


def grams(decoder: Decode, z: Tensor) -> Tensor:
    """Return J^T J (batch, dim, dim) at z (batch, dim)."""
    n, dim = z.shape
    columns = moved(decoder, z.repeat_interleave(dim, 0), torch.eye(dim).to(z).repeat(n, 1)).unflatten(0, (n, dim))
    return columns @ columns.mT


def _misfit(decoded: Tensor, images: Tensor) -> Tensor:
    """Return the negative log-likelihood for pixels of unit variance, without its constant, averaged over images."""
    return squared_error(decoded, images) / 2
