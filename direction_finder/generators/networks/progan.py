"""Define the generator and critic of ProGAN (Karras et al. 2018, https://arxiv.org/abs/1710.10196).

Levels are resolutions: level 0 is 4x4, level 1 is 8x8, and so on. One number says how far a network has grown: 2 is
level 2, and 1.25 is level 2 faded in by a quarter over level 1. Parameters have the names and shapes of genforce's,
so that its files load unchanged.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu

SLOPE = 0.2
GROUP = 4  # number of images in which the standard deviation is measured


class EqualisedConv(nn.Module):
    """Apply a convolution whose weights start as N(0, 1) and are multiplied by gain / sqrt(fan-in) at each use.

    bias_size: 1 for one bias per channel, as usual; n for one per channel at each of n x n positions.
    """

    def __init__(
        self, fan_in: int, fan_out: int, size: int, padding: int = 0, gain: float = 2**0.5, bias_size: int = 1
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, size, size))
        self.bias = nn.Parameter(torch.zeros(fan_out * bias_size**2))
        self.padding, self.bias_size = padding, bias_size
        self.scale = gain / math.sqrt(fan_in * size * size)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias_size == 1:
            return conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)
        return conv2d(x, self.weight * self.scale, padding=self.padding) + self.bias.view(-1, *2 * [self.bias_size])


def pixel_norm(x: Tensor) -> Tensor:
    """Return x (batch, channels, H, W) divided by its root mean square over channels."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def double(x: Tensor) -> Tensor:
    """Double the height and width by repeating every pixel four times."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


class ProGAN(nn.Module):
    """Map z (batch, z_dim) to images (batch, 3, H, W). widths: channels at 4x4, 8x8, ...

    lod: how many levels an unfinished network must still grow; 0 when it is finished.
    """

    lod: Tensor

    def __init__(self, z_dim: int, widths: Sequence[int], first_bias_size: int = 1):
        super().__init__()
        self.widths = tuple(widths)
        before = z_dim
        for level, width in enumerate(widths):
            if level == 0:
                first = EqualisedConv(before, width, 4, padding=3, bias_size=first_bias_size)
            else:
                first = EqualisedConv(before, width, 3, padding=1)
            self.add_module(f"layer{2 * level}", first)
            self.add_module(f"layer{2 * level + 1}", EqualisedConv(width, width, 3, padding=1))
            self.add_module(f"output{level}", EqualisedConv(width, 3, 1, gain=1.0))
            before = width
        self.register_buffer("lod", torch.tensor(0.0))

    @property
    def grown(self) -> float:
        """Return how far this network has grown, according to its `lod`."""
        return len(self.widths) - 1 - float(self.lod)

    def stages(self, z: Tensor, grown: float) -> Iterator[tuple[str, Tensor]]:
        """Yield ("layer1", ...), ("layer2", ...), the activations after their pixel norm, and ("image", ...); each is
        computed only when needed. The image has the size of the last level begun."""
        x = pixel_norm(z[:, :, None, None])
        top = math.ceil(grown)
        for level in range(top + 1):
            below = x
            for index in (2 * level, 2 * level + 1):
                if level and index == 2 * level:
                    x = double(x)
                x = pixel_norm(leaky_relu(self.get_submodule(f"layer{index}")(x), SLOPE))
                yield f"layer{index + 1}", x
        image = self.image(x, top)
        if grown < top:
            image = torch.lerp(double(self.image(below, top - 1)), image, 1 - (top - grown))
        yield "image", image

    def image(self, x: Tensor, level: int) -> Tensor:
        """Return the image computed from a level's activations, in the type of the weights (float32)."""
        output = self.get_submodule(f"output{level}")
        return output(x.to(output.get_parameter("weight").dtype))

    def forward(self, z: Tensor, grown: float) -> Tensor:
        *_, (_, image) = self.stages(z, grown)
        return image


class Critic(nn.Module):
    """Map images, of the size of the last level begun, to scores (batch,) and guesses (batch, codes) of z.

    widths: channels at 4x4, 8x8, ..., as in the generator. codes: how many components of z are guessed from the 4x4
    features (InfoGAN, Chen et al. 2016, https://arxiv.org/abs/1606.03657).
    """

    def __init__(self, widths: Sequence[int], codes: int = 0):
        super().__init__()
        first = widths[0]
        self.inputs = nn.ModuleList(EqualisedConv(3, width, 1) for width in widths)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [EqualisedConv(width, width, 3, padding=1), EqualisedConv(width, widths[level], 3, padding=1)]
            )
            for level, width in enumerate(widths[1:])
        )
        self.last = nn.ModuleList(
            [
                EqualisedConv(first + 1, first, 3, padding=1),
                EqualisedConv(first, first, 4),
                EqualisedConv(first, 1, 1, gain=1.0),
            ]
        )
        self.guess = nn.ModuleList(
            [
                EqualisedConv(first, first, 3, padding=1),
                EqualisedConv(first, first, 4),
                EqualisedConv(first, codes, 1, gain=1.0),
            ]
            if codes
            else []
        )

    def forward(self, images: Tensor, grown: float) -> tuple[Tensor, Tensor]:
        top = math.ceil(grown)
        x = leaky_relu(self.inputs[top](images), SLOPE)
        for level in range(top, 0, -1):
            for conv in self.blocks[level - 1].children():
                x = leaky_relu(conv(x), SLOPE)
            x = avg_pool2d(x, 2)
            if level == top and grown < top:
                before = leaky_relu(self.inputs[top - 1](avg_pool2d(images, 2)), SLOPE)
                x = torch.lerp(before, x, 1 - (top - grown))
        scores = _head(self.last, torch.cat([x, spread(x)], 1)).squeeze(1)
        return scores, _head(self.guess, x) if self.guess else scores.new_empty(len(scores), 0)


def _head(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for layer in layers[:-1]:
        x = leaky_relu(layer(x), SLOPE)
    return layers[-1](x).flatten(1)


def spread(x: Tensor) -> Tensor:
    """Return the mean standard deviation within groups of the batch, as a channel (batch, 1, H, W)."""
    group = GROUP if len(x) % GROUP == 0 else len(x)
    deviation = (x.unflatten(0, (-1, group)).var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
