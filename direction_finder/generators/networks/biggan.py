"""The original BigGAN (Brock et al. 2019, https://arxiv.org/abs/1809.11096) with a split z, as its files hold it, and
frozen: spectral norms folded, upsampling and convolution in one."""

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, linear, normalize

from direction_finder.generators.networks.layers import Attention, ConditionalNorm, Head, upsampling_conv

EPS = 1e-5  # of batch norms
SPECTRAL_EPS = 1e-6
BOTTOM = 4  # pixels along a side at which the first block begins


class Spectral(nn.Module):
    """A weight that is divided by its largest singular value, as one power step from the stored vector gives it.

    That is what the published network does at each forward in eval mode. `sv0` is in its files and not used.
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
        """The weight divided by its singular value."""
        rows = self.weight.flatten(1)
        right = normalize(self.u0 @ rows, eps=SPECTRAL_EPS)
        left = normalize(right @ rows.mT, eps=SPECTRAL_EPS)
        return self.weight / (left @ rows @ right.mT)


class SpectralLinear(Spectral):
    """A linear layer of such a weight (outside, inside)."""

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
    """A convolution with such a weight (outside, inside, size, size), which keeps the size of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.normed(), self.bias, padding=self.weight.shape[2] // 2)

    def folded(self) -> nn.Conv2d:
        """Return a plain layer with the normed weight."""
        outside, inside, size, _ = self.weight.shape
        plain = nn.Conv2d(inside, outside, size, padding=size // 2, bias=self.bias is not None)
        plain.weight, plain.bias = nn.Parameter(self.normed().detach()), self.bias
        return plain


class Table(nn.Module):
    """A row for each class, as gains and biases are where classes share no embedding (--G_shared left out)."""

    def __init__(self, classes: int, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, channels))

    def folded(self) -> nn.Linear:
        """Return the same as a function of one-hot classes."""
        classes, channels = self.weight.shape
        plain = nn.Linear(classes, channels, bias=False)
        plain.weight = nn.Parameter(self.weight.detach().mT.contiguous())
        return plain


class Statistics(nn.Module):
    """The stored mean and variance of a batch norm, and its gain and bias: linear functions of the condition, or, with
    `tables`, a row for each class."""

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
        return ConditionalNorm(self.stored_mean, self.stored_var, EPS, self.gain.folded(), self.bias.folded())


class LastStatistics(nn.Module):
    """The same of the last batch norm, whose gain and bias are plain."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.empty(channels)), nn.Parameter(torch.empty(channels))
        self.register_buffer("stored_mean", torch.empty(channels))
        self.register_buffer("stored_var", torch.empty(channels))


class Residual(nn.Module):
    """What the files hold of a block that doubles the resolution."""

    def __init__(self, inside: int, outside: int, condition: int, tables: bool):
        super().__init__()
        self.conv1, self.conv2 = SpectralConv(outside, inside, 3, 3), SpectralConv(outside, outside, 3, 3)
        self.conv_sc = SpectralConv(outside, inside, 1, 1)
        self.bn1, self.bn2 = Statistics(inside, condition, tables), Statistics(outside, condition, tables)


class SelfAttention(nn.Module):
    """What the files hold of an attention."""

    def __init__(self, channels: int):
        super().__init__()
        inner, half = channels // 8, channels // 2
        self.theta, self.phi = (SpectralConv(inner, channels, 1, 1, bias=False) for _ in range(2))
        self.g = SpectralConv(half, channels, 1, 1, bias=False)
        self.o = SpectralConv(channels, half, 1, 1, bias=False)
        self.gamma = nn.Parameter(torch.empty(()))

    def folded(self) -> Attention:
        return Attention(self.theta.folded(), self.phi.folded(), self.g.folded(), self.o.folded(), self.gamma)


class BigGAN(nn.Module):
    """All that the files hold, under their names.

    widths: channels before the first block and after each. attention: after which block, if any. chunk: dimensions of
    z that the first layer reads, and each block if z is `split` (--hier). shared: dimensions of the class embedding; 0
    if there is none.
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
    """A frozen residual block. Upsampling and the first convolution are one; the shortcut, of 1x1, goes before it."""

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
    """The generator of a file, its spectral norms folded. Shares the file's tensors where it can."""

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

    def stages(self, z: Tensor, classes: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield "layer0" (the first linear layer), "layer1", ... (blocks), "attention" where it stands, and "image".

        z: (batch, dim), split into chunks of equal size: one for the first layer, one for each block; or read by the
        first layer alone.
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
