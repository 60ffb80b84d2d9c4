"""Compute edge maps of images, and split files that have edges and photo side by side."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_gradient_magnitude

from direction_finder.datasets import read_image
from direction_finder.errors import InputError

FAINT, STRONG = 12.0, 30.0  # gradients, in grey levels per pixel, that become white and black


def edge_map(image: np.ndarray) -> np.ndarray:
    """Return black lines on white, where any channel of an image (H, W, 3) of bytes changes, as bytes (H, W, 3)."""
    gradients = [gaussian_gradient_magnitude(image[:, :, i].astype(float), 0.7) for i in range(3)]
    lines = 255 * (1 - np.clip((np.max(gradients, axis=0) - FAINT) / (STRONG - FAINT), 0, 1))
    return np.repeat(lines.round().astype(np.uint8)[:, :, None], 3, axis=2)


def pairs(folder: Path) -> list[Path]:
    """Return the paths of a folder's images, sorted by name. Raises InputError if there are none."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise InputError(f"{folder}: no .jpg or .png files; give pix2pix's edges2shoes/train")
    return files


def split_pair(path: Path, half: int, resolution: int) -> np.ndarray:
    """Read the left (0) or right (1) half of an image, as bytes (resolution, resolution, 3).

    Raises InputError if the image is not two squares side by side.
    """
    image = read_image(path)
    side = image.shape[0]
    if image.shape[1] != 2 * side:
        raise InputError(f"{path}: {image.shape[1]} x {side}; expected two squares side by side")
    square = Image.fromarray(image[:, half * side : (half + 1) * side])
    return np.asarray(square.resize((resolution, resolution), Image.Resampling.BOX))
