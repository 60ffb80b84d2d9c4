"""Define BigGAN-deep (Brock et al. 2019, https://arxiv.org/abs/1809.11096), frozen at one truncation.

The network class, its configuration and its files are those of `pytorch-pretrained-biggan`, but the forward pass is
computed here from the same layers. The package's forward feeds one z to all layers, computes 125 unused channels of the
last convolution, divides by spectral norms at every call, and interpolates its batch-norm statistics with the weights
of the two neighbours swapped (and, by rounding, takes the row below at truncations 0.14, 0.28, 0.56, 0.58 and 0.94).
"""

from collections.abc import Iterator
from typing import TypeVar

import torch
from pytorch_pretrained_biggan.model import BigGAN, BigGANBatchNorm, GenBlock, SelfAttn
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear
from torch.nn.utils import remove_spectral_norm
from torch.nn.utils.spectral_norm import SpectralNorm

from direction_finder.generators.networks.layers import Attention, ConditionalNorm, Head, upsampling_conv, weights_of

Network = TypeVar("Network", bound=nn.Module)


def fold_spectral_norm(module: Network) -> Network:
    """Replace every spectrally normalised weight by its value in eval mode, in place. Outputs stay bit-equal."""
    for layer in module.modules():
        if any(isinstance(hook, SpectralNorm) for hook in layer._forward_pre_hooks.values()):
            remove_spectral_norm(layer)
    return module


def statistics(norm: BigGANBatchNorm, truncation: float) -> tuple[Tensor, Tensor]:
    """Return mean and variance (channels,) at a truncation in [0, 1], interpolated linearly between stored rows."""
    last = len(norm.running_means) - 1
    position = truncation * last
    if abs(position - round(position)) < 1e-6:
        position = round(position)
    below = int(position)
    above, weight = min(below + 1, last), position - below
    return (
        torch.lerp(norm.running_means[below], norm.running_means[above], weight),
        torch.lerp(norm.running_vars[below], norm.running_vars[above], weight),
    )


class Block(nn.Module):
    """Apply a residual bottleneck of four norms and convolutions; the shortcut takes the first channels, upsampled."""

    def __init__(self, block: GenBlock, truncation: float):
        super().__init__()
        self.upsamples = block.up_sample
        second = upsampling_conv(block.conv_1) if self.upsamples else block.conv_1
        self.convs = nn.ModuleList([block.conv_0, second, block.conv_2, block.conv_3])
        self.norms = nn.ModuleList(
            ConditionalNorm(*statistics(norm, truncation), norm.eps, norm.scale, norm.offset)
            for norm in (block.bn_0, block.bn_1, block.bn_2, block.bn_3)
        )

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shortcut = x[:, : self.convs[3].out_channels]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(norm(x, condition))
        if self.upsamples:
            shortcut = interpolate(shortcut, scale_factor=2, mode="nearest")
        return x.add_(shortcut.to(x.dtype))


class FrozenBigGANDeep(nn.Module):
    """Map latents and classes to images, with folded spectral norms and fixed statistics. Changes `model` in place."""

    def __init__(self, model: BigGAN, truncation: float):
        super().__init__()
        network = fold_spectral_norm(model).generator
        self.embedding = model.embeddings.weight  # (z_dim, classes)
        self.gen_z = network.gen_z
        self.layers = nn.ModuleList(
            _attention(layer) if isinstance(layer, SelfAttn) else Block(layer, truncation) for layer in network.layers
        )
        conv, norm = network.conv_to_rgb, network.bn
        conv.weight, conv.bias = (nn.Parameter(tensor[:3].detach().clone()) for tensor in (conv.weight, conv.bias))
        self.head = Head(*statistics(norm, truncation), norm.eps, norm.weight, norm.bias, conv)
        self.to(memory_format=torch.channels_last)  # faster convolutions on CPUs and GPUs

    @property
    def num_blocks(self) -> int:
        """Return the number of residual blocks."""
        return sum(isinstance(layer, Block) for layer in self.layers)

    def reads(self) -> dict[str, Tensor]:
        """Return the weights (out, z and embedding) of the first layer, and of all norms of each block."""
        blocks = [layer for layer in self.layers if isinstance(layer, Block)]
        norms = {f"layer{number}": block.norms for number, block in enumerate(blocks, start=1)}
        return {"layer0": self.gen_z.weight, **{name: weights_of(each) for name, each in norms.items()}}

    def stages(self, latents: Tensor, classes: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield "layer0" (first linear layer), "layer1", ... (blocks), "attention" at its place, and "image".

        latents: (batch, 1 + blocks, z_dim); layer i reads latents[:, i] and the embedding of the class.
        """
        embedding = self.embedding.mT[classes]
        conditions = [torch.cat([z, embedding], dim=1) for z in latents.unbind(1)]
        x = linear(conditions[0], self.gen_z.weight, self.gen_z.bias)
        x = x.view(len(x), 4, 4, -1).permute(0, 3, 1, 2)  # stored with channels last, as in TensorFlow
        yield "layer0", x
        block = 0
        for layer in self.layers:
            if isinstance(layer, Attention):
                x = layer(x)
                yield "attention", x
            else:
                block += 1
                x = layer(x, conditions[block])
                yield f"layer{block}", x
        yield "image", self.head(x)


def _attention(layer: SelfAttn) -> Attention:
    convs = (layer.snconv1x1_theta, layer.snconv1x1_phi, layer.snconv1x1_g, layer.snconv1x1_o_conv)
    return Attention(*convs, layer.gamma)
