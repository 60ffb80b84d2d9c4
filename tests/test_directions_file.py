"""The file of directions: both formats, and what is in it."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from direction_finder.directions import Directions
from direction_finder.directions_file import TENSORS
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.generators import load_generator
from direction_finder.runs.loading import fitting
from tests.conftest import call

GOLDEN = Path(__file__).parent / "golden"


def raw(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[METADATA_KEY])


def test_files_of_format_1_are_read_with_the_new_names(tmp_path):
    path = GOLDEN / "directions-format-1.safetensors"  # `learn --method joint` of direction-finder 0.1.0
    before, record = raw(path), Directions.load(path)
    assert before["format"] == 1 and before["method"] == "joint" and record.method == "hessian-direct"
    after = json.loads(json.dumps(record.metadata()))
    for name, value in before.items():
        assert after[name] == value or name in ("format", "method"), name
    assert {name: after[name] for name in after.keys() - before.keys()} == {
        "scale": 1.0, "numbers": list(range(24)), "space": None, "groups": None, "curvature": None, "probe_class": None,
    }  # fmt: skip
    again = tmp_path / "again.safetensors"
    record.save(again)
    assert raw(again)["format"] == 2 and Directions.load(again) == record


def test_files_of_format_2_are_read():
    record = Directions.load(GOLDEN / "directions-format-2.safetensors")
    assert (record.method, record.space, record.names[0], record.seed) == ("random", "z", "shift", 3)
    assert record.probe.latents.shape == (1, 12) and record.probe.image.shape == (3, 16, 16)
    assert record.probe.class_index is None
    assert load_generator("clevr-1fov").deviation(record.probe) < 1e-3
    assert load_generator("clevr-simple").deviation(record.probe) > 0.02


def test_a_probe_is_kept_and_has_the_class(tmp_path, dcgan_file):
    generator = load_generator(f"dcgan:{dcgan_file}", num_classes=3)
    for chosen, expected in ((2, 2), (None, 0)):
        probe = generator.probe(chosen)
        assert probe.class_index == expected and generator.deviation(probe) < 1e-6
        Directions(torch.eye(6), "test", probe=probe).save(tmp_path / "d.safetensors")
        again = Directions.load(tmp_path / "d.safetensors").probe
        assert all(torch.equal(getattr(again, name), getattr(probe, name)) for name in ("latents", "image"))
    other = load_generator(f"dcgan:{dcgan_file}", num_classes=3).probe(1)
    assert not torch.equal(other.image, probe.image)


def test_groups_are_the_layers_of_the_parts():
    shapes, clevr = load_generator("shapes-64").outline, load_generator("clevr-1fov").outline
    assert shapes.groups == {"coarse": [0, 1, 2], "mid": [3, 4, 5, 6], "fine": [7, 8, 9]} and clevr.groups is None


def test_directions_of_other_latents_are_refused():
    record = Directions(torch.eye(6), "test", space="w")
    record.check_fits(name="a", dim=6, num_layers=1, weights_sha256="", space="w")
    with pytest.raises(InputError, match="the directions are of w, but the latents of a are z"):
        record.check_fits(name="a", dim=6, num_layers=1, weights_sha256="", space="z")


def test_what_a_newer_version_adds_is_refused(tmp_path):
    about = {**Directions(torch.eye(3), "test").metadata(), "curvature": [1.0]}
    save_file({"vectors": torch.eye(3)}, tmp_path / "d.safetensors", metadata={METADATA_KEY: json.dumps(about)})
    with pytest.raises(InputError, match="curvature"):
        Directions.load(tmp_path / "d.safetensors")


def test_check_compares_the_probe_with_the_generator(run_folder):
    facts = json.loads(call("info", run_folder, "--check", "--json").stdout)
    assert facts["probe"]["deviation"] < 1e-6 and facts["problems"] == []
    record = Directions.load(run_folder)
    spoilt = replace(record.probe, image=record.probe.image + 0.5)
    replace(record, probe=spoilt).save(run_folder / "directions.safetensors")
    facts = json.loads(call("info", run_folder, "--check", "--json").stdout)
    assert facts["probe"]["deviation"] == pytest.approx(0.5, abs=1e-5)
    assert "renders the probe of these directions differently" in facts["problems"][0]
    assert set(TENSORS) == {"vectors", "probe_latents", "probe_image", "curve_slopes", "curve_bends", "curve_axes"}


EYE = torch.eye(3)
BOMB = 100_000  # levels of nesting


def hostile(path: Path, tensors: dict | None = None, text: str | None = None, **changes: object) -> None:
    """Write a directions file with other tensors, other fields, or another text as metadata."""
    about = {**Directions(EYE, "test").metadata(), **changes}
    text = json.dumps(about) if text is None else text
    save_file({"vectors": EYE} if tensors is None else tensors, path, metadata={METADATA_KEY: text})


def header(path: Path, content: dict | bytes, data: bytes = b"", length: int | None = None) -> None:
    """Write a safetensors file by hand, with any header and any length of it."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


def claimed(rows: int, end: int, dtype: str = "F32") -> dict:
    about = json.dumps(Directions(EYE, "test").metadata())
    return {
        "__metadata__": {METADATA_KEY: about},
        "vectors": {"dtype": dtype, "shape": [rows, 3], "data_offsets": [0, end]},
    }


HOSTILE = {
    "deep JSON": (lambda path: hostile(path, text="[" * BOMB + "]" * BOMB), "its metadata: not JSON"),
    "deep JSON in a field": (
        lambda path: hostile(path, text='{"config": ' + '{"a": ' * BOMB + "NaN" + "}" * (BOMB + 1)), "not JSON",
    ),
    "no JSON": (lambda path: hostile(path, text="{"), "its metadata: not JSON"),
    "JSON of another kind": (lambda path: hostile(path, text="[1]"), "not format 1 to 3"),
    "a format that is true": (lambda path: hostile(path, format=True), "not format 1 to 3"),
    "a method that is a list": (lambda path: hostile(path, format=1, method=["joint"]), "expected str, got array, at"),
    "NaN in the metadata": (lambda path: hostile(path, scale=math.nan), "expected float > 0.0, at scale"),
    "an infinite score": (lambda path: hostile(path, scores=[1, math.inf, 2]), r"at scores\[1\]"),
    "a number that is too large": (lambda path: hostile(path, class_index=10**30), "at class_index"),
    "a negative class": (lambda path: hostile(path, class_index=-1), "expected int >= 0, at class_index"),
    "a class that is true": (lambda path: hostile(path, class_index=True), "got bool, at class_index"),
    "a negative class of the probe": (lambda path: hostile(path, probe_class=-1), "at probe_class"),
    "a layer that is far too deep": (lambda path: hostile(path, layers=[[10**9], None, None]), r"at layers\[0\]\[0\]"),
    "a negative layer": (lambda path: hostile(path, layers=[[-1], None, None]), r"at layers\[0\]\[0\]"),
    "a name of 10,000 letters": (lambda path: hostile(path, names=["a" * 10_000, None, None]), r"at names\[0\]"),
    "a name of two lines": (lambda path: hostile(path, names=["a\nb", None, None]), "control characters"),
    "a name that moves the cursor": (lambda path: hostile(path, names=["\x1b[2J", None, None]), "control characters"),
    "a name that is no text": (
        lambda path: hostile(path, text=json.dumps({"format": 2, "names": "?"}).replace("?", r"\ud800")), "not JSON",
    ),
    "two of one name": (lambda path: hostile(path, names=["a", None, "a"]), "two directions are called 'a'"),
    "too few names": (lambda path: hostile(path, names=["a"]), "names: 1 entries for 3 directions"),
    "numbers that do not match": (lambda path: hostile(path, numbers=[2, 0]), "numbers: 2 entries for 3 directions"),
    "negative numbers": (lambda path: hostile(path, numbers=[2, 0, -1]), r"at numbers\[2\]"),
    "settings that are no settings": (lambda path: hostile(path, config={"dims": "all of them"}), "at config.dims"),
    "dimensions beyond the vectors": (lambda path: hostile(path, config={"dims": [2, 3]}), "do not fit 3 dimensions"),
    "dimensions backwards": (lambda path: hostile(path, config={"dims": [2, 0]}), "do not fit 3 dimensions"),
    "chunks of another size": (lambda path: hostile(path, config={"chunk": 2}), "do not fit 3 dimensions"),
    "settings that are not finite": (lambda path: hostile(path, config={"eta": [math.nan]}), "metadata is not JSON"),
    "settings that are a list": (lambda path: hostile(path, config=[1]), "expected object, got array, at config"),
    "a share of nothing": (lambda path: hostile(path, share={}), "missing required field share, at share"),
    "weights that are a number": (lambda path: hostile(path, weights_sha256=1), "at weights_sha256"),
    "long rows": (lambda path: hostile(path, {"vectors": 2 * EYE}), "row 0 is not of unit length"),
    "rows that are not finite": (lambda path: hostile(path, {"vectors": EYE * math.nan}), "NaN or infinite"),
    "no rows": (lambda path: hostile(path, {"vectors": EYE[:0]}), "at least one row"),
    "whole numbers": (lambda path: hostile(path, {"vectors": EYE.long()}), "expected a matrix of floats"),
    "floats of eight bits": (
        lambda path: hostile(path, {"vectors": EYE.to(torch.float8_e4m3fn)}), "tensor vectors is of float8_e4m3fn",
    ),
    "equal rows": (lambda path: hostile(path, {"vectors": EYE[[0, 0, 1]]}), "orthonormal are not"),
    "more rows than dimensions": (
        lambda path: hostile(path, {"vectors": torch.ones(5000, 1)}, text=None, numbers=[], layers=[], names=[],
                             scores=[], ranges=[]), "orthonormal are not",
    ),
    "other tensors": (lambda path: hostile(path, {"rows": EYE}), "no tensor called vectors"),
    "more tensors": (lambda path: hostile(path, {"vectors": EYE, "more": EYE + 0}), "unknown tensor 'more'"),
    "half a probe": (lambda path: hostile(path, {"vectors": EYE, "probe_image": EYE + 0}), "a part of a probe only"),
    "a probe of another size": (
        lambda path: hostile(
            path, {"vectors": EYE, "probe_image": torch.ones(3, 16, 16), "probe_latents": torch.ones(1, 2)}
        ),
        "expected finite floats",
    ),
    "far too many rows": (lambda path: header(path, claimed(10**12, 12 * 10**12), bytes(36)), "cut short"),
    "more rows than an integer": (lambda path: header(path, claimed(2**63, 36), bytes(36)), "not a readable"),
    "rows of an unknown type": (lambda path: header(path, claimed(3, 36, "F33"), bytes(36)), "not a readable"),
    "a long header": (lambda path: header(path, b"{}", length=2**60), "not a readable safetensors file"),
    "a header beyond the file": (lambda path: header(path, b"{}", length=50), "not a readable safetensors file"),
    "a header that is no JSON": (lambda path: header(path, b"{" * 1000), "not a readable safetensors file"),
    "tensors over one another": (
        lambda path: header(
            path, {**claimed(3, 36), "more": {"dtype": "F32", "shape": [3, 3], "data_offsets": [0, 36]}}, bytes(36)
        ), "not a readable safetensors file",
    ),
    "nothing": (Path.touch, "not a readable safetensors file"),
    "a folder": (lambda path: (path / "directions.safetensors").mkdir(parents=True), "a folder; give a direc"),
    "a pipe": (os.mkfifo, "not a file; give a directions file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "not a file; give a directions file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_in_one_line(kind, tmp_path):
    make, words = HOSTILE[kind]
    make(tmp_path / "d.safetensors")
    with pytest.raises(InputError, match=words) as error:
        Directions.load(tmp_path / "d.safetensors")
    message = str(error.value)
    assert str(tmp_path / "d.safetensors") in message and message.isprintable() and len(message) < 500


@pytest.mark.parametrize("name", ["no\0name", "\udc80", "a" * 300])
def test_impossible_paths_are_refused_in_one_line(name, tmp_path):
    with pytest.raises(InputError, match=r"no such file|too long") as error:
        Directions.load(tmp_path / name)
    assert str(error.value).isprintable()


def test_the_size_is_checked_before_tensors_are_read(tmp_path):
    """The file takes no space on the disk, but reading it would take 60 GB of memory."""
    rows = 5 * 10**9
    header(tmp_path / "d.safetensors", claimed(rows, 12 * rows))
    os.truncate(tmp_path / "d.safetensors", (tmp_path / "d.safetensors").stat().st_size + 12 * rows)
    with pytest.raises(InputError, match="larger than 4 GB"):
        Directions.load(tmp_path / "d.safetensors")
    rows = 10**8
    header(tmp_path / "d.safetensors", claimed(rows, 12 * rows))
    os.truncate(tmp_path / "d.safetensors", (tmp_path / "d.safetensors").stat().st_size + 12 * rows)
    with pytest.raises(InputError, match="more than the 134,217,728 numbers"):
        Directions.load(tmp_path / "d.safetensors")


def test_a_class_that_the_generator_does_not_have(dcgan_file):
    generator = load_generator(f"dcgan:{dcgan_file}", num_classes=3)
    with pytest.raises(InputError, match=r"of class 3, but generator .* has 3 classes"):
        fitting(Directions(torch.eye(6), "test", class_index=3), generator)
    probe = generator.probe(2)
    with pytest.raises(InputError, match=r"probe is of class 3; .* has 3 classes"):
        generator.deviation(replace(probe, class_index=3))


def test_what_json_cannot_hold_is_not_written(tmp_path):
    for config in ({"eta": math.nan}, {"sampler": print}, {"file": "\udc80"}):
        with pytest.raises(InputError, match="its metadata is not JSON"):
            Directions(EYE, "test", config).save(tmp_path / "d.safetensors")
    assert not list(tmp_path.iterdir())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(derandomize=True, database=None, deadline=None, max_examples=80)
@given(field=st.sampled_from(sorted(Directions(EYE, "test").metadata())), value=PLAIN)
def test_any_value_of_any_field_is_accepted_whole_or_refused(field, value):
    with TemporaryDirectory() as folder:
        path = Path(folder, "d.safetensors")
        hostile(path, **{field: value})
        try:
            record = Directions.load(path)
        except InputError as error:
            assert str(error).isprintable() and str(path) in str(error)
        else:
            record.save(path)
            assert Directions.load(path) == record
