"""A ranking as a value: what it prints, keeps and draws, what it leaves out. See test_ranking.py for its signals."""

import dataclasses
import json

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from direction_finder.metrics.ranking import Signal
from direction_finder.reports import ranking as module
from direction_finder.reports.measures.factor_metrics import moves
from direction_finder.reports.ranking import REST, Ranking, Settings, rank, rank_by_matrix
from tests.planted import Planted, planted

FEW = {"samples": 2, "hessians": 2, "ranges": "none"}


def basis(n: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(seed)))[0]


@pytest.fixture(scope="module")
def generator():
    return planted(6)


@pytest.fixture
def directions() -> Directions:
    return Directions(basis(), "random")


@pytest.fixture
def made() -> Ranking:
    """Seven directions by two signals, of which the first two are worth a look."""
    directions = dataclasses.replace(
        Directions(basis(7), "random"), names=("x", *(None,) * 6), ranges=(2.5, None, *(None,) * 5)
    )
    signals = (
        Signal("localised", torch.tensor([0.9, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1]), 0.5, tuple(f"z {i}" for i in range(7))),
        Signal("activeness", torch.tensor([4.0, 2.0, 0.5, 0.4, 0.3, 0.2, 0.1]), 1.0),
    )
    return Ranking(directions, signals, [0, 1, 2, 3, 4, 5, 6], [0, 1], measured=(0, 1))


def test_it_prints_the_short_list_and_the_end_of_the_others(made):
    lines = str(made).splitlines()
    assert lines[0].split() == ["localised", "activeness", "range"]
    assert lines[1].split() == ["95", "%", "of", "random", "0.5", "1"]
    assert lines[2].split() == ["direction", "0", "x", "0.9*", "4*", "2.5", "z", "0"]
    assert lines[3].split() == ["direction", "1", "0.1", "2*", "z", "1"]
    assert lines[4] == "... and at the end of the others, 5 in all:"
    assert [line.split()[1] for line in lines[5:-1]] == ["3", "4", "5", "6"] and REST == 4
    assert lines[-1] == "* above 95 % of random directions"
    assert repr(made) == "<Ranking of 7 directions: [0, 1]>"


def test_it_prints_what_directions_move_where_that_is_known(made):
    told = str(dataclasses.replace(made, moves=["x 83 %", *["mixed"] * 6]))
    assert told.splitlines()[2].endswith("z 0      x 83 %")
    everything = dataclasses.replace(made, short_list=made.order)
    assert "others" not in str(everything) and len(str(everything).splitlines()) == 10


def test_its_table_has_a_row_for_each_of_the_short_list(made):
    assert [row["direction"] for row in made.table] == [0, 1]
    assert made.table[1] == {"direction": 1, "localised": pytest.approx(0.1), "activeness": 2.0}


def test_it_is_kept_as_plain_values(made, tmp_path):
    other = dataclasses.replace(made, drift={"usual": 1.0}, compared_with=("a",), seed=3, settings=Settings(2, 5, 6))
    other.save(tmp_path / "rank.json")
    kept = json.loads((tmp_path / "rank.json").read_text())
    assert kept == json.loads(json.dumps(other.to_dict()))
    assert kept["signals"]["activeness"] == {
        "chance": 1.0,
        "values": pytest.approx([4, 2, 0.5, 0.4, 0.3, 0.2, 0.1]),
        "where": [],
    }
    assert (kept["samples"], kept["hessians"], kept["seed"], kept["with"]) == (5, 6, 3, ["a"])
    assert kept["drift"] == {"usual": 1.0} and kept["directions_sha256"] == made.directions.sha256


def test_equal_rankings_are_equal(generator, directions):
    one, two = (rank(generator, directions, **FEW) for _ in range(2))
    assert one == two and one != rank(generator, directions, **{**FEW, "seed": 1}) and one != "a ranking"
    assert one != dataclasses.replace(two, directions=directions.named(0, "x"))


def test_a_signal_is_drawn_with_the_line_of_chance(made):
    axes = made.plot()
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([4, 2, 0.5, 0.4, 0.3, 0.2, 0.1]) and axes.get_ylabel() == "activeness"
    assert axes.lines[0].get_ydata()[0] == pytest.approx(1.0)
    assert made.plot("localised", ax=axes) is axes and axes.lines[1].get_ydata()[0] == pytest.approx(0.5)
    with pytest.raises(InputError, match=r"^signal 'beauty': expected one of localised, activeness$"):
        made.plot("beauty")


def test_a_signal_that_is_zero_everywhere_is_drawn(made):
    flat = dataclasses.replace(made, signals=(Signal("agreement", torch.zeros(7), 0.5),))
    assert [bar.get_height() for bar in flat.plot("agreement").patches] == [0] * 7


def test_ranges_that_were_not_found_are_explained(made):
    assert made.unlimited.startswith("no range: images stay in the normal range up to ")
    assert dataclasses.replace(made, measured=(0,)).unlimited is None
    assert dataclasses.replace(made, measured=()).unlimited is None


@pytest.mark.parametrize(("ranges", "measured"), [("none", []), ("listed", "short"), ("all", [0, 1, 2, 3, 4, 5])])
def test_ranges_are_measured_of_those_asked_for(ranges, measured, generator, directions, monkeypatch):
    class Drift:
        threshold, usual = 2.0, 1.0

        def __init__(self, *_, **__): ...

        def usable_range(self, direction):
            return 1.5 + direction.number

    monkeypatch.setattr(module, "Drift", Drift)
    found = rank(generator, directions, samples=2, hessians=0, most=2, ranges=ranges)
    expected = found.short_list if measured == "short" else measured
    assert [i for i, reach in enumerate(found.directions.ranges) if reach is not None] == sorted(expected)
    assert all(found.directions.ranges[i] == 1.5 + i for i in expected) and sorted(found.measured) == sorted(expected)
    assert found.drift == (None if ranges == "none" else {"threshold": 2.0, "usual": 1.0})
    assert directions.ranges == (None,) * 6


def test_ranges_of_another_word_are_refused_before_anything_is_drawn(generator, directions, monkeypatch):
    monkeypatch.setattr(type(generator), "run", lambda *_: pytest.fail("a image was drawn"))
    with pytest.raises(InputError, match=r"^`ranges` 'some': expected listed, all, none$"):
        rank(generator, directions, ranges="some")
    with pytest.raises(InputError, match="5 dimensions"):
        rank(generator, Directions(torch.eye(5), "random"))


def test_signals_are_those_that_the_generator_allows(generator, directions):
    pair = ["separate", "steady"]
    assert [each.name for each in rank(generator, directions, **FEW).signals] == ["activeness", "diagonal", *pair]
    assert [each.name for each in rank(generator, directions, **{**FEW, "hessians": 0}).signals] == [
        "activeness",
        *pair,
    ]
    alone = rank(generator, directions[:1], **FEW)
    assert [each.name for each in alone.signals] == ["activeness"] and alone.distortion is None
    found = rank(generator, directions, [Directions(basis(), "other")], **FEW)
    assert [each.name for each in found.signals] == ["agreement", "activeness", "diagonal", *pair]
    assert found.signals[0].values.min() > 0.999 and found.notes == ()
    told = str(found).splitlines()[-1]
    assert told == str(found.distortion) and f"turned by {found.distortion.turn:.0f} degrees" in told


def test_nothing_stands_out_is_told(made):
    assert "no direction stands out" in str(dataclasses.replace(made, short_list=[]))
    assert "no direction stands out" not in str(made)


def test_without_gradients_it_is_noted_and_ranked_without_hessians(directions):
    class NoGradient(Planted):
        def forward(self, z):
            return super().forward(z).detach()

    found = rank(WrappedModule(NoGradient(6, 0), 6, name="closed"), directions, **FEW)
    assert [each.name for each in found.signals] == ["activeness", "separate", "steady"]
    assert found.notes == ("closed lets no gradient through: ranked without Hessians.",)


def test_given_samples_count(generator, directions):
    samples = generator.samples(3, seed=5)
    found = rank(generator, directions, **{**FEW, "samples": samples, "hessians": 0})
    assert found.settings.samples == 3
    other = rank(generator, directions, **{**FEW, "samples": generator.samples(3, seed=6), "hessians": 0})
    assert not torch.equal(found.signals[0].values, other.signals[0].values)


def test_by_the_matrix_alone():
    rows = torch.zeros(2, 8)
    rows[0, 5] = 1.0
    rows[1] = 8**-0.5
    split = Directions(rows, "imported", config={"chunk": 4}, orthonormal=False)
    found = rank_by_matrix(split, settings=Settings(most=1), seed=4)
    assert [each.name for each in found.signals] == ["localised"] and found.signals[0].where[0] == "z 4-7"
    assert found.order == [0, 1] and found.short_list == [0] and found.seed == 4 and found.drift is None
    both = rank_by_matrix(split, [split])
    assert [each.name for each in both.signals] == ["localised", "agreement"]
    with pytest.raises(InputError, match="nothing to rank by"):
        rank_by_matrix(Directions(torch.eye(3), "imported"))


def test_what_directions_move_is_told_by_a_report_of_as_many(tmp_path):
    directions = Directions(torch.eye(2), "random")
    path = tmp_path / "factors.json"
    assert moves(path, directions) == []
    report = {"names": ["x", None], "shares": [["x", 0.834], ["y", 0.3]], "factors": ["x"], "effects": [[1.0], [0.5]],
              "scores": {}, "strongest": [0, 1]}  # fmt: skip
    path.write_text(json.dumps(report))
    assert moves(path, directions) == ["x 83%", "mixed"] and moves(path, directions[:1]) == []


@pytest.mark.parametrize("content", ["{", "[]", '{"names": ["x", null]}', '{"names": 3, "shares": []}'])
def test_a_damaged_report_is_left_out_of_what_is_printed(content, tmp_path):
    path, notes = tmp_path / "factors.json", []
    path.write_text(content)
    assert moves(path, Directions(torch.eye(2), "random"), notes.append) == []
    (note,) = notes
    assert note.startswith(f"What directions change is left out: {path}: ") and "\n" not in note
