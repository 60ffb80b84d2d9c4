"""Directions in other tools' files: the published matrices, every format there and back, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.discovery.matrices import read_matrix
from tests.conftest import call

GOLDEN = Path(__file__).parent / "golden"


def bring(file: Path, out: Path, *more: object) -> Directions:
    result = call("import", file, *more, "--out", out)
    assert result.exit_code == 0, result.stderr
    return Directions.load(out)


@pytest.mark.parametrize(("name", "more", "where"), [
    ("our_goldens", [], slice(0, 120)),
    ("our_goldens_mid", ["--space", "mid"], slice(40, 80)),
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
    assert refused.exit_code == 2 and "bound to no generator; name one with --generator" in refused.stderr
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
        ("words.npy", [], "not a .npy file of numbers"),
        ("objects.npy", [], "not a .npy file of numbers"),
        ("cut.npy", [], "cut short"),
        ("wide.npy", ["--generator", "shapes-64"], "25 dimensions, but shapes-64 has 24"),
        ("twice.pt", [], "rank below 24: row 5"),
        ("other.pt", [], "expected a matrix"),
        ("eye.npy", ["--generator", "biggan-128", "--space", "mid"], "biggan-128 has 40"),
        ("eye.npy", ["--generator", "clevr-1fov", "--space", "mid"], "clevr-1fov has all"),
        ("eye.npy", ["--space", "mid", "--dims", "0-23"], "leave out --dims"),
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
