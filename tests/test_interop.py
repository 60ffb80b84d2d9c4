"""Directions in other tools' files: the published matrices, every format there and back, and what is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Outline
from direction_finder.interop import METHOD, as_directions, export_directions, import_directions, read_matrix
from tests.conftest import call
from tests.planted import planted

GOLDEN = Path(__file__).parent / "golden"


def bring(file: Path, out: Path, *more: object) -> Directions:
    result = call("import", file, *more, "--out", out)
    assert result.exit_code == 0, result.stderr
    return Directions.load(out)


@pytest.mark.parametrize(("name", "more", "where"), [
    ("our_goldens", [], slice(0, 120)),
    ("our_goldens_mid", ["--part", "mid"], slice(40, 80)),
])  # fmt: skip
def test_published_matrices_are_orthonormalised_and_placed(name, more, where, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path))  # where biggan-128 is not
    more = ["--generator", "biggan-128", "--class", "golden retriever", *more]
    found = bring(GOLDEN / f"{name}.pt", tmp_path / "run", *more)
    rows = found.vectors[:, where]
    assert (rows.double() @ rows.double().mT - torch.eye(len(rows))).abs().max() < 1e-6
    outside = found.vectors.clone()
    outside[:, where] = 0
    assert not outside.any() and found.dim == 120 and found.orthonormal
    assert (found.generator, found.weights_sha256, found.class_index) == ("biggan-128", None, 207)
    given = torch.load(GOLDEN / f"{name}.pt", weights_only=True)
    assert torch.allclose(rows[0], given[0] / given[0].norm(), atol=1e-6)  # the first row stays, the rest follow
    assert abs(float(rows[1] @ given[0])) < 1e-4 * float(given[0].norm()) and float(rows[1] @ given[1]) > 0
    facts = json.loads(call("info", tmp_path / "run", "--json").stdout)
    assert facts["kind"] == "run" and facts["directions"] == len(given) and facts["problems"] == []
    assert json.loads(call("info", GOLDEN / f"{name}.pt", "--json").stdout)["shape"] == list(given.shape)


def test_every_format_there_and_back(tmp_path):
    rows = torch.linalg.qr(torch.randn(24, 24, generator=torch.Generator().manual_seed(0)))[0]
    np.save(tmp_path / "a.npy", rows.numpy())
    first = bring(tmp_path / "a.npy", tmp_path / "first", "--generator", "shapes-64")
    assert torch.allclose(first.vectors, rows, atol=1e-6) and first.orthonormal and first.weights_sha256
    for ending in ("npy", "pt"):
        assert call("export", tmp_path / "first", "--out", tmp_path / f"b.{ending}").exit_code == 0
        again = bring(tmp_path / f"b.{ending}", tmp_path / ending, "--generator", "shapes-64")
        assert torch.allclose(again.vectors, first.vectors, atol=1e-6)
    assert call("render", "grid", tmp_path / "pt", "--samples", 1, "--directions", "3").exit_code == 0
    part = bring(GOLDEN / "our_goldens_mid.pt", tmp_path / "mid", "--dims", "40-79", "--dim", 120)
    assert part.generator is None
    assert call("export", tmp_path / "mid", "--searched", "--out", tmp_path / "c.pt").exit_code == 0
    cut = torch.load(tmp_path / "c.pt", weights_only=True)
    assert torch.equal(cut, part.vectors[:, 40:80])
    refused = call("render", "grid", tmp_path / "mid")
    assert refused.exit_code == 2 and "not bound to a generator; name one with --generator" in refused.stderr
    for file in ("a.npy", "b.pt", "c.pt"):
        assert json.loads(call("info", tmp_path / file, "--json").stdout)["kind"] == "matrix of directions"
    refused = call("export", tmp_path / "mid", "--out", tmp_path / "c.txt")
    assert refused.exit_code == 2 and "ending in .npy or .pt" in refused.stderr


def test_deformators_of_ganlatentdiscovery(tmp_path):
    weight = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    torch.save({"linear.weight": weight, "linear.bias": torch.zeros(6)}, tmp_path / "linear.pt")
    found = bring(tmp_path / "linear.pt", tmp_path / "linear")
    assert torch.allclose(found.vectors, (weight / weight.norm(dim=0)).mT, atol=1e-6) and not found.orthonormal
    assert bring(tmp_path / "linear.pt", tmp_path / "made", "--orthonormalise").orthonormal
    half = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    torch.save({"log_mat_half": half}, tmp_path / "ortho.pt")
    found = bring(tmp_path / "ortho.pt", tmp_path / "ortho")
    values, vectors = torch.linalg.eig((half - half.mT).double())  # the exponential, by another way
    exponential = (vectors @ torch.diag(values.exp()) @ torch.linalg.inv(vectors)).real
    assert torch.allclose(found.vectors.double(), exponential.mT, atol=1e-5) and found.orthonormal
    torch.save({"linear.weight": weight, "shared.weight": weight}, tmp_path / "generator.pt")
    assert call("import", tmp_path / "generator.pt").exit_code == 2
    torch.save({"fc1.weight": torch.ones(2, 2)}, tmp_path / "fc.pt")
    refused = call("import", tmp_path / "fc.pt")
    assert refused.exit_code == 2 and "non-linear deformator" in refused.stderr


def test_what_is_no_matrix_of_directions_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    eye = np.eye(24, dtype=np.float32)
    twice = torch.eye(24)
    twice[5] = twice[3] + 1e-9
    zero, nan = eye.copy(), eye.copy()
    zero[2], nan[1, 1] = 0, np.nan
    for name, value in {"eye": eye, "zero": zero, "nan": nan, "words": np.array(["a"]), "wide": np.eye(25)}.items():
        np.save(tmp_path / f"{name}.npy", value)
    np.save(tmp_path / "objects.npy", np.array([print], dtype=object), allow_pickle=True)
    torch.save(twice, tmp_path / "twice.pt")
    torch.save({"rows": 3}, tmp_path / "other.pt")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "eye.npy").read_bytes()[:200])
    for name, more, word in [
        ("zero.npy", [], "row 2 is zero"),
        ("nan.npy", [], "NaN"),
        ("words.npy", [], "it holds <U1, expected numbers"),
        ("objects.npy", [], "not a file of torch or NumPy"),
        ("cut.npy", [], "cut short"),
        ("wide.npy", ["--generator", "shapes-64"], "25 dimensions, but shapes-64 has 24"),
        ("twice.pt", [], "rank below 24: row 5"),
        ("other.pt", [], "expected a matrix"),
        ("eye.npy", ["--generator", "biggan-128", "--part", "mid"], "biggan-128 has 40"),
        ("eye.npy", ["--generator", "clevr-1fov", "--part", "mid"], "clevr-1fov has all"),
        ("eye.npy", ["--part", "mid", "--dims", "0-23"], "leave out --dims"),
        ("eye.npy", ["--generator", "shapes-64", "--dim", 24], "leave it out"),
        ("eye.npy", ["--class", "cube"], "unconditional"),
    ]:
        result = call("import", name, *more)
        assert (
            result.exit_code == 2
            and word in result.stderr
            and result.stderr.count("\n") == 1 + ("is not here" in result.stderr)
        ), (name, result.stderr)
    assert not list(tmp_path.glob("outputs/*"))
    bring(tmp_path / "eye.npy", tmp_path / "run", "--generator", "shapes-64")
    refused = call("render", "grid", tmp_path / "run", "--generator", "clevr-1fov")
    assert refused.exit_code == 2 and "do not fit" in refused.stderr


def test_lists_dicts_and_components_of_others(tmp_path, rng):
    rows = torch.nn.functional.normalize(torch.randn(3, 12, generator=rng), dim=1)
    names = ("age", "smile", "pose")
    np.savez(
        tmp_path / "ganspace.npz", lat_comp=rows[:, None].numpy(), act_comp=np.ones((3, 1, 4)), var_ratio=np.ones(3)
    )
    torch.save(list(rows), tmp_path / "list.pt")
    torch.save(dict(zip(names, rows, strict=True)), tmp_path / "dict.pt")
    torch.save((rows, list(names)), tmp_path / "pair.pt")
    for file, named in (("ganspace.npz", ()), ("list.pt", ()), ("dict.pt", names), ("pair.pt", names)):
        matrix = read_matrix(tmp_path / file)
        assert torch.equal(matrix.rows, rows)
        assert matrix.names == named
        assert not matrix.free
    assert call("import", tmp_path / "dict.pt", "--out", tmp_path / "run").exit_code == 0
    assert Directions.load(tmp_path / "run").names == names


@pytest.mark.parametrize(
    "content", [[torch.ones(2), torch.ones(3)], [1, 2], {"a": 1}, (torch.ones(2, 3), ["a"]), 5, None]
)
def test_what_holds_no_directions_is_one_line(content, tmp_path):
    torch.save(content, tmp_path / "d.pt")
    result = call("import", tmp_path / "d.pt", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "expected a matrix" in result.stderr


@pytest.fixture
def saved(tmp_path, rng):
    """Writes rows (num, size) that are not orthonormal, as other tools have them."""

    def save(num: int, size: int, name: str = "rows.npy"):
        rows = torch.randn(num, size, generator=rng)
        if name.endswith(".npy"):
            np.save(tmp_path / name, rows.numpy())
        else:
            torch.save(rows, tmp_path / name)
        return tmp_path / name, torch.nn.functional.normalize(rows, dim=1)

    return save


OUTLINE = Outline("mine", 12, 6, ("cat", "dog"), 3, "ab" * 32, 0.5)


def test_a_generator_or_its_outline_is_noted(saved):
    generator = planted(8)
    path, rows = saved(3, 8)
    found = import_directions(path, generator)
    assert torch.equal(found.vectors, rows) and found == import_directions(path, generator.outline)
    found.check_fits(name="planted", dim=8, num_layers=1, weights_sha256=generator.weights_sha256)
    assert (found.method, found.generator, found.class_index) == (METHOD, "planted", None)
    unbound = import_directions(path)
    assert torch.equal(unbound.vectors, rows) and (unbound.generator, unbound.weights_sha256) == (None, None)
    assert unbound.config["file"] == "rows.npy" and len(unbound.config["file_sha256"]) == 64


def test_columns_are_put_where_they_belong(saved):
    path, rows = saved(2, 3)
    for part in ({"part": "mid"}, {"dims": (3, 5)}):
        found = import_directions(path, OUTLINE._replace(dim=9), class_name="dog", **part)
        assert torch.equal(found.vectors[:, 3:6], rows) and found.vectors.count_nonzero() == rows.count_nonzero()
        assert (found.class_index, found.class_name, found.scale) == (1, "dog", 0.5)
        assert found.config["dims"] == [3, 5] and found.config["part"] == part.get("part")
    assert import_directions(path, dims=(3, 5)).dim == 6  # as small as can be
    assert import_directions(path, dims=(3, 5), dim=20).dim == 20


def test_directions_act_on_the_layers_named(saved):
    path, _ = saved(2, 12)
    outline = OUTLINE._replace(chunk=None)
    for part in ({"part": "fine"}, {"layers": (4, 5)}):
        assert import_directions(path, outline, **part).layers == ((4, 5), (4, 5))
    assert import_directions(path, outline).layers == (None, None)
    assert import_directions(path, layers=(7, 8)).layers == ((7, 8), (7, 8))  # of a generator that is not known


def test_a_free_matrix_alone_is_orthonormalised_unless_something_is_said(saved):
    path, rows = saved(3, 8)
    free, _ = saved(3, 8, "free.pt")
    assert not import_directions(path).orthonormal and import_directions(free).orthonormal
    made = import_directions(path, orthonormalise=True)
    assert made.orthonormal and torch.allclose(made.vectors[0], rows[0], atol=1e-6)
    assert made.config["orthonormalised"] and not import_directions(free, orthonormalise=False).orthonormal


@pytest.mark.parametrize(
    ("size", "given", "words"),
    [
        (5, {"generator": OUTLINE}, r"5 dimensions, but mine has 12 \(dimensions 0-11 of z\); parts are all, coarse"),
        (4, {"generator": OUTLINE, "part": "middle"}, "part 'middle' does not exist: mine has all, coarse, mid, fine"),
        (3, {"generator": OUTLINE, "part": "mid", "dims": (3, 5)}, "leave out `dims` and `layers`"),
        (12, {"generator": OUTLINE, "dim": 12}, "`dim` is read from the generator"),
        (12, {"generator": OUTLINE, "class_name": "horse"}, "class 'horse' is unknown"),
        (3, {"generator": OUTLINE, "dims": (10, 12)}, "mine has dimensions 0 to 11"),
        (3, {"dims": (10, 12), "dim": 12}, "the space has dimensions 0 to 11"),
        (12, {"generator": OUTLINE, "layers": (5, 6)}, "layers 5-6: mine has .* layers 0 to 5"),
        (12, {"generator": OUTLINE, "layers": (2, 1)}, "layers 2-1"),
        (12, {"layers": (0, 99_999_999)}, "layers 0-99999999: the space has .* layers 0 to 999"),
        (12, {"dims": (0, 11), "dim": 10**12}, "`dim` is 1,000,000,000,000: 2 directions can have 67,108,864"),
        (12, {"dims": (10**12, 10**12 + 11)}, "`dim` is 1,000,000,000,012: 2 directions"),
    ],
)  # fmt: skip
def test_a_part_that_does_not_fit_is_refused(saved, size, given, words):
    path, _ = saved(2, size)
    with pytest.raises(InputError, match=words):
        import_directions(path, **given)


def test_what_was_exported_comes_back(tmp_path, rng):
    rows = torch.linalg.qr(torch.randn(9, 9, generator=rng))[0][:4, :3]
    found = as_directions(rows, False, OUTLINE, source={}, dims=(3, 5), names=("a", "b", "c", "d"))
    for ending in ("npy", "pt"):
        export_directions(found, tmp_path / f"whole.{ending}")
        assert torch.equal(read_matrix(tmp_path / f"whole.{ending}").rows, found.vectors)
        export_directions(found, tmp_path / f"part.{ending}", searched=True)
        again = import_directions(tmp_path / f"part.{ending}", OUTLINE, dims=(3, 5), orthonormalise=False)
        assert torch.allclose(again.vectors, found.vectors, atol=1e-6)
    unsearched = as_directions(found.vectors, False, OUTLINE, source={})
    export_directions(unsearched, tmp_path / "all.npy", searched=True)
    assert (tmp_path / "all.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    for path in (tmp_path / "a.txt", tmp_path / "npy"):
        with pytest.raises(InputError, match=r"ending in \.npy or \.pt"):
            export_directions(found, path)
        assert not path.exists()


def test_an_exported_file_is_small_and_its_own(tmp_path):
    """`.pt` holds the rows and columns that were asked for, also where they are a view of a large matrix."""
    for record, searched in (
        (Directions(torch.eye(200)[:1], "test"), False),
        (Directions(torch.eye(200)[:3], "test", {"dims": [0, 2]}), True),
    ):
        export_directions(record, tmp_path / "a.pt", searched=searched)
        assert (tmp_path / "a.pt").stat().st_size < 4000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "contains a NoneType"),
        ([], "a list of 0"),
        ([None], "a list of 1"),
        (5, "contains a int"),
        (torch.Tensor, "contains a "),
        ({}, "0 entries; expected a matrix"),
        ({"lat_comp": None}, "contains lat_comp"),
        ({"lat_comp": torch.tensor(1.0)}, "contains lat_comp"),
        ({0: torch.ones(2, 2)}, "contains 0; expected a matrix"),
        ({(1, 2): torch.ones(2), "a": torch.ones(2)}, "contains a; expected a matrix"),
        ({"log_mat_half": None}, "log_mat_half is not a matrix of floats"),
        ({"log_mat_half": torch.ones(2, 3)}, "expected a square matrix"),
        ({"linear.weight": torch.ones(3)}, "linear.weight is not a matrix of floats"),
        ([torch.ones(2), torch.ones(2).double()], "a list of 2"),
        (torch.ones(2, 2, dtype=torch.complex64), "expected a matrix of floats"),
        (torch.full((2, 2), 1e300, dtype=torch.double), "NaN or infinite"),
        (torch.eye(2).to_sparse(), "tensor .*is sparse"),
        (torch.ones(2, 2, device="meta"), "no values"),
        (torch.eye(2).to(torch.float8_e4m3fn), "is of float8_e4m3fn"),
        (torch.ones(1, 1).expand(10**6, 10**6), "repeats a few values"),
    ],
)
def test_files_of_other_things_are_refused_in_one_line(content, words, tmp_path):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=words) as error:
        import_directions(tmp_path / "odd.pt")
    assert str(tmp_path / "odd.pt") in str(error.value)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    torch.save((torch.eye(3), ["a", "b", "a"]), tmp_path / "names.pt")
    with pytest.raises(InputError, match="two directions are called 'a'"):
        import_directions(tmp_path / "names.pt")


def test_pipes_and_folders_are_no_matrices(tmp_path):
    for name in ("a.npy", "a.pt"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="not a file"):
            read_matrix(tmp_path / name)
    with pytest.raises(InputError, match="a folder"):
        read_matrix(tmp_path)
