"""Files of torch and NumPy that anybody may have made: damaged, hostile, endless, or much larger than they look."""

import io
import os
import random
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from direction_finder import torch_files
from direction_finder.errors import InputError
from direction_finder.generators.weights import read_state, read_tensors
from direction_finder.samples import Samples
from direction_finder.torch_files import DEEPEST, Unreadable, check_content, load_numpy, load_torch, unusable

STATE = {"a.weight": torch.arange(600.0).view(20, 30), "a.bias": torch.zeros(20)}


def rezipped(source: Path, target: Path, change, compression: int = zipfile.ZIP_STORED) -> None:
    """Copy an archive, with the content of each member changed, and right checksums."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            new.writestr(member.filename, change(member.filename, old.read(member)))


@pytest.mark.parametrize("seed", range(5))
def test_forty_damaged_bytes_are_found(seed, tmp_path):
    """Without the checksums, torch reads most of these files as other weights."""
    path = tmp_path / "g.pth"
    torch.save(STATE, path)
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    start = content.index(STATE["a.weight"].numpy().tobytes())
    for place in rng.sample(range(start, start + 2400), 40):
        content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    assert not torch.equal(torch.load(path, weights_only=True)["a.weight"], STATE["a.weight"])
    with pytest.raises(
        InputError, match=r"damaged \(the checksum or the mark of g/data/0 is wrong\); download it again"
    ):
        read_state(path)


def test_a_member_marked_as_a_folder_is_found(tmp_path):
    """Torch would read uninitialised memory."""
    path = tmp_path / "g.pth"
    torch.save(STATE, path)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"g/data/0"))
    content[entry + 38] |= 0x10
    path.write_bytes(content)
    with pytest.raises(InputError, match="mark of g/data/0 is wrong"):
        read_state(path)


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(place=st.integers(0, 10**6), value=st.integers(1, 255))
def test_any_damaged_byte_is_refused_or_harmless(place, value):
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    content = bytearray(buffer.getvalue())
    content[place % len(content)] ^= value
    with TemporaryDirectory() as folder:
        path = Path(folder, "g.pth")
        path.write_bytes(content)
        try:
            state = read_state(path)
        except InputError as error:
            assert str(error).isprintable() and str(path) in str(error)
        else:
            assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_damage_in_arrays_is_found(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.ones(100))
    content = bytearray(path.read_bytes())
    content[content.index(np.ones(100).tobytes()) + 7] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the checksum or the mark of a.npy is wrong"):
        load_numpy(path)


def test_archives_that_unpack_to_far_more_than_their_size_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_files, "UNPACKED", 1 << 20)
    zeros = bytes(1 << 16)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number}.npy", zeros)
    torch.save(STATE, tmp_path / "g.pth")
    rezipped(
        tmp_path / "g.pth",
        tmp_path / "bomb.pth",
        lambda name, data: zeros * 40 if name.endswith("data/0") else data,
        zipfile.ZIP_DEFLATED,
    )
    for name in ("bomb.npz", "bomb.pth"):
        with pytest.raises(InputError, match=r"bytes that unpack to 2,6\d\d,\d\d\d; refused"):
            read_tensors(tmp_path / name)


def test_arrays_that_claim_to_be_enormous_are_refused(tmp_path):
    header = np.lib.format.magic(1, 0)
    about = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }"
    about += b" " * (63 - (len(header) + 2 + len(about)) % 64) + b"\n"
    (tmp_path / "a.npy").write_bytes(header + len(about).to_bytes(2, "little") + about + bytes(48))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(tmp_path / "a.npy", "a.npy")
    for name in ("a.npy", "a.npz"):
        with pytest.raises(Unreadable, match="not a file of torch or NumPy, or cut short"):
            load_numpy(tmp_path / name)


def test_arrays_of_numbers_are_read_in_any_order(tmp_path):
    for dtype, order in ((">f4", "C"), ("<f8", "F"), ("<i2", "C"), ("?", "C")):
        array = np.arange(6).reshape(2, 3).astype(dtype, order=order)
        np.save(tmp_path / "a.npy", array)
        assert load_numpy(tmp_path / "a.npy").tolist() == array.tolist()
    np.savez(
        tmp_path / "a.npz", a=np.ones(2), text=np.array(["a"]), objects=np.array([print]), record=np.zeros(1, "f4,i4")
    )
    assert set(load_numpy(tmp_path / "a.npz")) == {"a"}


def endless() -> dict:
    content: dict = {"a": torch.ones(1)}
    content["self"] = content
    return content


def bushy() -> list:
    content: list = [torch.ones(1)]
    for _ in range(DEEPEST - 5):
        content = [content, content]
    return content


def deep() -> dict:
    content: dict = {"a": torch.ones(1)}
    for _ in range(200):
        content = {"model": content}
    return content


def endless_list() -> list:
    content: list = []
    content.append(content)
    return content


@pytest.mark.parametrize("make", [endless, endless_list, bushy, deep])
def test_content_without_end_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.setattr(torch_files, "MOST", 1000)
    torch.save(make(), tmp_path / "g.pt")
    for read in (read_state, Samples.load):
        with pytest.raises(InputError, match=r"g.pt: its content is nested too deeply, or holds itself"):
            read(tmp_path / "g.pt")


def test_content_that_is_shared_is_read(tmp_path):
    torch.save({"generator": STATE, "copies": [STATE] * 3, "step": 1}, tmp_path / "g.pt")
    assert torch.equal(read_state(tmp_path / "g.pt")["a.weight"], STATE["a.weight"])


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.eye(3).to_sparse(), r"is sparse \(sparse_coo\)"),
        (torch.ones(3, device="meta"), "has no values"),
        (torch.ones(3).to(torch.float8_e5m2), "is of float8_e5m2"),
        (torch.zeros(1).expand(10**6, 10**6), r"repeats a few values as \(1000000, 1000000\)"),
    ],
)
def test_tensors_without_ordinary_values_are_refused(tensor, words, tmp_path):
    torch.save({"netG": {"a.weight": tensor}}, tmp_path / "g.pt")
    torch.save({"latents": tensor}, tmp_path / "samples.pt")
    with pytest.raises(InputError, match=rf"tensor netG.a.weight {words}"):
        read_state(tmp_path / "g.pt")
    with pytest.raises(InputError, match=f"tensor latents {words}"):
        Samples.load(tmp_path / "samples.pt")


def test_quantised_tensors_are_refused_and_views_are_not():
    class Quantised:  # making a real one warns
        layout, dtype, device = torch.strided, torch.qint8, torch.device("cpu")

    assert unusable(Quantised()) == "is of qint8"  # type: ignore[arg-type]
    for tensor in (
        torch.ones(4, 6)[:, ::2].T,
        torch.ones(1).expand(100),
        torch.tensor(1),
        torch.ones(0),
        torch.ones(2).bool(),
    ):
        assert unusable(tensor) is None
    check_content({"a": [torch.ones(1), {"b": (torch.ones(1), None, "text", 5)}], 3: None}, Path("a"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "a NoneType, not a state dict"),
        ([STATE], "a list, not a state dict"),
        ({}, "a dict, not a state dict"),
        ({0: torch.ones(2)}, "an entry named by a int is a Tensor; a state dict holds names and tensors only"),
        ({"a": torch.ones(2), 5: torch.ones(2)}, "an entry named by a int"),
        ({"a": torch.ones(2), (torch.ones(1), "x"): None}, "an entry named by a tuple is a NoneType"),
        ({"a": None}, "holds no tensors"),
        ({"a\nb\x1b": torch.full((2,), torch.nan)}, r"weight a b\\x1b holds NaN"),
    ],
)
def test_what_is_no_state_dict_is_refused_in_one_line(content, words, tmp_path):
    torch.save(content, tmp_path / "g.pt")
    with pytest.raises(InputError, match=words) as error:
        read_state(tmp_path / "g.pt")
    assert str(error.value).isprintable()


def test_hostile_names_are_refused_in_one_line(tmp_path):
    torch.save({f"network {number} " + "x" * 1000: STATE for number in range(100)}, tmp_path / "g.pt")
    with pytest.raises(InputError, match="holds several networks") as error:
        read_state(tmp_path / "g.pt")
    assert len(str(error.value)) < 5000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"weight_map": {"a": 5}}', "expected str, got int"),
        ('{"weight_map": ["a"]}', "expected object, got array"),
        ("[" * 50_000, "not JSON"),
        ('{"weight_map": {"a": ""}}', "names '', which is not in its folder"),
        ('{"weight_map": {"a": ".."}}', r"names '\.\.', which is not in its folder"),
        ('{"weight_map": {"a": "../g.safetensors"}}', "not in its folder"),
        ('{"weight_map": {"a": "a\\u0000b"}}', "no such file"),
        ('{"weight_map": {"a": "g.index.json"}}', "holds no weights by name"),
        ('{"weight_map": {"a": "rows.npy"}}', "holds no weights by name"),
    ],
)
def test_an_index_of_shards_is_checked(text, words, tmp_path):
    (tmp_path / "g.index.json").write_text(text)
    np.save(tmp_path / "rows.npy", np.ones((2, 2)))
    with pytest.raises(InputError, match=words):
        read_state(tmp_path / "g.index.json")


@pytest.mark.parametrize("name", ["g.pt", "g.npy", "g.safetensors", "g.index.json"])
def test_pipes_folders_and_devices_are_no_files(name, tmp_path):
    path = tmp_path / name
    for make, words in (
        (os.mkfifo, "not a file"),
        (os.mkdir, "a folder"),
        (lambda at: os.symlink("/dev/zero", at), "not a file"),
    ):
        make(path)
        for read in (read_state, Samples.load):
            with pytest.raises(InputError, match=words):
                read(path)
        path.rmdir() if words == "a folder" else path.unlink()


@pytest.mark.parametrize("name", ["a\0b.pt", "\udcff.pt", "a" * 300])
def test_impossible_names_are_refused_in_one_line(name, tmp_path):
    for read in (read_state, Samples.load):
        with pytest.raises(InputError, match=r"no such file|too long") as error:
            read(tmp_path / name)
        assert str(error.value).isprintable()


def test_whatever_the_reader_raises_is_one_line(tmp_path, monkeypatch):
    torch.save(STATE, tmp_path / "g.pth")
    for error in (
        RecursionError("deep"),
        MemoryError(),
        IndexError("a\nb"),
        AssertionError(),
        RuntimeError("not enough memory: x"),
    ):
        monkeypatch.setattr(torch, "load", lambda *_, error=error, **__: (_ for _ in ()).throw(error))
        with pytest.raises(Unreadable) as caught:
            load_torch(tmp_path / "g.pth")
        assert caught.value.reason and "\n" not in caught.value.reason
    assert caught.value.reason == "it says that it is larger than the memory"
