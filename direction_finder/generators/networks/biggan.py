"""Define the original BigGAN (Brock et al. 2019, https://arxiv.org/abs/1809.11096): as its files store it, and frozen,
with spectral norms folded, and each upsampling merged with its convolution."""

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, linear, normalize

from direction_finder.generators.networks.layers import Attention, ConditionalNorm, Head, upsampling_conv, weights_of

EPS = 1e-5  # of batch norms
SPECTRAL_EPS = 1e-6
BOTTOM = 4  # height and width in pixels of the first block's input


class Spectral(nn.Module):
    """Hold a weight that is divided by its largest singular value, computed by one power step from the stored vector.

    The published network does this in each forward pass in eval mode. `sv0` is in its files, but is not used.
    """

    weight: nn.Parameter
    u0: Tensor

    def __init__(self, *shape: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(shape[0])) if bias else None
        self.register_buffer("u0", torch.empty(1, shape[0]))
        self.register_buffer("sv0", torch.empty(1))

    def normed(self) -> Tensor:
        """Return the weight divided by its largest singular value."""
        rows = self.weight.flatten(1)
        right = normalize(self.u0 @ rows, eps=SPECTRAL_EPS)
        left = normalize(right @ rows.mT, eps=SPECTRAL_EPS)
        return self.weight / (left @ rows @ right.mT)


class SpectralLinear(Spectral):
    """Apply a linear layer with a spectrally normalised weight (outside, inside)."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.normed(), self.bias)

    def folded(self) -> nn.Linear:
        """Return a plain layer with the normed weight."""
        outside, inside = self.weight.shape
        plain = nn.Linear(inside, outside, bias=self.bias is not None)
        plain.weight = nn.Parameter(self.normed().detach())
        if self.bias is not None:
            plain.bias = self.bias
        return plain


class SpectralConv(Spectral):
    """Apply a convolution with a spectrally normalised weight (outside, inside, size, size); images keep their size."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.normed(), self.bias, padding=self.weight.shape[2] // 2)

    def folded(self) -> nn.Conv2d:
        """Return a plain layer with the normed weight."""
        outside, inside, size, _ = self.weight.shape
        plain = nn.Conv2d(inside, outside, size, padding=size // 2, bias=self.bias is not None)
        plain.weight, plain.bias = nn.Parameter(self.normed().detach()), self.bias
        return plain


class Table(nn.Module):
    """Hold one row per class, as gains and biases do if classes share no embedding (trained without --G_shared)."""

    def __init__(self, classes: int, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, channels))

    def folded(self) -> nn.Linear:
        """Return the table as a linear layer of one-hot classes."""
        classes, channels = self.weight.shape
        plain = nn.Linear(classes, channels, bias=False)
        plain.weight = nn.Parameter(self.weight.detach().mT.contiguous())
        return plain


class Statistics(nn.Module):
    """Hold the stored mean and variance of a batch norm, and its gain and bias: linear functions of the condition or,
    with `tables`, one row per class."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int, condition: int, tables: bool):
        super().__init__()
        self.gain, self.bias = (
            Table(condition, channels) if tables else SpectralLinear(channels, condition, bias=False) for _ in range(2)
        )
        self.register_buffer("stored_mean", torch.empty(channels))
        self.register_buffer("stored_var", torch.empty(channels))

    def folded(self) -> ConditionalNorm:
        """Return the frozen norm."""
        return ConditionalNorm(self.stored_mean, self.stored_var, EPS, self.gain.folded(), self.bias.folded())


class LastStatistics(nn.Module):
    """Hold the stored statistics of the last batch norm, whose gain and bias do not depend on a condition."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.empty(channels)), nn.Parameter(torch.empty(channels))
        self.register_buffer("stored_mean", torch.empty(channels))
        self.register_buffer("stored_var", torch.empty(channels))


class Residual(nn.Module):
    """Hold the stored layers of a block that doubles the resolution."""

    def __init__(self, inside: int, outside: int, condition: int, tables: bool):
        super().__init__()
        self.conv1, self.conv2 = SpectralConv(outside, inside, 3, 3), SpectralConv(outside, outside, 3, 3)
        self.conv_sc = SpectralConv(outside, inside, 1, 1)
        self.bn1, self.bn2 = Statistics(inside, condition, tables), Statistics(outside, condition, tables)


class SelfAttention(nn.Module):
    """Hold the stored layers of an attention."""

    def __init__(self, channels: int):
        super().__init__()
        inner, half = channels // 8, channels // 2
        self.theta, self.phi = (SpectralConv(inner, channels, 1, 1, bias=False) for _ in range(2))
        self.g = SpectralConv(half, channels, 1, 1, bias=False)
        self.o = SpectralConv(channels, half, 1, 1, bias=False)
        self.gamma = nn.Parameter(torch.empty(()))

    def folded(self) -> Attention:
        """Return the frozen attention."""
        return Attention(self.theta.folded(), self.phi.folded(), self.g.folded(), self.o.folded(), self.gamma)


class BigGAN(nn.Module):
    """Hold everything that the files store, under the same names.

    widths: channels before the first block and after each block. attention: the block that the attention follows, if
    any. chunk: dimensions of z that the first layer reads, and each block if z is `split` (--hier). shared: dimensions
    of the class embedding; 0 if there is none.
    """

    def __init__(
        self, widths: Sequence[int], attention: int | None, chunk: int, shared: int, classes: int, split: bool = True
    ):
        super().__init__()
        self.classes, self.split = classes, split
        if shared:
            self.shared = nn.Embedding(classes, shared)
        condition = (shared or classes) + chunk * split
        self.linear = SpectralLinear(widths[0] * BOTTOM**2, chunk)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [Residual(inside, outside, condition, not shared)]
                + ([SelfAttention(outside)] if number == attention else [])
            )
            for number, (inside, outside) in enumerate(itertools.pairwise(widths))
        )
        self.output_layer = nn.ModuleDict({"0": LastStatistics(widths[-1]), "2": SpectralConv(3, widths[-1], 3, 3)})


class Block(nn.Module):
    """Apply a frozen residual block; the first convolution also upsamples, and the 1x1 shortcut precedes upsampling."""

    def __init__(self, block: Residual):
        super().__init__()
        self.norm1, self.norm2 = block.bn1.folded(), block.bn2.folded()
        self.conv1, self.conv2 = upsampling_conv(block.conv1.folded()), block.conv2.folded()
        self.shortcut = block.conv_sc.folded()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shortcut = interpolate(self.shortcut(x), scale_factor=2, mode="nearest")
        x = self.conv2(self.norm2(self.conv1(self.norm1(x, condition)), condition))
        return x.add_(shortcut.to(x.dtype))


class FrozenBigGAN(nn.Module):
    """Map z and classes to images, with spectral norms folded. It shares tensors with `held` where it can."""

    def __init__(self, held: BigGAN):
        super().__init__()
        # (classes, shared), or one-hot classes
        self.embedding = held.shared.weight if hasattr(held, "shared") else nn.Parameter(torch.eye(held.classes))
        self.split = held.split
        self.chunk = held.linear.weight.shape[1]
        self.first = held.linear.folded()
        parts = [(number, part) for number, block in enumerate(held.blocks) for part in block.children()]
        self.blocks = nn.ModuleList(Block(part) for _, part in parts if isinstance(part, Residual))
        self.attentions = nn.ModuleDict(
            {str(number): part.folded() for number, part in parts if isinstance(part, SelfAttention)}
        )
        last, conv = held.output_layer["0"], held.output_layer["2"]
        assert isinstance(last, LastStatistics) and isinstance(conv, SpectralConv)
        self.head = Head(last.stored_mean, last.stored_var, EPS, last.gain, last.bias, conv.folded())
        self.to(memory_format=torch.channels_last)

    def reads(self) -> dict[str, Tensor]:
        """Return the weights of the first layer (out, chunk), and of the norms of each block (out, class and chunk)."""
        norms = {f"layer{number}": (block.norm1, block.norm2) for number, block in enumerate(self.blocks, start=1)}
        return {"layer0": self.first.weight, **{name: weights_of(each) for name, each in norms.items()}}

    def stages(self, z: Tensor, classes: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield "layer0" (the first linear layer), "layer1", ... (blocks), "attention" at its place, and "image".

        z: (batch, dim), split into chunks of equal size, one for the first layer and one for each block, or read by
        the first layer alone.
        """
        first, *others = z.split(self.chunk, dim=1) if self.split else (z, *[z[:, :0]] * len(self.blocks))
        embedding = self.embedding[classes]
        x = self.first(first).unflatten(1, (-1, BOTTOM, BOTTOM)).contiguous(memory_format=torch.channels_last)
        yield "layer0", x
        for number, (block, chunk) in enumerate(zip(self.blocks, others, strict=True)):
            x = block(x, torch.cat([embedding, chunk], dim=1))
            yield f"layer{number + 1}", x
            if str(number) in self.attentions:
                x = self.attentions[str(number)](x)
                yield "attention", x
        yield "image", self.head(x)
