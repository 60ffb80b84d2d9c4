"""Read images from IDX files, in which MNIST and its kin are published (http://yann.lecun.com/exdb/mnist/)."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from direction_finder.errors import InputError
from direction_finder.files import existing_file

PATTERNS = ("*-idx3-ubyte", "*-idx3-ubyte.gz", "*.idx3-ubyte", "*.idx3-ubyte.gz")
IMAGES_OF_BYTES = bytes([0, 0, 8, 3])  # type and number of dimensions
HEADER = 16
MOST_BYTES = 4 << 30  # of the unpacked images


def idx_files(folder: Path) -> list[Path]:
    """Return the files of images in a folder, by name; not those of labels."""
    return sorted({path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()})


def read_idx(files: list[Path]) -> np.ndarray:
    """Read grey images (n, H, W) of bytes from files, gzipped or not.

    Raises InputError if a file is not what it says, or has images of another size than the first.
    """
    tables = [_read(path) for path in files]
    for path, table in zip(files, tables, strict=True):
        if table.shape[1:] != tables[0].shape[1:]:
            raise InputError(f"{path}: images of {table.shape[1:]}, but {files[0].name} has {tables[0].shape[1:]}")
    return np.concatenate(tables)


def _read(path: Path) -> np.ndarray:
    existing_file(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            header = file.read(HEADER)
            sizes = struct.unpack(">3I", header[4:]) if len(header) == HEADER else (0,)
            total = math.prod(sizes)
            if header[:4] != IMAGES_OF_BYTES or not 0 < total <= MOST_BYTES:
                raise InputError(f"{path}: not an IDX file of images; download it again")
            content = file.read(total + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable gzip file ({error}); download it again") from error
    if len(content) != total:
        raise InputError(
            f"{path}: it does not hold the {sizes[0]} images of {sizes[1:]} that it says; download it again"
        )
    return np.frombuffer(content, np.uint8).reshape(sizes)
