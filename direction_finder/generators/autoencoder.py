"""Load the autoencoders that `train st-rkm` and `train vae` made: their decoders are generators.

A file holds the encoder, the decoder, and the Gaussian from which latents are drawn: `latent_mean` (dim,) and
`latent_root` (dim, dim), whose latents are latent_mean + latent_root n with n ~ N(0, I). An St-RKM (Pandey et al. 2021,
https://arxiv.org/abs/2006.07046) also has `rows` (dim, features), the transposed U with orthonormal columns, and
`feature_mean` (features,): its latents are h = U^T (encoder(x) - feature_mean), and it decodes U h.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, Generator, Half, Stages, as_rgb
from direction_finder.generators.networks.autoencoder import Decoder, Encoder
from direction_finder.generators.weights import State, load_strict, read_whole, state_sha256
from direction_finder.settings import ST_RKM, VAE
from direction_finder.version import package_version

ROWS, MEAN = "rows", "feature_mean"
FLATTEST = 1e-3  # the least usable range of a latent that hardly varies
ORTHONORMAL = 1e-3  # the largest entry of U^T U - I


class Autoencoder(nn.Module):
    """An encoder, a decoder and the distribution of latents, as a file holds them.

    of_features: whether it has `rows`.
    """

    rows: Tensor
    feature_mean: Tensor
    latent_mean: Tensor
    latent_root: Tensor

    def __init__(self, encoder: Encoder, decoder: Decoder, dim: int, of_features: bool):
        super().__init__()
        self.encoder, self.decoder, self.of_features = encoder, decoder, of_features
        self.register_buffer("latent_mean", torch.zeros(dim))
        self.register_buffer("latent_root", torch.eye(dim))
        if of_features:
            features = decoder.first.in_features
            self.register_buffer(ROWS, torch.eye(dim, features))
            self.register_buffer(MEAN, torch.zeros(features))

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (batch, dim) of images (batch, channels, H, H) in [0, 1]."""
        features = self.encoder(images)
        return (features - self.feature_mean) @ self.rows.mT if self.of_features else features

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return images (batch, channels, H, H) in [0, 1], encoded and decoded."""
        return self.decoder(self.lift(self.encode(images)))

    def lift(self, latents: Tensor) -> Tensor:
        """Return what the decoder takes (batch, features) for latents (batch, dim)."""
        return latents @ self.rows if self.of_features else latents


class AutoencoderGenerator(Generator):
    """Generate images with a frozen decoder. Latents are what the encoder returns, in their own scale."""

    def __init__(self, network: Autoencoder, *, name: str, weights_sha256: str, truncation: float | None):
        super().__init__()
        self.network, self.name, self.weights_sha256, self.truncation = network, name, weights_sha256, truncation
        self.dim = len(network.latent_mean)
        self.resolution = network.decoder.background.shape[-1]
        self.scale = float(network.latent_root.square().sum() / self.dim) ** 0.5
        layers = len(network.decoder.convs) + 1
        self.activation_names = self.stage_names = (*(f"layer{i}" for i in range(layers)), IMAGE)
        self.freeze()

    def reads(self) -> dict[str, Tensor]:
        axes = torch.eye(self.dim).to(self.device)
        return {"layer0": self.network.decoder.first.weight @ self.network.lift(axes).mT}

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self._stages(latents[:, 0]), at, half)

    def _stages(self, latents: Tensor) -> Stages:
        for name, tensor in self.network.decoder.stages(self.network.lift(latents)):
            yield name, as_rgb(2 * tensor - 1) if name == IMAGE else tensor

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n latents (n, dim) from the Gaussian in the file; `truncation` multiplies a normal cut to [-2, 2]."""
        return self.network.latent_mean + super().sample(n, rng) @ self.network.latent_root.mT

    def columns(self) -> Directions:
        """Return the axes of the latents as directions, each with a usable range of two standard deviations.

        They are the columns of an St-RKM's U.
        """
        deviations = self.network.latent_root.norm(dim=1) / self.scale
        return Directions(
            torch.eye(self.dim),
            "columns",
            generator=self.name,
            weights_sha256=self.weights_sha256,
            ranges=tuple(max(FLATTEST, 2 * float(deviation)) for deviation in deviations),
            scale=self.scale,
            space=self.space,
            package_version=package_version(),
        )

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (batch, dim) of images (batch, 3, H, H) in [-1, 1].

        Raises InputError for images of another size.
        """
        side = self.resolution
        if images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise InputError(f"images have shape {tuple(images.shape)}: {self.name} expects (batch, 3, {side}, {side})")
        channels = len(self.network.decoder.background)
        return self.network.encode((images[:, :channels] + 1).to(self.device) / 2)


def load_autoencoder(
    path: str | Path, kind: str, *, name: str, truncation: float | None = None
) -> AutoencoderGenerator:
    """Load a file of `train st-rkm` or `train vae`; all sizes are read from the shapes.

    kind: which of both it must be. Raises InputError if it is another file, or a weight is missing or does not fit.
    """
    state = read_whole(path)
    network = _network(state, str(path), kind)
    load_strict(network, state, str(path))
    if broken := next((key for key, tensor in state.items() if not tensor.isfinite().all()), None):
        raise InputError(f"{path}: weight {broken} holds NaN or infinite values; train it again")
    if kind == ST_RKM:
        error = float((network.rows @ network.rows.mT - torch.eye(len(network.rows))).abs().max())
        if error > ORTHONORMAL:
            raise InputError(f"{path}: its {ROWS} are not orthonormal (by {error:.2g}); train it again")
    return AutoencoderGenerator(network, name=name, weights_sha256=state_sha256(state), truncation=truncation)


def _network(state: State, source: str, kind: str) -> Autoencoder:
    """Return a network of the sizes that the weights have. Raises InputError if they are not an autoencoder's."""
    needed = ("decoder.first.weight", "decoder.hidden.weight", "decoder.background", "latent_mean")
    widths = [state.get("decoder.background", torch.empty(0)).shape[0]]
    while (conv := state.get(f"encoder.convs.{len(widths) - 1}.weight")) is not None:
        widths.append(conv.shape[0])
    if len(widths) < 2 or any(key not in state for key in needed):
        raise InputError(f"{source}: not an autoencoder of `train st-rkm` or `train vae`")
    of_features = ROWS in state
    if of_features != (kind == ST_RKM):
        right = ST_RKM if of_features else VAE
        raise InputError(f"{source}: made by `train {right}`; give it as {right}:{source}")
    first, hidden, background = (state[key] for key in needed[:3])
    side = background.shape[-1] >> (len(widths) - 1)
    if first.ndim != 2 or hidden.ndim != 2 or background.ndim != 3 or state["latent_mean"].ndim != 1 or not side:
        raise InputError(f"{source}: its weights have the wrong number of dimensions; train it again")
    sizes = (widths, side, first.shape[0], first.shape[1])
    if hidden.numel() != widths[-1] * side**2 * first.shape[0]:
        raise InputError(f"{source}: weight decoder.hidden.weight has shape {tuple(hidden.shape)}, which fits no image")
    return Autoencoder(Encoder(*sizes), Decoder(*sizes), len(state["latent_mean"]), of_features)
