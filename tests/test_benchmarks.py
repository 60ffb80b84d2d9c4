"""The benchmarks can be started, and what they compute with labels is right."""

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from benchmarks import factors, loop, supervised, switches
from benchmarks.circular import agreement, best_pair
from benchmarks.factors import Both, add_parts, bases_to_score, improvement, joined, passes_of, seconds_of, tables
from benchmarks.pixel_reader import r_squared
from direction_finder.datasets import Factor
from direction_finder.directions import Directions
from direction_finder.generators import WrappedModule
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.factors import spread
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.readings import read_along
from tests.planted import worst_match

LINE, CIRCLE = Factor("line", -1, 1), Factor("circle", circular=True)
DIM = 6
FOLDER = Path(factors.__file__).parent


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
def test_it_can_be_started(name):
    importlib.import_module(f"benchmarks.{name}")


class Painter(nn.Module):
    """Paints z along the first of three orthonormal rows into red, and the angle along the others into green."""

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.register_buffer("rows", torch.linalg.qr(torch.randn(DIM, DIM, generator=rng))[0][:3])

    def forward(self, z):
        line, across, along = (z @ self.rows.mT).unbind(1)
        angle = torch.atan2(along, across) / (2 * math.pi)
        return torch.stack([0.1 * line, angle.remainder(1), 0 * line], 1)[:, :, None, None].expand(-1, -1, 4, 4)


class Reader(FactorNetwork):
    def read(self, images):
        return {"line": images[:, 0, 0, 0], "circle": images[:, 1, 0, 0]}


@pytest.fixture(scope="module")
def painter():
    return WrappedModule(Painter(), dim=DIM, name="painter")


@pytest.fixture(scope="module")
def reader():
    return Reader([LINE, CIRCLE], 4)


def test_regression_finds_lines_and_circles(painter, reader):
    basis = supervised.regression(painter, reader, None, count=2000)
    rows = painter.module.rows
    assert torch.allclose(basis @ basis.mT, torch.eye(DIM), atol=1e-5)
    assert worst_match(basis[:3], rows) > 0.99
    assert (basis[0] @ rows[0]).abs() > 0.99  # in the order of the factors: x, then cosine and sine


def test_products_give_the_squared_effects_of_every_basis(painter, reader):
    axes = Directions(torch.eye(DIM), "coordinates")
    products = supervised.products_of(read_along(painter, reader, axes, samples=100))
    line, values, vectors = painter.module.rows[0].double(), *torch.linalg.eigh(products[0])
    assert vectors[:, -1].double().dot(line).abs() > 1 - 1e-6  # 0.1 z along the row, divided by the spread of that
    assert values[-1].item() == pytest.approx(1, abs=0.25) and values[:-1].abs().max() < 1e-6
    basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(0)))[0]
    directions = Directions(basis, "test")
    along = supervised.products_of(read_along(painter, reader, directions, samples=100))
    assert torch.allclose(along[0].diagonal(), torch.einsum("di,ij,dj->d", basis.double(), products[0], basis.double()),
                          atol=1e-5)  # fmt: skip


def test_the_ceiling_finds_what_separates_factors():
    rng = torch.Generator().manual_seed(1)
    rows = torch.linalg.qr(torch.randn(DIM, DIM, generator=rng, dtype=torch.double))[0]
    products = torch.stack([strength * torch.outer(row, row) for strength, row in zip((3, 1, 2), rows, strict=False)])
    found = supervised.ceiling(products, [torch.eye(DIM)])
    assert supervised.overall(rows, products) == pytest.approx(1)
    assert supervised.overall(found, products) > 0.99 and worst_match(rows[:3], found) > 0.99
    assert torch.allclose(found @ found.mT, torch.eye(DIM).double(), atol=1e-5)


def test_the_ceiling_is_above_its_starts():
    rng = torch.Generator().manual_seed(2)
    roots = torch.randn(3, DIM, 9, generator=rng, dtype=torch.double)
    products = roots @ roots.mT
    starts = [torch.linalg.qr(torch.randn(DIM, DIM, generator=rng))[0] for _ in range(2)]
    best = supervised.overall(supervised.ceiling(products, starts), products)
    assert all(best > supervised.overall(start.double(), products) + 0.01 for start in starts)


def test_the_better_basis_is_taken(painter, reader):
    rows, mixed = painter.module.rows, torch.eye(DIM)
    clean = torch.cat([rows, torch.linalg.svd(rows)[2][3:]])
    for bases in ([clean, mixed], [mixed, clean]):
        assert torch.equal(supervised.better(painter, reader, None, bases), clean)


def test_gradients_near_the_middle_of_a_circle_are_left_out(painter, reader):
    axes = Directions(torch.eye(DIM), "coordinates")
    readings = read_along(painter, reader, axes, samples=100)
    low, high = readings.moved[..., 1].unbind(1)
    sizes = ((high - low + 0.5).remainder(1) - 0.5).square().sum(0)
    width = 2 * spread(CIRCLE, readings.base[:, 1].contiguous())
    expected = sizes.sort().values[:85].mean() / width**2
    assert supervised.products_of(readings)[1].trace().item() == pytest.approx(expected.item(), rel=1e-4)


def test_improvement_counts_pairs_within_classes():
    high = {("cube", 0): 3.0, ("cube", 1): 2.0, ("sphere", 0): 1.0}
    assert improvement(high, {run: value - 1.5 for run, value in high.items()})[0] == pytest.approx((1 + 1) / 2)
    assert improvement(high, high)[0] == pytest.approx(0.5)
    low = {("cube", 0): 2.5, ("cube", 1): 0.0, ("sphere", 0): 2.0, ("cylinder", 0): 9.0}
    value, least, most = improvement(high, low)  # 3 of 4 pairs of cubes, none of spheres
    assert value == pytest.approx((0.75 + 0) / 2)
    assert (least, most) == pytest.approx((0.0, 0.5), abs=0.01)
    assert improvement(high, low) == improvement(high, low)
    assert np.isnan(improvement(high, {("other", 0): 1.0})[0])


def test_both_readers_read_the_same_images(painter, reader):
    other = Reader([LINE, CIRCLE], 4)
    other.read = lambda images: {name: 2 * values for name, values in reader.read(images).items()}
    both, directions = Both(reader, other), Directions(torch.eye(DIM), "coordinates")
    first, second = both.split(read_along(painter, both, directions, samples=5))
    alone = read_along(painter, reader, directions, samples=5)
    assert first.factors == alone.factors and first.varied == alone.varied
    assert torch.equal(first.moved, alone.moved) and torch.equal(second.base, 2 * alone.base)
    assert [factor.name for factor in second.factors] == ["pixels line", "pixels circle"] == list(second.varied)


def test_passes_are_those_of_the_methods():
    def passes(method: str, **config) -> int:
        return passes_of(Directions(torch.eye(24), method, config=config))

    assert passes("jacobian", points=64) == passes("mean-field", points=64) == 3072
    assert passes("hessian-direct", points=64) == 8192
    assert passes("hessian", steps=240, batch_size=16) == 30720 and passes("orojar", steps=240, batch_size=16) == 23040
    assert passes("ganspace", samples=10_000) == 10_000 and passes("local-basis") == 48
    assert passes("sefa") == passes("random") == 0


def test_a_run_is_scored_as_it_is_unless_solvers_are_asked_for(tmp_path):
    record = Directions(torch.eye(24), "jacobian", config={"points": 8, "by": "channel"})
    for solvers in (False, True):  # whose matrices by channel are not those of the solvers
        assert [*bases_to_score(tmp_path / "by-channel-cube-0", record, solvers)] == [("by-channel", 384)]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:01:30+00:00"}, 90),
        ({"started": "2026-01-01T00:00:00+00:00"}, None),
    ],
)
def test_seconds_are_those_of_the_run(config, expected, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert seconds_of(tmp_path) == expected


def test_tables_have_parts_of_the_ceiling_and_all_pairs():
    def scores(value: float) -> dict[str, float]:
        return dict.fromkeys(factors.COLUMNS, value)

    places = [("cube", 0), ("sphere", 0)]
    rows = {("ceiling", 9): dict(zip(places, map(scores, (0.8, 0.5)), strict=True)),
            ("poor", 0): {places[0]: scores(0.2), places[1]: scores(0.25)}}  # fmt: skip
    add_parts(rows)
    found = tables(rows, {("poor", 0): [2.0, 4.0]})
    assert found[2].startswith("| ceiling | 9 |  | 0.650 +- 0.150 ") and found[3].startswith("| poor | 0 | 3 | 0.225 ")
    part = found[0].split("|").index(f" {factors.OF_CEILING} ")
    assert found[2].split("|")[part] == " 1.000 +- 0.000 " and found[3].split("|")[part] == " 0.375 +- 0.125 "
    assert found[-1] == "| ceiling (9), poor (0) | 1.00 [1.00, 1.00] |"


def test_r_squared_within_groups_leaves_out_their_mean_errors():
    truth, groups = torch.linspace(-1, 1, 40), torch.arange(40) % 2
    noise = 0.1 * torch.randn(40, generator=torch.Generator().manual_seed(0))
    assert r_squared(LINE, truth + 5 * groups, truth, groups) == pytest.approx(1)
    inside = r_squared(LINE, truth + noise + 5 * groups, truth, groups)
    assert inside == pytest.approx(1 - (noise.std() / truth.std()).item() ** 2, abs=0.01)
    assert r_squared(CIRCLE, (truth + 2).remainder(1), truth.remainder(1), groups) == pytest.approx(1, abs=1e-6)


def test_runs_that_stopped_after_different_passes_are_one_row():
    one, other = {("cube", 0): {"overall": 1.0}, ("cube", 1): {"overall": 2.0}}, {("cube", 2): {"overall": 3.0}}
    rows, seconds = (
        {("stops", 96): dict(one), ("stops", 192): dict(other)},
        {("stops", 96): [1.0], ("stops", 192): [2.0]},
    )
    joined(rows, seconds)
    assert rows == {("stops", 128): {**one, **other}}
    assert seconds == {("stops", 128): [1.0, 2.0]}
    solvers = {("mean", 96): dict(one), ("mean", 192): dict(one)}
    joined(solvers, {})
    assert sorted(solvers) == [("mean", 96), ("mean", 192)]


def test_the_pair_of_coordinates_whose_angle_is_a_circular_factor_is_found(rng):
    coordinates = torch.randn(400, 4, generator=rng)
    factor = 1.0 - torch.atan2(coordinates[:, 3], coordinates[:, 1])  # turned the other way, from elsewhere
    assert best_pair(coordinates, factor) == (1, 3)
    share, error = agreement(torch.atan2(coordinates[:, 3], coordinates[:, 1]), factor)
    assert share > 0.999 and error < 0.1
    assert agreement(torch.atan2(coordinates[:, 2], coordinates[:, 0]), factor)[0] < 0.1


def test_the_loop_is_scored_at_each_mark_once(tmp_path, monkeypatch):
    asked = []

    def prolong(run: Path, steps: int) -> None:
        asked.append(steps)
        Directions(torch.eye(2), "test").save(run / "directions.safetensors")
        log = [{"step": step, "penalty": step, "share": steps / 1000} for step in range(10, steps + 1, 10)]  # thinned
        (run / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))

    monkeypatch.setattr(loop, "prolong", prolong)
    monkeypatch.setattr(loop, "Judge", lambda: lambda directions: Value(0.5, 0.25, 0.75))
    (tmp_path / "run").mkdir()
    for steps, done in ((300, [100, 250]), (1999, [100, 250, 1000, 1500]), (10, [100, 250, 1000, 1500])):
        result = CliRunner().invoke(loop.main, ["--steps", str(steps), "--out", str(tmp_path)])
        assert result.exit_code == 0 and asked == done
        if steps == 300:
            prolong(tmp_path / "run", 700)  # beyond a mark, which cannot be scored any more
            asked.pop()
    rows = [line.strip("| ").split(" | ") for line in result.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["100", "250", "1,000", "1,500"]
    assert rows[-1][1:] == ["192,000", "1255.0", "1.50", "0.500 [0.250, 0.750]"]


def test_a_switch_is_told_from_what_wanders():
    always = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)  # at -2 and at 2, of four latents
    wanders = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 1]], dtype=torch.bool)
    table = switches.switching(torch.stack([always, wanders], 1))
    assert table.tolist() == [[0, 100, 100, 0], [50, 50, 25, 50]]
