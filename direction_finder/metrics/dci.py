"""Disentanglement, completeness and informativeness of latents (Eastwood and Williams 2018).

https://openreview.net/forum?id=By-7dz-AZ. A regressor reads each factor from the latents; how much it uses each latent
is the importance. Disentanglement: each latent matters for one factor only; completeness: each factor needs one latent
only; informativeness: the error of the prediction of held-out rows, as a fraction of the factor's deviation (smaller is
better). Settings are those of the authors' code: latents and factors standardised; Lasso with alpha 0.02; 10 trees.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from direction_finder.dataset_tables import Factor
from direction_finder.errors import InputError, MissingExtra

LASSO, FOREST = REGRESSORS = ("lasso", "forest")
ALPHA, TREES, DEPTHS = 0.02, 10, (4, 8, 12)
HELD_OUT = 4  # every fourth row is predicted, the others are learned from
EXTRA = "measure"


@dataclass(frozen=True)
class DCI:
    """Hold the three scores, and what they come from: the importance of each latent for each target (dim, targets)."""

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray
    targets: tuple[str, ...]


def dci(latents: np.ndarray, values: dict[str, np.ndarray], factors: tuple[Factor, ...], regressor: str) -> DCI:
    """Score latents (n, dim) by how they tell the factors' values (n,). regressor: "lasso" or "forest".

    A circular factor counts as two, its cosine and sine. Raises InputError for latents that do not vary, MissingExtra
    without scikit-learn.
    """
    make = _regressors()[regressor]
    targets = _targets(values, factors)
    latents = _standard(latents)
    if not latents.any():
        raise InputError("the latents are all the same: there is nothing to read factors from")
    out = np.arange(len(latents)) % HELD_OUT == 0
    columns, errors = [], []
    for target in targets.values():
        importance, predicted = make(latents[~out], target[~out], latents[out])
        columns.append(importance)
        errors.append(np.sqrt(np.mean((predicted - target[out]) ** 2)))
    importance = np.stack(columns, 1)
    return DCI(
        disentanglement=_weighted(importance, axis=1),
        completeness=_weighted(importance, axis=0),
        informativeness=float(np.mean(errors)),
        importance=importance,
        targets=tuple(targets),
    )


def _targets(values: dict[str, np.ndarray], factors: tuple[Factor, ...]) -> dict[str, np.ndarray]:
    targets: dict[str, np.ndarray] = {}
    for factor in factors:
        column = np.asarray(values[factor.name], dtype=float)
        if factor.circular:
            angle = 2 * np.pi * (column - factor.low) / (factor.high - factor.low)
            targets |= {f"cos {factor.name}": np.cos(angle), f"sin {factor.name}": np.sin(angle)}
        else:
            targets[factor.name] = column
    return {name: _standard(target) for name, target in targets.items()}


def _standard(columns: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and deviation 1; those that do not vary become 0."""
    deviation = columns.std(0)
    return (columns - columns.mean(0)) / np.where(deviation > 1e-12 * abs(columns).max(), deviation, np.inf)


def _weighted(importance: np.ndarray, axis: int) -> float:
    """Return 1 - the entropy along an axis, in units of its largest value; averaged, weighted by the importance."""
    total = importance.sum(axis, keepdims=True)
    share = importance / np.where(total > 0, total, 1)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(axis) / np.log(max(2, importance.shape[axis]))
    weights = total.squeeze(axis)
    return float(((1 - entropy) * weights).sum() / weights.sum()) if weights.sum() else 0.0


def _regressors() -> dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]]:
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.linear_model import Lasso
    except ImportError as error:
        raise MissingExtra("the score of latents", EXTRA) from error

    def lasso(latents: np.ndarray, target: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fitted = Lasso(alpha=ALPHA).fit(latents, target)
        return abs(fitted.coef_), fitted.predict(others)

    def forest(latents: np.ndarray, target: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = len(latents) * 3 // 4  # the rest chooses the depth

        def grown(depth: int, rows: int) -> RandomForestRegressor:
            return RandomForestRegressor(TREES, max_depth=depth, random_state=0).fit(latents[:rows], target[:rows])

        best = max(DEPTHS, key=lambda depth: grown(depth, inner).score(latents[inner:], target[inner:]))
        fitted = grown(best, len(latents))
        return fitted.feature_importances_, fitted.predict(others)

    return {LASSO: lasso, FOREST: forest}
