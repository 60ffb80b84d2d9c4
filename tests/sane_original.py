"""The original BigGAN with random weights that behaves like a trained one, see tests/sane_biggan.py.

python -m tests.sane_original FILE      # the size of the paper's BigGAN-128: 1000 classes, z of 120
"""

import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d, normalize, relu

from direction_finder.generators.networks.biggan import (
    BigGAN,
    LastStatistics,
    Residual,
    SelfAttention,
    Spectral,
    Statistics,
)

FULL = tuple(96 * width for width in (16, 16, 8, 4, 2, 1))


def live(held: BigGAN, z: Tensor, classes: Tensor, measure: bool = False) -> Tensor:
    """The published forward, step by step: norms at every call, upsampling before convolutions; before the tanh.

    measure: whether every batch norm first stores the statistics of its input.
    """

    def standard(of: Statistics | LastStatistics, x):
        if measure:
            of.stored_var.copy_(x.var((0, 2, 3)))
            of.stored_mean.copy_(x.mean((0, 2, 3)))
        return (x - of.stored_mean[:, None, None]) / (of.stored_var[:, None, None] + 1e-5).sqrt()

    def norm(of: Statistics, x, y):
        return standard(of, x) * (1 + of.gain(y))[:, :, None, None] + of.bias(y)[:, :, None, None]

    def up(x):
        return interpolate(x, scale_factor=2)

    def block(of: Residual, x, y):
        return of.conv2(relu(norm(of.bn2, of.conv1(up(relu(norm(of.bn1, x, y)))), y))) + of.conv_sc(up(x))

    def attend(of: SelfAttention, x):
        key, value = max_pool2d(of.phi(x), 2).flatten(2), max_pool2d(of.g(x), 2).flatten(2)
        weights = (of.theta(x).flatten(2).mT @ key).softmax(-1)
        return of.gamma * of.o((value @ weights.mT).view(len(x), -1, *x.shape[2:])) + x

    chunks = z.chunk(1 + len(held.blocks), dim=1)
    x = held.linear(chunks[0]).view(len(z), -1, 4, 4)
    for parts, chunk in zip(held.blocks, chunks[1:], strict=True):
        x = block(parts[0], x, torch.cat([held.shared(classes), chunk], 1))
        x = attend(parts[1], x) if len(parts) > 1 else x
    last = held.output_layer["0"]
    x = standard(last, x)
    return held.output_layer["2"](relu(x * last.gain[:, None, None] + last.bias[:, None, None]))


@torch.no_grad()
def sane_original(
    widths: tuple[int, ...] = FULL, shared: int = 128, classes: int = 1000, *, seed: int = 0, batch: int = 8
) -> dict[str, Tensor]:
    """The weights, as the published files store them: norms converged, statistics measured, images that fill [-1, 1].

    widths: channels before the first block and after each; attention follows the fourth. batch: samples that measure.
    """
    rng = torch.Generator().manual_seed(seed)
    held = BigGAN(widths, 3 if len(widths) > 4 else None, 20, shared, classes)
    for name, tensor in held.state_dict().items():
        tensor.fill_(1) if name.endswith("gamma") else tensor.normal_(generator=rng)
        if name.endswith("bias") and tensor.ndim == 1:
            tensor.zero_()
    held.shared.weight.mul_(0.5)
    for module in held.modules():
        if isinstance(module, Spectral):
            rows = module.weight.flatten(1)
            for _ in range(50):
                module.u0.copy_(normalize(normalize(module.u0 @ rows) @ rows.mT))
            module.sv0.fill_((module.u0 @ rows).norm())
    last = held.output_layer["0"]
    last.gain.fill_(1)
    z = torch.randn(batch, 20 * len(widths), generator=rng)
    before = live(held, z, torch.arange(batch) * classes // batch, measure=True)
    last.gain.mul_(0.6 / before.std())
    return held.state_dict()


if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    torch.save(sane_original(), sys.argv[1])
