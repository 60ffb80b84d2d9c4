"""Define the networks of small autoencoders: strided convolutions and two linear layers, and their mirror image.

The decoder begins at the mean image: its last layer adds a learned image to what it computes, and a sigmoid follows.
Autoencoders whose outputs begin elsewhere may collapse to black on sparse images.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

SLOPE = 0.2
OVERLAP = 4  # pixels of the input that reach a pixel of the output of a 4 x 4 convolution that doubles the side
FAINTEST = 1 / 256  # a mean pixel is at least so far from black and white


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Draw weights that keep the variance of activations (He et al. 2015, https://arxiv.org/abs/1502.01852).

    With torch's own, which shrink it from layer to layer, the noise of a VAE drowns the signal, and it collapses.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            upwards = isinstance(module, nn.ConvTranspose2d)
            fan = module.weight.shape[0] * OVERLAP if upwards else module.weight[0].numel()
            nn.init.normal_(module.weight, std=(2 / (1 + SLOPE**2) / fan) ** 0.5, generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    """Map images (batch, widths[0], H, H) in [0, 1] to features (batch, size)."""

    def __init__(self, widths: Sequence[int], side: int, hidden: int, size: int):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(fan_in, fan_out, 4, 2, 1) for fan_in, fan_out in pairwise(widths))
        self.hidden = nn.Linear(widths[-1] * side**2, hidden)
        self.last = nn.Linear(hidden, size)

    def forward(self, images: Tensor) -> Tensor:
        for conv in self.convs:
            images = leaky_relu(conv(images), SLOPE)
        return self.last(leaky_relu(self.hidden(images.flatten(1)), SLOPE))


class Decoder(nn.Module):
    """Map features (batch, size) to images (batch, widths[0], H, H) in [0, 1]; `widths` are those of the encoder."""

    def __init__(self, widths: Sequence[int], side: int, hidden: int, size: int):
        super().__init__()
        self.side = side
        self.first = nn.Linear(size, hidden)
        self.hidden = nn.Linear(hidden, widths[-1] * side**2)
        pairs = list(pairwise(reversed(widths)))
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=number < len(pairs) - 1)
            for number, (fan_in, fan_out) in enumerate(pairs)
        )
        resolution = side * 2 ** len(pairs)
        self.background = nn.Parameter(torch.zeros(widths[0], resolution, resolution))

    def begin_at(self, mean: Tensor) -> None:
        """Let the decoder begin at the mean (channels, H, H) of all images."""
        self.background.data.copy_(mean.clamp(FAINTEST, 1 - FAINTEST).logit())

    def stages(self, features: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield ("layer0", ...), ..., ("image", ...), each computed only when needed."""
        x = leaky_relu(self.first(features), SLOPE)
        yield "layer0", x
        x = leaky_relu(self.hidden(x), SLOPE).unflatten(1, (-1, self.side, self.side))
        yield "layer1", x
        for number, conv in enumerate(self.convs[:-1], start=2):
            x = leaky_relu(conv(x), SLOPE)
            yield f"layer{number}", x
        yield "image", torch.sigmoid(self.convs[-1](x) + self.background)

    def forward(self, features: Tensor) -> Tensor:
        *_, (_, images) = self.stages(features)
        return images
