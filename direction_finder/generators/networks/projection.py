"""Define a class-conditional discriminator: strided convolutions with spectral norms and a projection onto the class.

Spectral normalisation: Miyato et al. 2018, https://arxiv.org/abs/1802.05957; projection: Miyato & Koyama 2018,
https://arxiv.org/abs/1802.05637; standard deviation in the batch as an extra channel: Karras et al. 2018, section 3.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils import spectral_norm

SLOPE = 0.1
GROUP = 8  # number of images in which the standard deviation is measured


class ProjectionDiscriminator(nn.Module):
    """Map images (batch, 3, resolution, resolution) and class numbers (batch,) to scores (batch,)."""

    def __init__(self, resolution: int, width: int, num_classes: int):
        super().__init__()
        convs, channels, size = [nn.Conv2d(3, width, 4, 2, 1)], width, resolution // 2
        while size > 4:
            convs += [nn.Conv2d(channels, channels, 3, 1, 1), nn.Conv2d(channels, 2 * channels, 4, 2, 1)]
            channels, size = 2 * channels, size // 2
        convs.append(nn.Conv2d(channels + 1, channels, 3, 1, 1))
        self.convs = nn.ModuleList(map(spectral_norm, convs))
        self.score = spectral_norm(nn.Linear(channels, 1))
        self.embedding = spectral_norm(nn.Embedding(num_classes, channels))

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        x = images
        for conv in self.convs[:-1]:
            x = leaky_relu(conv(x), SLOPE)
        x = leaky_relu(self.convs[-1](torch.cat([x, _spread(x)], dim=1)), SLOPE).sum((2, 3))
        return self.score(x).squeeze(1) + (self.embedding(classes) * x).sum(1)


def _spread(x: Tensor) -> Tensor:
    """Return the mean standard deviation within groups of the batch, as a channel (batch, 1, H, W)."""
    group = GROUP if len(x) % GROUP == 0 else len(x)
    deviation = (x.unflatten(0, (-1, group)).var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
