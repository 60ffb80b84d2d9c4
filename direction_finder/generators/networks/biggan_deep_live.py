"""Train BigGAN-deep: the layers of a `pytorch-pretrained-biggan` model with gradients and batch statistics.

The package's own forward has no training mode, because its batch norms only read stored statistics.
"""

from typing import Any

import torch
from pytorch_pretrained_biggan.model import BigGAN, BigGANBatchNorm, GenBlock, SelfAttn
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, max_pool2d


class NormReLU(torch.autograd.Function):
    """Compute relu(gain * (x - mean) / sqrt(variance + eps) + offset) with the batch's statistics, in few passes.

    x: (batch, channels, H, W); gain and offset: (batch, channels). Also returns mean and variance (channels,), which
    have no gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, offset: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        mean = rows.mean(0)
        variance = (rows.square().mean(0) - mean.square()).clamp_(min=0)
        inverse = torch.rsqrt(variance + eps)
        slope = gain * inverse
        y = torch.addcmul(_wide(offset - mean * slope), x, _wide(slope)).relu_()
        ctx.save_for_backward(x, y, gain, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        x, y, gain, mean, inverse = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
        grad_offset = grad.sum((2, 3))
        grad_gain = ((grad * x).sum((2, 3)) - mean * grad_offset) * inverse
        count = x.numel() // x.shape[1]
        level, tilt = (gain * grad_offset).sum(0) / count, (gain * grad_gain).sum(0) / count
        flat = (mean * inverse * tilt - level) * inverse
        grad_x = torch.addcmul(flat[:, None, None], x, (-inverse.square() * tilt)[:, None, None])
        return grad_x.addcmul_(grad, _wide(gain * inverse)), grad_gain, grad_offset, None


def _wide(tensor: Tensor) -> Tensor:
    return tensor[:, :, None, None]


class LiveBigGANDeep(nn.Module):
    """Compute images from `model`, a model of the package, which is trained in place and saved."""

    def __init__(self, model: BigGAN):
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, classes: Tensor, row: int | None = None) -> Tensor:
        """Return images (batch, 3, H, W) for z (batch, dim) and classes (batch,), normalised by the batch's statistics.

        row: the row of every norm's table in which to store the statistics; None: they are not stored.
        """
        network = self.model.generator
        condition = torch.cat([z, self.model.embeddings.weight.mT[classes]], dim=1)
        x = network.gen_z(condition).view(len(z), 4, 4, -1).permute(0, 3, 1, 2)
        for layer in network.layers:
            x = _attend(layer, x) if isinstance(layer, SelfAttn) else _block(layer, x, condition, row)
        gain, offset = (tensor.expand(len(z), -1) for tensor in (network.bn.weight, network.bn.bias))
        x = _normalised(network.bn, x, gain, offset, row)
        to_rgb = network.conv_to_rgb
        for hook in to_rgb._forward_pre_hooks.values():  # the hook divides by the spectral norm
            hook(to_rgb, ())
        return conv2d(x, to_rgb.weight[:3], to_rgb.bias[:3], padding=1).tanh()


def _normalised(norm: BigGANBatchNorm, x: Tensor, gain: Tensor, offset: Tensor, row: int | None) -> Tensor:
    y, mean, variance = NormReLU.apply(x, gain, offset, norm.eps)
    if row is not None:
        norm.running_means[row], norm.running_vars[row] = mean, variance
    return y


def _block(block: GenBlock, x: Tensor, condition: Tensor, row: int | None) -> Tensor:
    shortcut = x[:, : block.conv_3.out_channels]
    for number, (norm, conv) in enumerate(
        [
            (block.bn_0, block.conv_0),
            (block.bn_1, block.conv_1),
            (block.bn_2, block.conv_2),
            (block.bn_3, block.conv_3),
        ]
    ):
        x = _normalised(norm, x, 1 + norm.scale(condition), norm.offset(condition), row)
        if block.up_sample and number == 1:
            x = interpolate(x, scale_factor=2, mode="nearest")
        x = conv(x)
    if block.up_sample:
        shortcut = interpolate(shortcut, scale_factor=2, mode="nearest")
    return x + shortcut


def _attend(attention: SelfAttn, x: Tensor) -> Tensor:
    query = attention.snconv1x1_theta(x).flatten(2).mT
    key = max_pool2d(attention.snconv1x1_phi(x), 2).flatten(2)
    value = max_pool2d(attention.snconv1x1_g(x), 2).flatten(2)
    mixed = value @ (query @ key).softmax(2).mT
    return x + attention.gamma * attention.snconv1x1_o_conv(mixed.unflatten(2, x.shape[2:]))
