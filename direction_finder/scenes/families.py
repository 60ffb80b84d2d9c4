"""The families of scenes: their factors, how factor values are drawn, and the objects in a scene.

The first three are those of the Hessian Penalty paper (Peebles et al. 2020, section 4.1, https://arxiv.org/abs/2008.10599),
which rendered CLEVR's objects (Johnson et al. 2017). Lengths are in units of the scene, similar to CLEVR's.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from direction_finder.datasets import Factor

SHAPES = ("cube", "sphere", "cylinder")
COLOURS = {  # CLEVR's eight, in sRGB
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}
X, Y = Factor("x", -1.1, 1.1), Factor("y", -1.0, 0.9)
SIZES = {"small": 0.5, "large": 0.8}
LIGHT = 0.1  # position of the lamp, in turns about the vertical, for families without the factor `light`
MOST_TRIES = 1000


@dataclass(frozen=True)
class Thing:
    """One object: its shape, its position on the ground, half its width (`size`), and its sRGB colour from 0 to 1."""

    shape: str
    x: float
    y: float
    size: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """A kind of scene. `things`: factor values -> objects. `fits`: whether values are valid; others are drawn again.

    ordered: factor values -> the same scene, with its objects in the order in which they are numbered.
    """

    factors: tuple[Factor, ...]
    things: Callable[[dict[str, Any]], list[Thing]] = lambda row: []
    fits: Callable[[dict[str, Any]], bool] = lambda row: True
    ordered: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row

    def draw(self, seed: int, index: int) -> dict[str, Any]:
        """Draw the factor values of one image, which depend only on (seed, index)."""
        rng = np.random.default_rng([seed, index])
        for _ in range(MOST_TRIES):
            row = {
                factor.name: str(rng.choice(factor.choices))
                if factor.choices
                else round(float(rng.uniform(factor.low, factor.high)), 6)
                for factor in self.factors
            }
            if self.fits(row):
                return self.ordered(row)
        raise AssertionError(f"no valid factor values in {MOST_TRIES} tries: `fits` is too strict")


def _named(name: str) -> tuple[float, float, float]:
    red, green, blue = COLOURS[name]
    return red / 255, green / 255, blue / 255


def _shapes(row: dict[str, Any]) -> list[Thing]:
    return [Thing(row["class"], row["x"], row["y"], row["size"], colorsys.hsv_to_rgb(row["hue"], 0.85, 0.95))]


def _simple(row: dict[str, Any]) -> list[Thing]:
    return [Thing(row["shape"], row["x"], row["y"], SIZES["large"], _named(row["colour"]))]


def _one(row: dict[str, Any]) -> list[Thing]:
    return [Thing("cube", row["x"], 0.0, SIZES["large"], _named("red"))]


def _complex(row: dict[str, Any]) -> list[Thing]:
    return [
        Thing(row[f"shape{i}"], row[f"x{i}"], row[f"y{i}"], SIZES[row[f"size{i}"]], _named(row[f"colour{i}"]))
        for i in (1, 2)
    ]


def _apart(row: dict[str, Any]) -> bool:
    """Return whether the two objects do not touch."""
    first, second = _complex(row)
    return np.hypot(first.x - second.x, first.y - second.y) > 1.15 * (first.size + second.size)


def _from_the_left(row: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the left object as the first: in an image, nothing else tells one from the other."""
    if row["x1"] <= row["x2"]:
        return row
    return {name: row[f"{name[:-1]}{3 - int(name[-1])}"] for name in row}


def _object_factors(number: int) -> tuple[Factor, ...]:
    return (
        Factor(f"colour{number}", choices=tuple(COLOURS)),
        Factor(f"shape{number}", choices=SHAPES),
        Factor(f"size{number}", choices=tuple(SIZES)),
        Factor(f"x{number}", X.low, X.high),
        Factor(f"y{number}", Y.low, Y.high),
    )


FAMILIES = {
    "clevr-simple": Family((Factor("colour", choices=tuple(COLOURS)), Factor("shape", choices=SHAPES), X, Y), _simple),
    "clevr-1fov": Family((X,), _one),
    "clevr-complex": Family((*_object_factors(1), *_object_factors(2)), _complex, _apart, _from_the_left),
    "shapes": Family(
        (
            Factor("class", choices=SHAPES),
            X,
            Y,
            Factor("size", 0.5, 0.85),
            Factor("hue", circular=True),
            Factor("light", circular=True),
        ),
        _shapes,
    ),
}
