"""Cayley ADAM: gradient steps that stay on the Stiefel manifold (Li, Fuxin and Todorovic 2020, Algorithm 2).

https://arxiv.org/abs/2002.01113. This differs from the common implementations in three points. The fixed-point
iteration starts at X - a W X, which is correct to first order (their start is not). It takes five rounds instead of
two, which keeps 120 x 40 matrices orthonormal to 1e-9 in float64 at rate 0.4. A QR factorisation every hundred steps
removes rounding errors.
"""

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor

EPSILON = 1e-8
LONGEST = 0.5  # q: a step is at most 2 q / ||W||, so that the fixed point exists
ROUNDS = 5
MEND_EVERY = 100  # steps


def skew_field(x: Tensor, momentum: Tensor) -> Tensor:
    """Return the skew W (n, n) for which W X is `momentum` projected on the tangent space at X (n, m), X^T X = I."""
    half = momentum @ x.mT - x @ (x.mT @ momentum @ x.mT) / 2
    return half - half.mT


def retract(x: Tensor, skew: Tensor, step: float, rounds: int = ROUNDS) -> Tensor:
    """Compute (I + a/2 W)^-1 (I - a/2 W) X by fixed-point iteration, without a linear solve.

    The result (n, m) has orthonormal columns again. a is `step`, W is `skew` (n, n), X is `x` (n, m).
    """
    y = x - step * skew @ x
    for _ in range(rounds):
        y = x - step / 2 * skew @ (x + y)
    return y


class CayleyAdam(torch.optim.Optimizer):
    """An optimiser for matrices with orthonormal rows (num, dim), num <= dim; the rows stay orthonormal.

    It has a momentum and one scalar second moment per matrix. A step has a Frobenius length of about `lr`, even if the
    gradient is small: decrease `lr` to 0 to converge. For steps comparable with Adam's, use Adam's rate times the
    square root of the number of entries.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float = 0.1, betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(matrices, {"lr": lr, "betas": betas})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one step with every matrix that has a gradient. Return the loss that `closure` computes, if given."""
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for rows in group["params"]:
                if rows.grad is not None:
                    self._turn(rows, group["lr"], *group["betas"])
        return loss

    def _turn(self, rows: Tensor, lr: float, first: float, second: float) -> None:
        assert rows.grad is not None  # `step` skips matrices without a gradient
        state = self.state[rows]
        if not state:
            state.update(step=torch.tensor(0.0), exp_avg=torch.zeros_like(rows), exp_avg_sq=rows.new_zeros(()))
        state["step"] += 1
        count = int(state["step"])
        x, gradient = rows.mT, rows.grad.mT
        momentum = torch.lerp(gradient, state["exp_avg"].mT, first)
        state["exp_avg_sq"].lerp_(gradient.square().sum(), 1 - second)
        scale = (1 - first**count) * (state["exp_avg_sq"] / (1 - second**count) + EPSILON).sqrt()
        skew = skew_field(x, momentum) / scale
        tangent = skew @ x
        state["exp_avg"].copy_((scale * tangent).mT)
        longest = 2 * LONGEST / (float(skew.norm()) + EPSILON)
        turned = retract(x, skew, min(lr, longest))
        if count % MEND_EVERY == 0:
            q, r = torch.linalg.qr(turned)
            turned = q * r.diagonal().sign()
        rows.copy_(turned.mT)
