"""`rank` lists few directions where nothing stands out, and all planted ones: part of benchmarks/calibration.py."""

import pytest

from benchmarks.calibration import false_discoveries, hits


@pytest.mark.parametrize("kind", ["radial", "waves"])
def test_few_directions_are_listed_where_none_stands_out(kind):
    rates = false_discoveries(kind, 3)
    assert rates["listed"] <= 0.15 and {"agreement", "diagonal", "separate", "steady"} <= rates.keys()


def test_planted_directions_are_listed_and_hardly_others():
    listed, others = hits(0.25, 2)
    assert listed == 1 and others <= 0.5
