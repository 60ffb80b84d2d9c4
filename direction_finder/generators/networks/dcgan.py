"""Define the DCGAN generator (Radford et al. 2016, https://arxiv.org/abs/1511.06434)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky-relu": partial(functional.leaky_relu, negative_slope=0.2),
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}
OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": lambda x: 2 * torch.sigmoid(x) - 1,  # in [-1, 1], like all images
    "none": lambda x: x,
}


class Step(NamedTuple):
    """Hold the stride, padding and output padding (`more`) of a transposed convolution."""

    stride: int
    padding: int
    more: int = 0

    def size(self, before: int, kernel: int) -> int:
        """Return the height of the output for an input of height `before`."""
        return (before - 1) * self.stride - 2 * self.padding + kernel + self.more


class DCGAN(nn.Module):
    """Map inputs (batch, widths[0]) to images (batch, widths[-1], H, W) with transposed convolutions.

    widths: channels from the input to the image, e.g. (100, 512, 256, 128, 64, 3). biases: one per convolution.
    kernels and steps: one per convolution; by default 4x4 kernels, the first with stride 1, the others with stride 2.
    Batch norm and activation follow every convolution but the last, which `output` follows.
    """

    def __init__(
        self,
        widths: Sequence[int],
        biases: Sequence[bool],
        kernels: Sequence[int] = (),
        steps: Sequence[Step] = (),
        activation: str = "relu",
        output: str = "tanh",
    ):
        super().__init__()
        count = len(widths) - 1
        kernels, steps = kernels or [4] * count, steps or [Step(1, 0), *[Step(2, 1)] * (count - 1)]
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(fan_in, fan_out, kernel, *step, bias=bias)
            for (fan_in, fan_out), kernel, step, bias in zip(pairwise(widths), kernels, steps, biases, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:-1])
        self.activation, self.output = ACTIVATIONS[activation], OUTPUTS[output]
        self.resolution = 1
        for kernel, step in zip(kernels, steps, strict=True):
            self.resolution = step.size(self.resolution, kernel)

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield ("layer0", ...), ..., ("image", ...) for inputs (batch, widths[0]), each computed only when needed."""
        x = x[:, :, None, None]
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=False)):
            x = self.activation(norm(conv(x)))
            yield f"layer{i}", x
        last = self.convs[-1]
        yield "image", self.output(last(x.to(last.get_parameter("weight").dtype)))

    def forward(self, x: Tensor) -> Tensor:
        *_, (_, image) = self.stages(x)
        return image
