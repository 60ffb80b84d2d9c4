"""Image data sets on disk: a folder of images, a table of their factors, and a description of the factors.

FOLDER/dataset.json       how the set was made, and its factors
FOLDER/factors.csv        one row per image: its index, then one column per factor
FOLDER/images/000000.png  ...
FOLDER/checksums.sha256   written last; can be checked by `sha256sum -c`
"""

import csv
import hashlib
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from direction_finder.dataset_tables import DATASET, Description, Factor, factors_of, read_table
from direction_finder.errors import InputError
from direction_finder.files import TEMPORARY, existing_file, file_sha256, read_json, replacing, write_json
from direction_finder.idx import idx_files, read_idx
from direction_finder.locks import LOCK

FACTORS, IMAGES, CHECKSUMS = "factors.csv", "images", "checksums.sha256"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # read whatever the suffix says
LARGEST = 1 << 26  # pixels of an image; a small file may unpack to far more


@dataclass(frozen=True)
class Dataset:
    """A finished data set.

    values: for each factor an array (n,) of numbers, or of indexes into its choices.
    """

    folder: Path
    about: dict[str, Any]
    factors: tuple[Factor, ...]
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return self.about["num"]

    def factor(self, name: str) -> Factor:
        """Return the factor of this name. Raises InputError if the set has none."""
        for factor in self.factors:
            if factor.name == name:
                return factor
        names = ", ".join(factor.name for factor in self.factors)
        raise InputError(f"{self.folder}: no factor {name!r}; it has {names}")

    def images(self, indexes: Iterable[int] | None = None) -> np.ndarray:
        """Read the images with these indexes (default: all) as bytes (n, H, W, 3)."""
        images = []
        for index in range(len(self)) if indexes is None else indexes:
            image, side = read_image(self.folder / image_name(index)), self.about["resolution"]
            if image.shape != (side, side, 3):
                raise InputError(
                    f"{self.folder / image_name(index)}: {image.shape[1]} x {image.shape[0]} pixels, expected {side} x "
                    f"{side}; make the data set again"
                )
            images.append(image)
        return np.stack(images)

    @classmethod
    def open(cls, folder: str | Path) -> "Dataset":
        """Open a finished data set and read its table. Raises InputError if it is not one, or is not finished."""
        folder = Path(folder)
        if not (folder / DATASET).is_file():
            raise InputError(f"{folder}: not a data set (no {DATASET}); make one with `direction-finder scenes`")
        if not (folder / CHECKSUMS).is_file():
            raise InputError(f"{folder}: not finished; run the same `scenes` command again")
        about = read_json(folder / DATASET, Description)
        factors = factors_of(about["factors"], str(folder / DATASET))
        values, num = read_table(folder / FACTORS, factors), about["num"]
        if any(len(column) != num for column in values.values()):
            raise InputError(
                f"{folder / FACTORS}: it does not have one row for each of {num} images; make the data set again"
            )
        return cls(folder, about, factors, values)

    def damaged(self) -> list[str]:
        """Return the names of the files that are missing or differ from their checksums."""
        lines = (self.folder / CHECKSUMS).read_text(encoding="utf-8", errors="replace").splitlines()
        damaged = []
        for line in lines:
            digest, _, name = line.partition("  ")
            path, inside = self.folder / name, not Path(name).is_absolute() and ".." not in Path(name).parts
            if not inside or not os.path.isfile(path) or file_sha256(path) != digest:
                damaged.append(name)
        return damaged


def image_name(index: int) -> str:
    """Return the path of image `index` within the folder."""
    return f"{IMAGES}/{index:06d}.png"


def read_image(path: Path) -> np.ndarray:
    """Read an image as bytes (H, W, 3). Raises InputError if the file is missing, too large or not an image."""
    existing_file(path, "expected an image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked here
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > LARGEST:
                    raise InputError(
                        f"{path}: {image.width} x {image.height} pixels; give images of at most 8192 x 8192"
                    )
                return np.asarray(image.convert("RGB"))
    except InputError:
        raise
    except Exception as error:  # whatever a hostile file makes the reader raise
        raise InputError(f"{path}: not a readable image ({error})") from error


class Images:
    """The images of a data set, of a folder of images, each read from disk when it is indexed, or of IDX files.

    A folder's images are in the order of their names; the largest square in the middle of each is scaled to
    `resolution`. Data sets and IDX files have a resolution of their own, which is the default. `about` holds the
    folder, the number of images and their resolution, and the kind and seed of a data set. Raises InputError if there
    is no image.
    """

    table: np.ndarray | None = None  # images (n, H, W) of IDX files

    def __init__(self, folder: str | Path, resolution: int | None = None):
        folder = Path(folder)
        if (folder / DATASET).is_file():
            data = Dataset.open(folder)
            self.paths = [folder / image_name(index) for index in range(len(data))]
            about = {name: data.about[name] for name in ("kind", "seed")}
            resolution = resolution or data.about["resolution"]
        elif files := idx_files(folder):
            self.table, self.paths, about = read_idx(files), files, {"kind": folder.resolve().name}
            resolution = resolution or min(self.table.shape[1:])
        else:
            found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
            self.paths = sorted(path for path in found if path.is_file())
            about = {"kind": folder.resolve().name}
            if not self.paths:
                raise InputError(
                    f"{folder}: no data set and no images; give a folder with {', '.join(SUFFIXES)} or IDX files "
                    "(Fashion-MNIST: apt-get install dataset-fashion-mnist, in /usr/share/datasets/fashion-mnist)"
                )
            if not resolution:
                raise InputError(f"{folder}: a folder of images; give their size with `resolution`")
        self.resolution = resolution
        self.about = {"folder": str(folder.resolve()), **about, "num": len(self), "resolution": resolution}

    def __len__(self) -> int:
        return len(self.paths if self.table is None else self.table)

    def __getitem__(self, indexes: Iterable[int]) -> np.ndarray:
        """Read images as bytes (n, R, R, 3). Raises InputError if a file is missing or not an image."""
        return np.stack([_square(self._read(index), self.resolution) for index in indexes])

    def _read(self, index: int) -> np.ndarray:
        if self.table is None:
            return read_image(self.paths[index])
        return np.repeat(self.table[index][:, :, None], 3, axis=2)

    def sha256(self, indexes: Iterable[int]) -> str:
        """Return the SHA-256 of the checksums of these images' files, or of the pixels in IDX files."""
        if self.table is not None:
            return hashlib.sha256(self.table[list(indexes)].tobytes()).hexdigest()
        return hashlib.sha256("".join(file_sha256(self.paths[index]) for index in indexes).encode()).hexdigest()


def read_images(folder: str | Path, resolution: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """Read all of `Images` as bytes (n, R, R, 3). Return them and their `about`, with the hash of the pixels."""
    images = Images(folder, resolution)
    pixels = images[range(len(images))]
    return pixels, {**images.about, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}


def _square(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[:2]
    if height == width == side:
        return image
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    box = (left, top, left + short, top + short)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS, box))


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image (H, W, 3) of bytes as PNG, atomically."""
    with replacing(path) as part:
        Image.fromarray(image).save(part, format="png")


def begin(folder: Path, about: dict[str, Any], factors: Sequence[Factor], rows: Sequence[dict[str, Any]]) -> None:
    """Begin or resume a data set: write its table and its description, before its images are made.

    Raises InputError if the folder holds another data set, or anything else.
    """
    content = {**about, "factors": [asdict(factor) for factor in factors], "num": len(rows)}
    content["factors"] = [{**fields, "choices": list(fields["choices"])} for fields in content["factors"]]
    if (folder / DATASET).is_file():
        old = read_json(folder / DATASET, Description)
        for key in content | old:
            if key not in ("num", "versions") and old.get(key) != content.get(key):
                raise InputError(
                    f"{folder}: it holds a data set with {key} {old.get(key)}, not {content.get(key)}; "
                    "give another `out`"
                )
        if old["versions"] != content["versions"]:
            raise InputError(
                f"{folder}: begun with {old['versions']}, but {content['versions']} is installed, which may render "
                "differently; give another `out`"
            )
        if old["num"] > len(rows):
            raise InputError(
                f"{folder}: it holds {old['num']} images already, more than {len(rows)}; give another `out`"
            )
        if old["num"] < len(rows):
            (folder / CHECKSUMS).unlink(missing_ok=True)
    elif folder.is_dir() and any(not path.name.startswith((LOCK, TEMPORARY)) for path in folder.iterdir()):
        raise InputError(f"{folder}: the folder exists and is not empty; give a new folder as `out`")
    write_json(folder / DATASET, content)  # first: a folder whose beginning was interrupted is recognised by it
    with replacing(folder / FACTORS) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [factor.name for factor in factors]
        writer.writerow(["index", *names])
        writer.writerows([index, *(row[name] for name in names)] for index, row in enumerate(rows))


def missing(folder: Path, num: int) -> list[int]:
    """Return the indexes, below `num`, of the images that do not exist yet."""
    existing = {path.name for path in (folder / IMAGES).glob("*.png")}
    return [index for index in range(num) if Path(image_name(index)).name not in existing]


def finish(folder: Path, num: int) -> None:
    """Write the checksums of the table and of every image; from then on the data set counts as finished."""
    names = [FACTORS, *map(image_name, range(num))]
    with replacing(folder / CHECKSUMS) as part:
        part.write_text("".join(f"{file_sha256(folder / name)}  {name}\n" for name in names), encoding="utf-8")
