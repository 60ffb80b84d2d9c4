"""Safetensors files with metadata of ours: read without trusting either."""

import json
import os
import subprocess
import sys
from typing import TypedDict

import pytest
import torch
from safetensors.torch import save_file

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.tensor_files import read_metadata, read_tensor_file, tensor_shapes


class About(TypedDict):
    kind: str


def write(path, tensors, text=None):
    save_file(tensors, path, metadata=None if text is None else {METADATA_KEY: text})
    return path


def test_tensors_and_metadata_are_read(tmp_path):
    path = write(tmp_path / "a.safetensors", {"x": torch.ones(2, 3)}, json.dumps({"kind": "test", "more": 1}))
    tensors, about = read_tensor_file(path, About)
    assert torch.equal(tensors["x"], torch.ones(2, 3)) and about == {"kind": "test", "more": 1}
    assert read_metadata(path, About) == about and tensor_shapes(path) == {"x": (2, 3)}
    plain = write(tmp_path / "b.safetensors", {"x": torch.ones(1)})
    assert read_metadata(plain, About) is None and read_tensor_file(plain, About)[1] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "its metadata: not JSON"),
        ("[" * 100_000, "its metadata: not JSON"),
        ("[]", "its metadata: expected object, got array"),
        ("{}", "its metadata: object missing required field kind"),
        ('{"kind": 5}', "its metadata: expected str, got int, at kind"),
    ],
)
def test_the_metadata_is_checked_before_tensors_are_read(text, words, tmp_path):
    path = write(tmp_path / "a.safetensors", {"x": torch.ones(2)}, text)
    for read in (read_metadata, read_tensor_file):
        with pytest.raises(InputError, match=f"a.safetensors: {words}"):
            read(path, About)


def test_tensors_without_ordinary_values_are_refused(tmp_path):
    path = write(tmp_path / "a.safetensors", {"x": torch.ones(2).to(torch.float8_e4m3fn)})
    assert read_metadata(path) is None and tensor_shapes(path) == {"x": (2,)}
    with pytest.raises(InputError, match="tensor x is of float8_e4m3fn"):
        read_tensor_file(path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_bytes(b"text")
    whole = write(tmp_path / "whole", {"x": torch.ones(9)}).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-5])
    (tmp_path / "longer").write_bytes(whole + b"x")
    for name, words in {
        "pipe": "not a file",
        "missing": "no such file",
        ".": "a folder",
        "text": "not a readable safetensors file",
        "cut": "it may be cut short",
        "longer": "not a readable safetensors file",
    }.items():
        for read in (read_metadata, read_tensor_file, tensor_shapes):
            with pytest.raises(InputError, match=words) as error:
                read(tmp_path / name)
            assert "\n" not in str(error.value)


def test_an_enormous_file_is_not_opened(tmp_path):
    (tmp_path / "a.safetensors").touch()
    os.truncate(tmp_path / "a.safetensors", 5 << 30)  # it takes no space on the disk
    with pytest.raises(InputError, match="larger than 4 GB"):
        read_metadata(tmp_path / "a.safetensors")


def test_metadata_needs_no_torch(tmp_path):
    path = write(tmp_path / "a.safetensors", {"x": torch.ones(1)}, '{"kind": "test"}')
    code = (
        "import sys; from direction_finder.tensor_files import read_metadata\n"
        f"assert read_metadata({str(path)!r}) == {{'kind': 'test'}} and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
