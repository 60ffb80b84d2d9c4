"""Render scenes by Mitsuba 3 (https://www.mitsuba-renderer.org), in its scalar variant, which is deterministic."""

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from direction_finder.errors import MissingExtra
from direction_finder.scenes.families import LIGHT, Thing

SAMPLES_PER_PIXEL = 9  # for each light
CAMERA = [0, -7.2, 6.6]
FILL = {"type": "point", "position": CAMERA, "intensity": {"type": "rgb", "value": 50.0}}  # casts no visible shadow
LAMP_DISTANCE, LAMP_HEIGHT, LAMP_RADIUS = 12.0, 13.8, 1.8  # outside the image; large enough for soft shadows
CUBE_TURN = 30.0  # degrees
CUBE_HALF, CYLINDER_RADIUS, CYLINDER_HEIGHT = 0.82, 0.85, 1.75  # for an object of size 1


@cache
def renderer() -> ModuleType:
    """Return the module `mitsuba`, set to one thread. Raises MissingExtra if it is not installed."""
    try:
        import drjit
        import mitsuba
    except ImportError as error:
        raise MissingExtra("rendering", "scenes") from error
    drjit.set_thread_count(1)
    mitsuba.set_variant("scalar_rgb")
    return mitsuba


def render(things: Sequence[Thing], *, resolution: int, seed: int, light: float = LIGHT) -> np.ndarray:
    """Render objects as an image of bytes (resolution, resolution, 3).

    light: position of the lamp, in turns about the vertical. seed: seed of the random rays.
    """
    mitsuba = renderer()
    passes = [  # one pass per light, which avoids the noise of choosing a light at random
        np.array(mitsuba.render(mitsuba.load_dict(_scene(mitsuba, things, resolution, seed, source)), seed=seed))
        for source in (_lamp(light), FILL)
    ]
    bitmap = mitsuba.Bitmap(sum(passes))
    return np.array(bitmap.convert(mitsuba.Bitmap.PixelFormat.RGB, mitsuba.Struct.Type.UInt8, srgb_gamma=True))


def _lamp(light: float) -> dict[str, Any]:
    angle = 2 * np.pi * light
    return {
        "type": "sphere",
        "center": [float(LAMP_DISTANCE * np.cos(angle)), float(LAMP_DISTANCE * np.sin(angle)), LAMP_HEIGHT],
        "radius": LAMP_RADIUS,
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": 42.0}},
    }


def _scene(mitsuba: ModuleType, things: Sequence[Thing], resolution: int, seed: int, source: dict) -> dict[str, Any]:
    transform = mitsuba.ScalarTransform4f
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "direct", "emitter_samples": 1, "bsdf_samples": 0},
        "sensor": {
            "type": "perspective",
            "fov": 27,
            "to_world": transform().look_at(origin=CAMERA, target=[0, 0, 0.35], up=[0, 0, 1]),
            "film": {
                "type": "hdrfilm",
                "width": resolution,
                "height": resolution,
                "rfilter": {"type": "gaussian"},
                "pixel_format": "rgb",
            },
            "sampler": {"type": "multijitter", "sample_count": SAMPLES_PER_PIXEL, "seed": seed},
        },
        "ground": {"type": "rectangle", "to_world": transform().scale(60), "bsdf": _matt((0.735, 0.735, 0.735))},
        "source": source,
    }
    for number, thing in enumerate(things):
        for part, shape in _parts(transform, thing).items():
            scene[f"{part}{number}"] = {**shape, "bsdf": _matt(thing.colour)}
    return scene


def _matt(colour: Sequence[float]) -> dict[str, Any]:
    """Return a diffuse material with an sRGB colour from 0 to 1."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return {"type": "diffuse", "reflectance": {"type": "rgb", "value": linear}}


def _parts(transform: Any, thing: Thing) -> dict[str, dict[str, Any]]:
    size = thing.size
    if thing.shape == "sphere":
        return {"body": {"type": "sphere", "center": [thing.x, thing.y, size], "radius": size}}
    if thing.shape == "cube":
        half = CUBE_HALF * size
        turned = transform().translate([thing.x, thing.y, half]).rotate([0, 0, 1], CUBE_TURN).scale(half)
        return {"body": {"type": "cube", "to_world": turned}}
    radius, height = CYLINDER_RADIUS * size, CYLINDER_HEIGHT * size
    top = [thing.x, thing.y, height]
    return {
        "body": {"type": "cylinder", "p0": [thing.x, thing.y, 0], "p1": top, "radius": radius},
        "lid": {"type": "disk", "to_world": transform().translate(top).scale(radius)},
    }
