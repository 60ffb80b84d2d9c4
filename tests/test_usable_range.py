"""Usable ranges and even steps, on a real generator."""

import json

import numpy as np
import pytest
import torch

from direction_finder.directions import Direction, Directions
from direction_finder.edits import spread, steady_walk
from direction_finder.generators import load_generator
from direction_finder.metrics.even_spacing import even_positions
from direction_finder.metrics.samples import Sampling
from direction_finder.metrics.usable_range import Drift
from tests.conftest import call


@pytest.fixture(scope="module")
def drift():
    return Drift(load_generator("shapes-64"), Sampling(class_index=0), samples=256, followed=8)


@pytest.mark.parametrize("component", [3, 11])
def test_the_drift_is_at_its_threshold_at_the_range_and_beyond_it_after(drift, component):
    direction = Direction(torch.eye(24)[component])
    reach = drift.usable_range(direction)
    assert drift.usual < drift.threshold and drift.along(direction, 0.0) < drift.threshold
    assert drift.along(direction, reach) == pytest.approx(drift.threshold, rel=0.1)
    assert drift.along(direction, 2 * reach) > 1.02 * drift.threshold


def test_one_image_in_twenty_exceeds_the_threshold(drift):
    rng = torch.Generator().manual_seed(5)
    latents = spread(drift.generator.sample(400, rng), drift.generator.num_layers)
    features = drift._features(latents, torch.zeros(400, dtype=torch.long))
    assert 0.02 < (drift._of(features) > drift.threshold).double().mean() < 0.1


def test_where_the_length_of_z_is_divided_away_a_move_may_never_lead_out(tmp_path):
    np.save(tmp_path / "one.npy", np.eye(12, dtype=np.float32)[8:12])
    for name in ("run", "other"):  # which agree, so that the direction is listed
        assert (
            call("import", tmp_path / "one.npy", "--generator", "clevr-simple", "--out", tmp_path / name).exit_code == 0
        )
    result = call("rank", tmp_path / "run", "--with", tmp_path / "other", "--samples", 2, "--hessians", 0)
    assert result.exit_code == 0, result.stderr
    assert "no range: images stay in the normal range up to 32; `render` goes to 3 by default" in result.stdout
    assert None in Directions.load(tmp_path / "run").ranges


def test_even_positions_of_a_known_curve():
    """Images that lie at x^3: even distances want positions at the cube roots of even steps."""
    even = even_positions(lambda x: (x**3).diff().square(), 2.0, 9)
    assert torch.allclose(even.positions**3, torch.linspace(-8, 8, 9), atol=0.15)
    assert even.ratio < 1.1 and even.uniform > 100 and even.positions[0] == -2 and even.positions[-1] == 2
    around = even_positions(lambda x: (x + 0.3 * x**2).diff().square(), 1.0, 7, around_zero=True)  # steeper ahead
    assert around.positions[3] == 0 and around.positions[0] == pytest.approx(-1, abs=0.02) and around.ratio < 1.1
    values = around.positions + 0.3 * around.positions**2
    assert torch.allclose(values, torch.linspace(-0.7, 0.7, 7), atol=0.03)
    still = even_positions(lambda x: torch.zeros(len(x) - 1), 1.0, 3)
    assert torch.allclose(still.positions, torch.tensor([-1.0, 0, 1]))


def test_a_steady_walk_goes_round():
    at = steady_walk(40, torch.tensor([-4.0, -1, 0, 1, 4]))
    assert at[0] == 0 and at.min() == -4 and at.max() == 4 and at[20] == pytest.approx(0, abs=1e-6)
    assert at[5] == pytest.approx(-1) and at[10] == -4 and at[15] == pytest.approx(-1) and at[30] == 4
    assert at[-1] == pytest.approx(0.2, abs=1e-6)  # one step before the first


def test_even_grids_and_films(tmp_path):
    run = tmp_path / "run"
    assert call("learn", "--generator", "clevr-simple", "--method", "coordinates", "--out", run).exit_code == 0
    some = ["--directions", "0", "--samples", 1, "--even"]
    result = call("render", "grid", run, *some, "--steps", 5)
    assert result.exit_code == 0, result.stderr
    ratio, uniform = (float(part.split(" times")[0]) for part in result.stderr.split(" is ")[1].split("ones "))
    assert ratio <= 1.3 < uniform
    assert json.loads(call("info", run / "grid.png", "--json").stdout)["made"]["even"]
    assert call("render", "video", run, *some, "--seconds", 0.5, "--out", tmp_path / "a.gif").exit_code == 0
    refused = call("render", "grid", run, "--even", "--layout", "overview")
    assert refused.exit_code == 2 and "--even is for layout blocks" in refused.stderr
