"""The DCGAN generator (Radford et al. 2016, https://arxiv.org/abs/1511.06434)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn


class DCGAN(nn.Module):
    """Transposed convolutions from a 1x1 input to an image: 4x4 kernels, the first with stride 1, the rest with 2.

    widths: channels from the input to the image, e.g. (100, 512, 256, 128, 64, 3). biases: one per convolution.
    Batch norm and ReLU after every convolution but the last, which ends in tanh.
    """

    def __init__(self, widths: Sequence[int], biases: Sequence[bool]):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2 if i else 1, padding=1 if i else 0, bias=biases[i])
            for i, (fan_in, fan_out) in enumerate(pairwise(widths))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:-1])

    def stages(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield ("layer0", ...), ..., ("image", ...) for inputs (batch, widths[0]), each computed when asked for."""
        x = x[:, :, None, None]
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=False)):
            x = norm(conv(x)).relu()
            yield f"layer{i}", x
        last = self.convs[-1]
        yield "image", last(x.to(last.weight.dtype)).tanh()

    def forward(self, x: Tensor) -> Tensor:
        *_, (_, image) = self.stages(x)
        return image
