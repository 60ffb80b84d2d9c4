"""Read the factors of `shapes` from the pixels by geometry, without a network: a check of what the network reads.

The saturated pixels are the object. The ray through their centre is followed to the height of the object, which gives
x and y; the root of their area, times the distance, gives the size; their mean colour the hue. The brightness of the
grey ground falls with the distance from the lamp, so its slope points to the lamp; the object, and what is darker than
the slope says (the shadow), are left out. Five constants are fitted to renders by `calibrate`. The class is not read:
objects of one size have outlines of different areas, so size has an error of its own for every class, which does not
matter where the class is fixed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from direction_finder.datasets import Factor
from direction_finder.metrics.factor_network import TURN
from direction_finder.metrics.reader import Reader

FACTORS = (
    Factor("x", -1.1, 1.1),
    Factor("y", -1.0, 0.9),
    Factor("size", 0.5, 0.85),
    Factor("hue", circular=True),
    Factor("light", circular=True),
)
RESOLUTION = 64
CAMERA, TARGET, FIELD = (0.0, -7.2, 6.6), (0.0, 0.0, 0.35), 27.0  # of the renders; the field of view in degrees
UNCOLOURED, COLOURED = 0.25, 0.65  # saturations: less is ground, more is object, and edges are between
BRIGHTEST = 0.95  # value of the objects' colours (HSV)
MARGIN = 5  # pixels; ground within half of it from the object is not looked at
ROUNDS, DARKER, LIGHTER = 3, 0.06, 0.12  # fits of the ground, without what is so much darker or lighter than the last
RIDGE = 1e-4  # so that a fit to no pixels is finite


class Constants(NamedTuple):
    """Hold what is fitted to renders: factors of x, y and size, how much size adds to y, the slope without a lamp."""

    x: float
    y: float
    y_of_size: float
    size: float
    slope: float


CONSTANTS = Constants(1.01217, 0.97906, 0.15299, 0.94458, -0.04774)  # by benchmarks/pixel_reader.py


class PixelReader(Reader):
    """Read x, y, size, hue and light in images of `shapes` of 64 pixels.

    >>> reader = PixelReader()
    >>> reader.read(images)["hue"]
    """

    title = "pixel reader"
    constants: Tensor
    axes: Tensor  # of the camera: forwards, right, down
    plane: Tensor  # where each pixel is on the plane at distance 1 from the camera: (2, H, W)
    ground: Tensor  # 1, x and y of the ground in each pixel: (H W, 3)
    products: Tensor  # of two of those: (H W, 9)

    def __init__(self, constants: Constants = CONSTANTS):
        super().__init__()
        self.factors, self.resolution = FACTORS, RESOLUTION
        self.about = {"reader": "pixels", "constants": constants._asdict()}
        self.register_buffer("constants", torch.tensor(constants))
        camera, target = torch.tensor(CAMERA), torch.tensor(TARGET)
        forward = (target - camera) / (target - camera).norm()
        right = torch.tensor([1.0, 0.0, 0.0])
        self.register_buffer("axes", torch.stack([forward, right, -torch.linalg.cross(right, forward)]))
        centres = (torch.arange(RESOLUTION) + 0.5 - RESOLUTION / 2) / (RESOLUTION / 2)
        across, down = torch.meshgrid(*2 * [centres * math.tan(math.radians(FIELD / 2))], indexing="xy")
        self.register_buffer("plane", torch.stack([across, down]))
        ground, _ = self._at_height(across.flatten(), down.flatten(), torch.zeros(1))
        ground = torch.cat([torch.ones_like(ground[:, :1]), ground], 1)
        self.register_buffer("ground", ground)
        self.register_buffer("products", (ground[:, :, None] * ground[:, None]).flatten(1))

    def values_in(self, images: Tensor) -> dict[str, Tensor]:
        """Return the factors of images (batch, 3, 64, 64) in [-1, 1]."""
        x, y, size, hue, across, along = self.measure(images).unbind(1)
        by = self.constants
        return {
            "x": by[0] * x,
            "y": by[1] * y + by[2] * size,
            "size": by[3] * size,
            "hue": hue,
            "light": (torch.atan2(along - by[4], across) / TURN).remainder(1),
        }

    def measure(self, images: Tensor) -> Tensor:
        """Return what factors are computed from (batch, 6): x, y and size before they are scaled, hue, the slope."""
        light = _linear((images + 1) / 2)
        high, low = (images + 1).amax(1) / 2, (images + 1).amin(1) / 2
        part = (((high - low) / high.clamp_min(0.05) - UNCOLOURED) / (COLOURED - UNCOLOURED)).clamp(0, 1)
        area = part.sum((1, 2)).clamp_min(1e-3)
        across, down = ((part * each).sum((1, 2)) / area for each in self.plane)
        radius = (area / math.pi).sqrt() * (self.plane[0, 0, 1] - self.plane[0, 0, 0])
        size = radius * torch.tensor(CAMERA).norm()
        for _ in range(4):  # the distance depends on the size, because the middle of the object is that high
            place, distance = self._at_height(across, down, size)
            size = radius * distance
        colour = (part.square()[:, None] * light).sum((2, 3))
        rest = [_hue(colour), *self._slope(light.mean(1), part)]
        return torch.stack([place[:, 0], place[:, 1], size, *rest], 1)

    def _at_height(self, across: Tensor, down: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and y (n, 2) of where rays of the camera are at a height, and their distance from its plane."""
        rays = self.axes[0] + across[:, None] * self.axes[1] + down[:, None] * self.axes[2]
        distance = (height - CAMERA[2]) / rays[:, 2]
        return (torch.tensor(CAMERA).to(rays) + rays * distance[:, None])[:, :2], distance

    def _slope(self, brightness: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        """Return how much brighter the ground gets per unit of x and of y, as a fraction of its brightness."""
        free = max_pool2d(part[:, None], MARGIN, 1, MARGIN // 2).flatten(1) < 0.05
        brightness, used = brightness.flatten(1), free
        for _ in range(ROUNDS):
            left = (used.float() @ self.products).unflatten(1, (3, 3)) + RIDGE * torch.eye(3, device=part.device)
            fit = torch.linalg.solve(left, (used * brightness) @ self.ground)
            expected = (fit @ self.ground.mT).clamp_min(0.02)
            off = brightness / expected - 1
            used = free & (off > -DARKER) & (off < LIGHTER)
        middle = fit[:, 0].clamp_min(0.02)
        return fit[:, 1] / middle, fit[:, 2] / middle


def calibrate(images: Tensor, values: dict[str, Tensor]) -> Constants:
    """Return the constants that suit renders (n, 3, 64, 64) in [-1, 1] with known factors (n,) by least squares."""
    x, y, size, _, across, along = PixelReader().measure(images).double().unbind(1)
    turn = TURN * values["light"].double()

    def fitted(columns: list[Tensor], target: Tensor) -> list[float]:
        return torch.linalg.lstsq(torch.stack(columns, 1), target.double()[:, None]).solution[:, 0].tolist()

    towards = [torch.cat([turn.cos(), turn.sin()]), torch.cat([torch.zeros_like(x), torch.ones_like(x)])]
    of_y, of_size = fitted([y, size], values["y"])
    return Constants(
        x=fitted([x], values["x"])[0],
        y=of_y,
        y_of_size=of_size,
        size=fitted([size], values["size"])[0],
        slope=fitted(towards, torch.cat([across, along]))[1],
    )


def _linear(colours: Tensor) -> Tensor:
    """Return linear light from sRGB in [0, 1]."""
    return torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def _hue(light: Tensor) -> Tensor:
    """Return the hue in turns (n,) of linear light (n, 3), as of the sRGB colour that is as bright as the objects'."""
    brightest = _linear(torch.tensor(BRIGHTEST)).to(light)
    light = light / light.amax(1, keepdim=True).clamp_min(1e-9) * brightest
    colours = torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(1e-9) ** (1 / 2.4) - 0.055)
    red, green, blue = colours.unbind(1)
    high, width = colours.amax(1), (colours.amax(1) - colours.amin(1)).clamp_min(1e-9)
    after_green = torch.where(green == high, (blue - red) / width + 2, (red - green) / width + 4)
    return (torch.where(red == high, (green - blue) / width, after_green) / 6).remainder(1)
