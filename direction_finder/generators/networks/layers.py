"""Define the layers shared by the frozen BigGANs, the original and the deep one."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class ConditionalNorm(nn.Module):
    """Apply batch norm with fixed statistics, scaled and shifted by linear functions of a condition, then ReLU."""

    mean: Tensor
    inverse_std: Tensor

    def __init__(self, mean: Tensor, variance: Tensor, eps: float, scale: nn.Linear, offset: nn.Linear):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("inverse_std", torch.rsqrt(variance + eps))
        self.scale, self.offset = scale, offset

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain = (1 + self.scale(condition)) * self.inverse_std
        bias = self.offset(condition) - self.mean * gain
        gain, bias = gain.to(x.dtype), bias.to(x.dtype)  # mixed types would be slow
        return torch.addcmul(bias[:, :, None, None], x, gain[:, :, None, None]).relu_()


def weights_of(norms: Iterable[Any]) -> Tensor:
    """Return the weights (out, condition) that multiply the condition in several `ConditionalNorm`s."""
    return torch.cat([linear.weight for norm in norms for linear in (norm.scale, norm.offset)])


class Attention(nn.Module):
    """Apply self-attention over positions; keys and values are max-pooled 2x2 (Zhang et al. 2019)."""

    def __init__(self, query: nn.Conv2d, key: nn.Conv2d, value: nn.Conv2d, out: nn.Conv2d, gamma: Tensor):
        super().__init__()
        self.query, self.key, self.value, self.out, self.gamma = query, key, value, out, gamma

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2).mT
        key = max_pool2d(self.key(x), 2).flatten(2).mT
        value = max_pool2d(self.value(x), 2).flatten(2).mT
        with torch.autocast(x.device.type, enabled=False):  # it would compute the softmax in another type
            mixed = (query @ key.mT).softmax(2) @ value
        return x + (self.gamma * self.out(mixed.mT.unflatten(2, x.shape[2:]))).to(x.dtype)


class Head(nn.Module):
    """Map the last activations to images: batch norm with fixed statistics, ReLU, 3x3 convolution, tanh."""

    gain: Tensor
    bias: Tensor

    def __init__(self, mean: Tensor, variance: Tensor, eps: float, scale: Tensor, offset: Tensor, conv: nn.Conv2d):
        super().__init__()
        gain = scale * torch.rsqrt(variance + eps)
        self.register_buffer("gain", gain.detach())
        self.register_buffer("bias", (offset - mean * gain).detach())
        self.to_rgb = conv

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addcmul(self.bias[:, None, None], x, self.gain[:, None, None]).relu_()
        return self.to_rgb(x).tanh()


def upsampling_conv(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return nearest upsampling by 2 and then this 3x3 convolution as one transposed one, with 4 / 9 of the work.

    Along each axis, taps that read the same input pixel are added: [w2, w1 + w2, w0 + w1, w0].
    """
    taps = conv.weight.new_tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    both = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 4, stride=2, padding=1, bias=conv.bias is not None)
    both.weight = nn.Parameter(torch.einsum("ap,bq,oipq->ioab", taps, taps, conv.weight.detach()))
    if conv.bias is not None:
        both.bias = nn.Parameter(conv.bias.detach().clone())
    return both
