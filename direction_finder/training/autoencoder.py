"""Train an autoencoder on images; `StRKMTrainer` and `VAETrainer` define what is minimised.

A part of the images is left out of the training. The squared error of their reconstructions, summed over pixels, is
reported beside the error of the mean image, which is the sum of the pixels' variances: a model that is no better than
that has collapsed, and its training ends with one line.
"""

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from direction_finder.errors import InputError
from direction_finder.generators.autoencoder import Autoencoder
from direction_finder.generators.base import as_rgb
from direction_finder.generators.networks.autoencoder import Decoder, Encoder, initialise
from direction_finder.randomness import stream
from direction_finder.training.autoencoder_config import AutoencoderConfig
from direction_finder.training.loop import Stage, Trainer, build, stage

SMALLEST = 4  # pixels of a side after the last convolution; fewer than twice as many
FEWEST = 20  # images, of which at least two are left out
MOST_HELD_OUT = 1000  # images on which the error is measured
MEASURE_EVERY = 200  # steps
NO_BETTER = 0.98  # a model has collapsed if its error is this fraction of the mean image's, or more
AT_ONCE = 500  # images that are encoded at once
ROW, SWEPT = 8, 2.0  # images in a row of a preview, and how many deviations its sweeps reach


class AutoencoderPlayers(nn.Module):
    """The encoder and the decoder. held_out_error: as last measured."""

    held_out_error: Tensor

    def __init__(self, config: AutoencoderConfig, widths: list[int], side: int, encoded: int, decoded: int):
        super().__init__()
        self.encoder = Encoder(widths, side, config.hidden, encoded)
        self.decoder = Decoder(widths, side, config.hidden, decoded)
        self.register_buffer("held_out_error", torch.tensor(0.0))


class AutoencoderTrainer(Trainer):
    """An autoencoder of images (n, H, W, 3) of bytes; those that are all grey are handled with one channel."""

    config: AutoencoderConfig
    players: AutoencoderPlayers
    cure = "a lower learning rate or more steps"
    whole = "an autoencoder's losses compare all images of a batch"

    def __init__(self, images: np.ndarray, config: AutoencoderConfig, device: str):
        if len(images) < FEWEST:
            raise InputError(f"{len(images)} images: an autoencoder needs at least {FEWEST}; give more")
        self.config, self.seed, self.total, self.device = config, config.seed, config.steps, device
        self.length, self.ended = f"`steps` is {config.steps}", False
        self.held_out, self.pixels = _parted(images, config)
        if len(self.pixels) < config.batch_size:
            raise InputError(
                f"{len(self.pixels)} images to train on are fewer than a batch of {config.batch_size}: give more "
                "images or a smaller `batch_size`"
            )
        mean = self._mean()
        self.variance = float((_unit(self.held_out) - mean).square().sum() / len(self.held_out))
        levels = halvings(images.shape[1])
        self.side = images.shape[1] >> levels
        self.widths = [self.pixels.shape[1], *(config.width * 2**level for level in range(levels))]
        self.players = build(self._players, device)
        for network in (self.players.encoder, self.players.decoder):
            initialise(network, stream(config.seed, f"weights of the {type(network).__name__}"))
        self.players.decoder.begin_at(mean)
        self.players.held_out_error.fill_(self.variance)  # before anything is learned, the mean image is decoded
        self.optimisers = self._optimisers()
        self.rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.optimisers.items()}

    @abstractmethod
    def _players(self) -> AutoencoderPlayers:
        """Return new networks."""

    @abstractmethod
    def losses(self, images: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return what is minimised as "loss", then parts of it, for images (batch, channels, H, H) in [0, 1]."""

    @abstractmethod
    def finished(self, count: int | None = None) -> Autoencoder:
        """Return the autoencoder, with the distribution of its latents.

        count: how many training images, from the first, it is measured on; None: all.
        """

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        rate = self.config.learning_rate
        return {
            name: torch.optim.Adam(getattr(self.players, name).parameters(), lr=rate) for name in ("encoder", "decoder")
        }

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Train on one batch. Return the losses, and the error of images that are left out as last measured."""
        fraction = (1 + math.cos(math.pi * (step - 1) / self.total)) / 2
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = fraction * self.rates[name]
        chosen = torch.randint(len(self.pixels), (self.config.batch_size,), generator=rng)
        images = _unit(self.pixels[chosen]).to(self.device)
        losses = self.losses(images, rng)
        for optimiser in self.optimisers.values():
            optimiser.zero_grad()
        losses["loss"].backward()
        self._update(rng)
        self.ended = step == self.total
        if losses["loss"].isfinite() and (step % MEASURE_EVERY == 0 or self.ended):
            self.players.held_out_error.fill_(self.error(None if self.ended else MOST_HELD_OUT))
        values = torch.stack([*losses.values(), self.players.held_out_error]).tolist()
        return dict(zip([*losses, "held_out_error"], values, strict=True))

    def stages(self) -> list[Stage]:
        """Return all steps by what they cost: after some, and after the last, the error is measured."""
        steps = range(1, self.total)
        kinds = [step for step in steps if step % MEASURE_EVERY], [*steps[MEASURE_EVERY - 1 :: MEASURE_EVERY]]
        return [stage(kind, self.config.batch_size) for kind in (*kinds, [self.total]) if kind]

    def _update(self, rng: torch.Generator) -> None:
        for optimiser in self.optimisers.values():
            optimiser.step()

    def collapse(self, finite: bool) -> str | None:
        """Report, at the end, that held-out images are decoded no better than by the mean image."""
        error = float(self.players.held_out_error)
        if self.ended and error >= NO_BETTER * self.variance:
            return f"images are decoded no better (error {error:.4g}) than by the mean image ({self.variance:.4g})"
        return None

    @torch.no_grad()
    def error(self, count: int | None = None) -> float:
        """Return the squared error of images that are left out, summed over pixels; for `count` see `finished`."""
        model = self.finished(count)
        parts = [part.to(self.device) for part in _unit(self.held_out).split(AT_ONCE)]
        return sum(float((model.reconstruct(part) - part).square().sum()) for part in parts) / len(self.held_out)

    @torch.no_grad()
    def encoded_images(self, count: int | None) -> Tensor:
        """Return what the encoder returns for the first `count` training images, or all: (count, encoded)."""
        parts = self.pixels[:count].split(AT_ONCE)
        return torch.cat([self.players.encoder(_unit(part).to(self.device)) for part in parts])

    def weights(self, step: int) -> dict[str, Tensor]:
        """Return the state dict of the finished autoencoder."""
        state = self.finished().state_dict()
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}

    @torch.no_grad()
    def preview(self, step: int) -> Tensor:
        """Return images that are left out, their reconstructions, and sweeps of every latent by deviations."""
        images = _unit(self.held_out[:ROW]).to(self.device)
        model = self.finished(MOST_HELD_OUT)
        latents = model.latent_mean.repeat(model.latent_mean.numel(), ROW, 1)
        for index, root in enumerate(model.latent_root):
            latents[index, :, index] += torch.linspace(-SWEPT, SWEPT, ROW).to(self.device) * root.norm()
        swept = model.decoder(model.lift(latents.flatten(0, 1)))
        blank = images.new_ones(ROW - len(images), *images.shape[1:])
        rows = torch.cat([images, blank, model.reconstruct(images), blank, swept])
        return as_rgb(2 * rows - 1)

    def _mean(self) -> Tensor:
        """Return the mean (channels, H, H) of the training images, in [0, 1]."""
        return torch.stack([part.double().sum(0) for part in self.pixels.split(AT_ONCE)]).sum(0).float() / (
            255 * len(self.pixels)
        )


def halvings(resolution: int) -> int:
    """Return how often a side is halved, e.g. 3 for 32. Raises InputError unless it is 4 to 7 times a power of two."""
    side, count = resolution, 0
    while side >= 2 * SMALLEST and side % 2 == 0:
        side, count = side // 2, count + 1
    if not count or side >= 2 * SMALLEST:
        raise InputError(
            f"resolution is {resolution}: an autoencoder needs 4, 5, 6 or 7 pixels times a power of two, e.g. 28, 32, "
            "40, 48 or 64"
        )
    return count


def squared_error(decoded: Tensor, images: Tensor) -> Tensor:
    """Return the squared error of images (batch, ...), summed over pixels, averaged over the batch."""
    return (decoded - images).flatten(1).square().sum(1).mean()


def principal(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean (dim,) of rows (n, dim), and standard deviations (dim,) along orthonormal columns (dim, dim).

    They are in float64, those of the smallest deviation first.
    """
    doubles = rows.double()
    mean = doubles.mean(0)
    values, vectors = torch.linalg.eigh((doubles - mean).mT @ (doubles - mean) / len(doubles))
    return mean, values.clamp(min=0).sqrt(), vectors


def gaussian(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (dim,) and a lower root (dim, dim) of the covariance of latents (n, dim)."""
    mean, deviations, vectors = principal(latents)
    root = vectors * deviations
    lower = torch.linalg.qr(root.mT).R.mT
    return mean.float(), (lower * torch.where(lower.diagonal() < 0, -1, 1)).float()


def _parted(images: np.ndarray, config: AutoencoderConfig) -> tuple[Tensor, Tensor]:
    """Return images (n, channels, H, H) of bytes that are left out, at most as many as are measured, and the others."""
    grey = all((images[..., 0] == images[..., channel]).all() for channel in (1, 2))
    pixels = torch.from_numpy(np.ascontiguousarray(images[..., : 1 if grey else 3])).permute(0, 3, 1, 2)
    order = torch.randperm(len(pixels), generator=stream(config.seed, "held out"))
    count = max(2, round(config.held_out * len(pixels)))
    return pixels[order[:count][:MOST_HELD_OUT]], pixels[order[count:]]


def _unit(pixels: Tensor) -> Tensor:
    """Return bytes as numbers in [0, 1]."""
    return pixels.float() / 255
