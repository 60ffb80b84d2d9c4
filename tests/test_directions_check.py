"""Check records of directions: an error names the first field that is wrong."""

import math

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.directions_check import PER_DIRECTION, SCALARS, check_record, orthonormality_error
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
            share={"value": 0.5},
            scale=0.5,
            numbers=(4, 1),
        )
    )


def test_every_field_is_checked(record):
    check_record(record)
    assert {*PER_DIRECTION, *SCALARS, "vectors", "numbers", "finding", "probe"} == record.keys()


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
        ("class_name", 1),
        ("seed", 0.5),
        ("share", 0.5),
        ("scale", "1"),
        ("scale", 0.0),
        ("scale", -1.0),
        ("scale", math.nan),
        ("scale", math.inf),
    ],
)
def test_what_is_known_of_all(name, value, record):
    with pytest.raises(InputError, match=f"^{name}: expected "):
        check_record(record | {name: value})


@pytest.mark.parametrize(
    "name", sorted(SCALARS.keys() - {"method", "config", "orthonormal", "scale", "package_version"})
)
def test_what_need_not_be_known(name, record):
    check_record(record | {name: None})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("numbers", (1,), "expected 2 whole numbers"),
        ("numbers", (1, 2.0), "expected 2 whole numbers"),
        ("names", ("x",), "1 entries for 2 directions"),
        ("names", ("x", 3), "expected strings or null, got 3"),
        ("scores", (1, math.nan), "expected numbers or null, got nan"),
        ("scores", (1, "2"), "expected numbers or null, got '2'"),
        ("ranges", (math.inf, None), "expected numbers or null, got inf"),
        ("ranges", (None, None, None), "3 entries for 2 directions"),
        ("layers", (3, None), "expected lists of layer numbers or null, got 3"),
        ("layers", ((0, 1.5), None), "expected lists of layer numbers"),
        ("layers", ((0, None), None), "expected lists of layer numbers"),
        ("layers", ((-1,), None), "expected lists of layer numbers"),
    ],
)
def test_what_is_known_of_each(name, value, words, record):
    with pytest.raises(InputError, match=f"^{name}: {words}"):
        check_record(record | {name: value})


def test_the_orthonormality_error_sees_lengths_and_angles():
    assert orthonormality_error(torch.eye(3, 5)) == 0
    assert orthonormality_error(torch.tensor([[1.0, 0.0], [0.0, 2.0]])) == 3
    assert orthonormality_error(torch.tensor([[0.6, 0.8], [0.0, 1.0]])) == pytest.approx(0.8)
