"""The short list: each signal against what is known, the published matrices, and the way to an image of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.metrics.ranking import (
    Signal,
    agreement,
    compared,
    diagonal,
    hessians_along,
    localised,
    localised_in_layers,
    matched,
    of_chance,
    ordered,
    short_list,
)
from direction_finder.metrics.samples import Sampling
from direction_finder.randomness import normal, stream
from tests.conftest import call
from tests.planted import planted

GOLDEN = Path(__file__).parent / "golden"


def basis(size: int, seed: int = 0) -> torch.Tensor:
    return torch.linalg.qr(normal(size, size, stream(seed, "basis")))[0]


# rows that their authors named: rotation, zoom, smoosh; background, colour, scene light, object light
@pytest.mark.parametrize(
    ("name", "more", "picked"),
    [("our_goldens", [], {5, 6, 8}), ("our_goldens_mid", ["--part", "mid"], {0, 5, 8, 25})],
)
def test_localisation_finds_what_people_picked(name, more, picked, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path))
    more = ["--generator", "biggan-128", *more]
    assert call("import", GOLDEN / f"{name}.pt", *more, "--out", tmp_path / "run").exit_code == 0
    result = call("rank", tmp_path / "run", "--most", 5)
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "run" / "rank.json").read_text())
    assert picked <= set(report["short_list"]) and len(report["short_list"]) == 5
    assert ("Ranked by the matrix alone" in result.stderr and "z 40-59" in result.stdout) or name == "our_goldens"
    assert json.loads(call("info", tmp_path / "run" / "rank.json", "--json").stdout)["problems"] == []


def test_random_directions_are_no_more_localised_than_chance():
    signal = localised(Directions(basis(120), "random"), 20)
    assert 0.25 < signal.chance < 0.35 and signal.telling.double().mean() < 0.15
    planted = torch.zeros(1, 120)
    planted[0, 23] = 1
    assert localised(Directions(planted, "planted"), 20).where == ("z 20-39",)


def test_diagonal_energy_of_known_hessians():
    turned = basis(8)
    matrices = torch.stack([torch.diag(torch.arange(8.0) - 3), torch.diag(torch.arange(8.0) ** 2)])
    assert torch.allclose(diagonal(matrices).values[1:], torch.ones(7), atol=1e-6)  # H e_3 of the first is zero
    one = diagonal(turned @ matrices @ turned.mT)
    row = turned[0]
    unit = matrices / matrices.flatten(1).norm(dim=1)[:, None, None]
    expected = sum((row @ h @ row) ** 2 for h in unit) / sum((h @ row).square().sum() for h in unit)
    assert float(one.values[0]) == pytest.approx(float(expected), rel=1e-4)
    assert one.telling.double().mean() < 0.5 and diagonal(matrices).telling.sum() >= 6


@pytest.fixture(scope="module")
def generator(biggan_folder):
    return load_generator(f"biggan-deep:{biggan_folder}")


def test_hessians_are_those_along_the_directions():
    """Diagonal along the planted rows; along others the same Hessians, turned."""
    generator, turn = planted(8), basis(8)
    rows = generator.module.rows
    one, other = (hessians_along(generator, Directions(each, "a"), count=3) for each in (rows, turn @ rows))
    assert one.shape == (3, 8, 8) and torch.equal(one, one.mT)
    assert (other - turn @ one @ turn.mT).norm() < 0.1 * one.norm()
    assert diagonal(one).values.min() > 0.95 and diagonal(other).values.max() < 0.9


def test_agreement_is_matched_one_to_one_and_chance_is_that_of_bases():
    rows = basis(30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    signs = torch.where(torch.arange(30) % 2 == 0, -1.0, 1.0)
    shuffled = Directions((rows * signs[:, None])[order], "b")
    assert torch.allclose(matched(Directions(rows, "a"), shuffled), torch.ones(30, dtype=torch.double), atol=1e-6)
    half = torch.cat([rows[:15], torch.linalg.qr(rows[15:].mT @ basis(15, 1))[0].mT])
    signal = agreement(Directions(rows, "a"), [Directions(half, "b")])
    assert signal.telling[:15].all() and signal.telling[15:].double().mean() < 0.4
    layered = Directions(rows, "c", layers=((0,),) * 30)
    assert not matched(Directions(rows, "a"), layered).any()
    few = matched(Directions(rows, "a"), Directions(rows[3:5], "b"))
    assert few.nonzero().flatten().tolist() == [3, 4]
    with pytest.raises(InputError, match="30 and 4 dimensions"):
        matched(Directions(rows, "a"), Directions(torch.eye(4), "b"))


def test_order_is_by_multiples_of_chance_and_what_is_off_comes_last():
    activeness = Signal("activeness", torch.tensor([0.001, 1.0, 0.5, 0.4]), 0.3)
    other = Signal("diagonal", torch.tensor([0.9, 0.1, 0.5, 0.2]), 0.6)
    assert ordered([activeness, other]) == [2, 1, 3, 0]  # by 0.5 * 0.5, 1.0 * 0.1, 0.4 * 0.2; the first is off
    assert short_list([activeness, other], 8) == [2, 1, 3]  # each is above chance in activeness
    assert short_list([replace(activeness, chance=0.45), other], 8) == [2, 1]
    assert ordered([activeness, replace(other, scored=False)]) == [1, 2, 3, 0]
    assert ordered([other]) == [0, 2, 3, 1]
    assert short_list([other], 8) == [0]
    with pytest.raises(InputError, match="nothing to rank by"):
        ordered([])


def test_a_direction_stands_out_if_a_signal_is_clear_for_as_many_signals_as_there_are():
    random = torch.arange(1000) / 1000
    one = compared("agreement", torch.tensor([0.97, 0.995, 0.1]), random)
    assert one.chance == pytest.approx(0.95, abs=2e-3) and short_list([one], 8) == [1, 0]
    others = [Signal(name, torch.zeros(3), 1.0) for name in ("a", "b", "c", "d")]
    assert short_list([one, *others], 8) == [1]  # the limit is the quantile .99


@pytest.mark.parametrize("share", [False, True])
def test_few_random_directions_give_the_nominal_rate(share):
    """Of sums of squares, and of shares, one in twenty lies above the limit that 16 others give; nearly, at .99 too."""
    draws = normal(4000, 17 * 3, stream(0, "draws")).square().unflatten(1, (17, 3))
    draws = draws[..., 0] / draws.sum(2) if share else draws.sum(2)
    for level, least, most in ((0.95, 0.03, 0.07), (0.99, 0.002, 0.02)):
        above = [float(row[0]) > of_chance(row[1:], level, share) for row in draws]
        assert least < sum(above) / len(above) < most


def test_a_linear_generator_has_no_hessian_and_is_ranked():
    flat = diagonal(torch.zeros(2, 4, 4))
    activeness = Signal("activeness", torch.tensor([1.0, 3.0, 2.0, 0.5]), 4.0)
    assert not flat.telling.any() and ordered([flat, activeness]) == [1, 2, 0, 3]


def test_localised_in_layers(generator):
    """A direction that acts in the last layers only has all of its effect there."""
    last = generator.num_layers - 1
    directions = Directions(torch.eye(generator.dim)[:2], "a", layers=(None, (last,)))
    signal = localised_in_layers(generator, directions, directions, Sampling(class_index=0))
    assert signal.where[1] == "fine" and float(signal.values[1]) == pytest.approx(1)
    assert 1 / 3 <= float(signal.values[0]) < 1


def test_a_split_z_is_ranked_by_its_chunks_and_the_images(tmp_path):
    held = load_file(GOLDEN / "biggan-brock.safetensors")
    torch.save(
        {key.removeprefix("state."): value for key, value in held.items() if "state." in key}, tmp_path / "G.pth"
    )
    brought = ["--generator", f"biggan:{tmp_path / 'G.pth'}", "--part", "mid", "--out", tmp_path / "run"]
    assert call("import", GOLDEN / "our_goldens_mid.pt", *brought).exit_code == 0
    result = call("rank", tmp_path / "run", "--samples", 2, "--hessians", 0, "--ranges", "none")
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "run" / "rank.json").read_text())
    assert set(report["signals"]) == {"localised", "activeness", "separate", "steady"}
    assert set(report["signals"]["localised"]["where"]) == {"z 40-59", "z 60-79"}


def test_rank_then_render_name_and_align(run_folder, tmp_path):
    few = ["--samples", 4, "--hessians", 2, "--most", 3]
    result = call("rank", run_folder, *few, "--with", run_folder)
    assert result.exit_code == 0, result.stderr
    report = json.loads((run_folder / "rank.json").read_text())
    assert set(report["signals"]) == {"agreement", "activeness", "diagonal", "separate", "steady"}
    assert min(report["signals"]["agreement"]["values"]) > 0.999
    record = Directions.load(run_folder)
    reached = [index for index, reach in enumerate(record.ranges) if reach is not None]
    assert len(report["short_list"]) == 3 and set(reached) <= set(report["short_list"])
    image = tmp_path / "grid.png"
    assert call("render", "grid", run_folder, "--samples", 1, "--out", image).exit_code == 0
    made = json.loads(call("info", image, "--json").stdout)["made"]
    assert made["directions"] == report["short_list"]
    assert call("render", "grid", run_folder, "--samples", 1, "--directions", "all", "--out", image).exit_code == 0
    assert len(json.loads(call("info", image, "--json").stdout)["made"]["directions"]) == len(record)

    chosen = report["short_list"][0]
    assert call("name", run_folder, chosen, "rotation").exit_code == 0
    assert Directions.load(run_folder).find("rotation") == chosen
    assert call("align", run_folder, "--direction", "rotation", "--samples", 1).exit_code == 0
    other = report["short_list"][1]
    for text, word in [
        ("3", "no number"),
        ("a,b", "no comma"),
        ("all", "not the word all"),
        ("rotation", "has it already"),
    ]:
        refused = call("name", run_folder, other, text)
        assert refused.exit_code == 2 and word in refused.stderr
    assert call("name", run_folder, "rotation").exit_code == 0 and not any(Directions.load(run_folder).names)
    refused = call("name", run_folder, "smile", "grin")
    assert refused.exit_code == 2 and "'smile'" in refused.stderr
    assert call("rank", run_folder, *few, "--ranges", "none").exit_code == 0
    assert call("page", run_folder).exit_code == 0
    assert "Which directions matter" in (run_folder / "index.html").read_text()
