"""Disentanglement, completeness and informativeness."""

import numpy as np
import pytest

from direction_finder.dataset_tables import Factor
from direction_finder.errors import InputError
from direction_finder.metrics.dci import REGRESSORS, dci

pytest.importorskip("sklearn")
FACTORS = (Factor("a"), Factor("b"), Factor("c"))
VALUES = dict(zip("abc", np.random.default_rng(0).uniform(size=(3, 1200)), strict=True))
TABLE = np.stack(list(VALUES.values()), 1)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_codes_that_are_the_factors_score_one(regressor):
    scores = dci(7 - 3 * TABLE[:, [2, 0, 1]], VALUES, FACTORS, regressor)
    assert scores.disentanglement > 0.9
    assert scores.completeness > 0.9
    assert scores.informativeness < 0.15


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_mixed_codes_are_informative_but_not_disentangled(regressor):
    third = np.full((3, 3), 2 / 3)
    mixed = (TABLE - 0.5) @ (np.eye(3) - third)  # a reflection that shares every factor among all codes
    scores = dci(mixed, VALUES, FACTORS, regressor)
    assert scores.disentanglement < 0.6
    assert scores.completeness < 0.6
    assert scores.informativeness < 0.6


def test_a_factor_read_from_two_codes_costs_completeness_only():
    codes = np.column_stack([TABLE, TABLE[:, 0]])
    noise = np.random.default_rng(2).normal(0, 0.05, (1200, 2))
    codes[:, [0, 3]] += noise
    scores = dci(codes, VALUES, FACTORS, "lasso")
    assert scores.disentanglement > 0.95
    assert scores.completeness < 0.9


def test_a_circular_factor_is_its_cosine_and_sine():
    angle = VALUES["a"]
    codes = np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], 1)
    scores = dci(codes, {"angle": angle}, (Factor("angle", circular=True),), "lasso")
    assert scores.targets == ("cos angle", "sin angle")
    assert scores.disentanglement > 0.95


def test_a_code_that_never_changes_has_no_importance():
    scores = dci(np.column_stack([TABLE, np.full(1200, 0.3)]), VALUES, FACTORS, "lasso")
    assert not scores.importance[3].any()


def test_constant_codes_are_refused():
    with pytest.raises(InputError, match="the latents are all the same"):
        dci(np.ones((1200, 2)), VALUES, FACTORS, "lasso")
