"""Draw sprites like those of dSprites (Matthey et al. 2017, https://github.com/google-deepmind/dsprites-dataset).

A white square, ellipse or heart on black: all five factors but the shape are continuous here, and edges are smooth.
"""

from typing import Any

import numpy as np

from direction_finder.datasets import Factor
from direction_finder.scenes.families import Family

FINE = 4  # points along each side of a pixel
SPRITES = "sprites"
FAMILY = Family(
    (
        Factor("shape", choices=("square", "ellipse", "heart")),
        Factor("scale", 0.5, 1.0),
        Factor("orientation", circular=True),
        Factor("x"),
        Factor("y"),
    )
)
LARGEST = 0.42  # half the width of a sprite of scale 1, for a field that is 2 wide
REACH = 0.5  # the farthest that a sprite's centre is from that of the field, along x and y


def draw_sprite(row: dict[str, Any], resolution: int) -> np.ndarray:
    """Draw the sprite with these factor values as bytes (resolution, resolution, 3)."""
    points = (np.arange(resolution * FINE) + 0.5) * 2 / (resolution * FINE) - 1
    x, y = np.meshgrid(points - REACH * (2 * row["x"] - 1), points - REACH * (2 * row["y"] - 1))
    angle = 2 * np.pi * row["orientation"]
    u = (np.cos(angle) * x + np.sin(angle) * y) / (LARGEST * row["scale"])
    v = (np.cos(angle) * y - np.sin(angle) * x) / (LARGEST * row["scale"])
    inside = INSIDE[row["shape"]](u, v)
    grey = inside.reshape(resolution, FINE, resolution, FINE).mean((1, 3))
    return np.repeat((255 * grey).round().astype(np.uint8)[:, :, None], 3, axis=2)


INSIDE = {
    "square": lambda u, v: np.maximum(abs(u), abs(v)) < 0.75,
    "ellipse": lambda u, v: u**2 + 4 * v**2 < 1,
    "heart": lambda u, v: (1.3 * u**2 + (1.3 * v + 0.1) ** 2 - 0.9) ** 3 < -1.3 * u**2 * (1.3 * v + 0.1) ** 3,
}
