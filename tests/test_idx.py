"""Images in IDX files."""

import gzip
import struct

import numpy as np
import pytest

from direction_finder.datasets import Images, read_images
from direction_finder.errors import InputError


def idx(images: np.ndarray, magic: bytes = b"\0\0\x08\x03") -> bytes:
    return magic + struct.pack(f">{images.ndim}I", *images.shape) + images.tobytes()


def pixels(n: int, height: int = 28, width: int = 28) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, height, width), dtype=np.uint8)


def test_gzipped_and_plain_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(pixels(5)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels(3))))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 5) + bytes(5))
    images, about = read_images(tmp_path)
    assert (about["num"], about["resolution"], about["kind"]) == (8, 28, tmp_path.name)
    assert np.array_equal(images, np.repeat(np.concatenate([pixels(3), pixels(5)])[..., None], 3, axis=3))
    assert Images(tmp_path)[[2, 7]].shape == (2, 28, 28, 3)
    assert Images(tmp_path, 16)[[0]].shape == (1, 16, 16, 3)
    assert Images(tmp_path).sha256([0, 1]) != Images(tmp_path).sha256([0, 2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a-idx3-ubyte", b"", "not an IDX file of images"),
        ("a-idx3-ubyte", idx(pixels(2))[:7], "not an IDX file of images"),
        ("a-idx3-ubyte", idx(pixels(2), b"\0\0\x0d\x03"), "not an IDX file of images"),
        ("a-idx3-ubyte", idx(pixels(2))[:-1], "it does not hold the 2 images"),
        ("a-idx3-ubyte", idx(pixels(2)) + b"x", "it does not hold the 2 images"),
        ("a-idx3-ubyte", b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**31, 2**31), "not an IDX file of images"),
        ("a-idx3-ubyte.gz", b"not gzip", "not a readable gzip file"),
        ("a-idx3-ubyte.gz", gzip.compress(idx(pixels(2)))[:-20], "not a readable gzip file"),
    ],
)
def test_wrong_files_are_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_images(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_images_of_two_sizes_are_refused(tmp_path):
    (tmp_path / "a-idx3-ubyte").write_bytes(idx(pixels(2)))
    (tmp_path / "b-idx3-ubyte").write_bytes(idx(pixels(2, 32, 32)))
    with pytest.raises(InputError, match="b-idx3-ubyte: images of"):
        read_images(tmp_path)


def test_a_folder_without_images_says_how_to_get_some(tmp_path):
    with pytest.raises(InputError, match="apt-get install dataset-fashion-mnist"):
        read_images(tmp_path)
