"""Check records of directions: an error names the first field that is wrong."""

import math

import pytest
import torch

from direction_finder.directions import Directions, Probe
from direction_finder.directions_check import Record, check_record, orthonormality_error
from direction_finder.errors import InputError


@pytest.fixture
def record():
    """The fields of a record of two directions, with all that can be known of them."""
    return vars(
        Directions(
            torch.eye(3)[:2],
            "test",
            {"steps": 3},
            generator="eyes",
            weights_sha256="ab",
            class_index=1,
            class_name="blue",
            seed=0,
            layers=((0, 2), None),
            names=("x", None),
            scores=(1, 0.5),
            ranges=(None, 2.0),
            share={"share": 0.5, "random_share": 0.1},
            scale=0.5,
            numbers=(4, 1),
        )
    )


def test_every_field_is_checked(record):
    check_record(record)
    assert {*Record.__annotations__, "vectors", "finding", "probe", "curves"} - {"probe_class"} == record.keys()


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[1.0, 0.0]], "expected a matrix of floats"),
        (torch.ones(3), "expected a matrix of floats"),
        (torch.eye(2).long(), "expected a matrix of floats"),
        (torch.ones(0, 3), "at least one row"),
        (torch.tensor([[1, 0], [math.inf, 0]]), "NaN or infinite"),
        (torch.tensor([[1, 0], [0, 1.001]]), r"row 1 is not of unit length \(off by 0.001\)"),
        (torch.tensor([[1, 0], [0.02, math.sqrt(1 - 0.02**2)]]), r"orthonormal are not \(largest error 0.02\)"),
    ],
)
def test_vectors(vectors, words, record):
    with pytest.raises(InputError, match=f"vectors: .*{words}"):
        check_record(record | {"vectors": vectors})


def test_rows_need_not_be_orthonormal_if_nobody_says_so(record):
    rows = torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    check_record(record | {"vectors": rows, "orthonormal": False})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", None),
        ("config", [1]),
        ("config", None),
        ("orthonormal", 1),
        ("package_version", None),
        ("generator", 3),
        ("weights_sha256", b"ab"),
        ("class_index", "1"),
        ("class_index", -1),
        ("class_index", True),
        ("config", {"dims": [0, 1, 2]}),
        ("config", {"layers": [0, 1000]}),
        ("config", {"chunk": 0}),
        ("groups", {"coarse": [-1]}),
        ("groups", [0]),
        ("curvature", [1.0]),
        ("space", 1),
        ("class_name", 1),
        ("seed", 0.5),
        ("share", 0.5),
        ("share", {"share": math.nan, "random_share": 0.1}),
        ("share", {"share": 0.5}),
        ("scale", "1"),
        ("scale", 0.0),
        ("scale", -1.0),
        ("scale", math.nan),
        ("scale", math.inf),
    ],
)
def test_what_is_known_of_all(name, value, record):
    with pytest.raises(InputError, match=f"^directions: (expected|object missing).*, at {name}"):
        check_record(record | {name: value})


@pytest.mark.parametrize(
    "name", ["generator", "weights_sha256", "class_index", "class_name", "seed", "share", "space", "groups", "probe"]
)
def test_what_need_not_be_known(name, record):
    check_record(record | {name: None})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("numbers", (1,), "numbers: 1 entries for 2 directions"),
        ("numbers", (1, 2.0), r"expected int, got float, at numbers\[1\]"),
        ("numbers", (1, True), r"expected int, got bool, at numbers\[1\]"),
        ("numbers", (1, -2), r"at numbers\[1\]"),
        ("names", ("x",), "names: 1 entries for 2 directions"),
        ("names", ("x", 3), r"expected str . null, got int, at names\[1\]"),
        ("names", ("x", ""), r"at names\[1\]"),
        ("names", ("x", "y" * 201), r"at names\[1\]"),
        ("names", ("x", "y\nz"), "contains control characters"),
        ("names", ("x", "\x1b[2J"), "contains control characters"),
        ("names", ("x", "\ud800"), "contains control characters"),
        ("names", ("x", "x"), "two directions are called 'x'"),
        ("scores", (1, math.nan), r"at scores\[1\]"),
        ("scores", (1, "2"), r"expected float . null, got str, at scores\[1\]"),
        ("ranges", (math.inf, None), r"at ranges\[0\]"),
        ("ranges", (None, None, None), "ranges: 3 entries for 2 directions"),
        ("layers", (3, None), r"expected array . null, got int, at layers\[0\]"),
        ("layers", ((0, 1.5), None), r"at layers\[0\]\[1\]"),
        ("layers", ((0, None), None), r"at layers\[0\]\[1\]"),
        ("layers", ((-1,), None), r"at layers\[0\]\[0\]"),
        ("layers", ((1000,), None), r"at layers\[0\]\[0\]"),
    ],
)
def test_what_is_known_of_each(name, value, words, record):
    with pytest.raises(InputError, match=words):
        check_record(record | {name: value})


@pytest.mark.parametrize(
    ("latents", "image", "words"),
    [
        (torch.zeros(1, 2), torch.zeros(3, 16, 16), r"probe_latents \(1, 2\): expected finite floats \(layers, 3\)"),
        (torch.full((1, 3), math.nan), torch.zeros(3, 16, 16), "probe_latents"),
        (torch.zeros(1, 3), torch.zeros(16, 16), r"probe_image \(16, 16\): expected finite floats \(3, 16, 16\)"),
        (torch.zeros(1, 3), torch.full((3, 16, 16), math.inf), "probe_image"),
    ],
)
def test_the_probe(latents, image, words, record):
    with pytest.raises(InputError, match=words):
        check_record(record | {"probe": Probe(latents, 0, image)})


def test_the_orthonormality_error_sees_lengths_and_angles():
    assert orthonormality_error(torch.eye(3, 5)) == 0
    assert orthonormality_error(torch.tensor([[1.0, 0.0], [0.0, 2.0]])) == 3
    assert orthonormality_error(torch.tensor([[0.6, 0.8], [0.0, 1.0]])) == pytest.approx(0.8)
    assert orthonormality_error(torch.ones(1000, 1)) == 1  # without the Gram matrix
