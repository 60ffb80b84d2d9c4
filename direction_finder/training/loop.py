"""The training loop for all models; a `Trainer` defines one step of one kind of training.

Step t draws its random numbers from its own stream, and everything else that changes from step to step depends only on
t. So a run can be resumed exactly from its weights and the moments of its optimisers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from direction_finder import torchrun
from direction_finder.errors import Diverged, InputError
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import stream
from direction_finder.training.state import Networks, Optimisers, restore, start_from, state

TRIED = 4  # steps of a stage by which the others are judged
Built = TypeVar("Built", bound=nn.Module)


class Stage(NamedTuple):
    """Describe steps of a training that cost about the same.

    number: how many there are. images: of the data, that each of them shows. like: the numbers of some of them.
    """

    number: int
    images: int
    like: tuple[int, ...]


def stage(steps: Sequence[int], images: int) -> Stage:
    """Return the stage of these steps, which is judged by some from its middle."""
    return Stage(len(steps), images, tuple(steps[len(steps) // 2 :][:TRIED]))


class Trainer(ABC):
    """Networks, their optimisers, and one step of their training.

    length: the setting behind the `total` number of steps, as named in messages. cure: the advice for resuming after
    divergence. whole: why the processes of `torchrun` cannot share batches; None if they can. weights: returns the
    state dict of the model that would be saved after a step; None if only a finished run has one.
    """

    config: Any
    players: nn.Module
    optimisers: Optimisers
    seed: int
    total: int
    length: str
    cure: str
    whole: str | None = None
    weights: Callable[[int], dict[str, Tensor]] | None = None

    @abstractmethod
    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Train every player once. Return the losses and other values of the step."""

    def stages(self) -> list[Stage]:
        """Return all steps by what they cost."""
        return [stage(range(1, self.total + 1), self.config.batch_size)]

    def follow(self, step: int) -> None:  # noqa: B027
        """Move the averaged generator towards the trained one; a model without an average does nothing."""

    @abstractmethod
    def preview(self, step: int) -> Tensor:
        """Return images (n, 3, H, W) that show the state of the generator after a step."""

    def position(self, step: int) -> dict[str, float]:
        """Return values that say how far the training is at a step, to report before its losses."""
        return {}

    def collapse(self, finite: bool) -> str | None:
        """Say what is wrong after a step, apart from losses that are not finite; None if nothing is.

        finite: whether the losses of the step are finite.
        """
        return None


def run(
    trainer: Trainer,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
    start: dict[str, Tensor] | None = None,
) -> None:
    """Train for the total number of steps, or until `on_step` stops the training.

    The processes of `torchrun` share the batch of a step, and average the gradients; `on_step` is for the first only.
    A run that was at its end already reports its last step once more, so that its results can be written again.
    resume: the `state()` of a Progress, to resume exactly. start: a `snapshot`, to start from with new optimisers.
    Raises InputError for a state or snapshot that does not fit, or batches that cannot be shared; Diverged when the
    losses are no longer finite.
    """
    if torchrun.count() > 1 and trainer.whole:
        raise InputError(f"{trainer.whole}, so it is trained in one process: leave out torchrun")
    if start:
        assert isinstance(trainer.players, Networks)
        start_from(trainer.players, start)
    done = restore(trainer.players, trainer.optimisers, resume) if resume else 0
    if done > trainer.total:
        raise InputError(f"{trainer.length}: the run is at step {done} already; set it higher to train longer")
    for optimiser in trainer.optimisers.values():
        optimiser.register_step_pre_hook(lambda optimiser, *_: torchrun.average_gradients(optimiser))
    if done == trainer.total and on_step:
        on_step(_progress(trainer, done, {}))
    for step in range(done + 1, trainer.total + 1):
        values = trainer.step(step, stream(trainer.seed, f"step {step}"))
        _check(trainer, step, values)
        trainer.follow(step)
        progress = _progress(trainer, step, values)
        if on_step:
            with torchrun.alone():  # the others wait
                on_step(progress)
        if torchrun.agreed(progress.stopped):
            break


def _check(trainer: Trainer, step: int, values: dict[str, float]) -> None:
    finite = bool(np.isfinite(list(values.values())).all())
    problem = trainer.collapse(finite) or (None if finite else "the losses are not finite")
    if problem:
        raise Diverged(
            f"{problem} at step {step}: the training has diverged; resume from the last saved state with {trainer.cure}"
        )


def _progress(trainer: Trainer, step: int, values: dict[str, float]) -> Progress:
    return Progress(
        step,
        trainer.total,
        "training",
        {**trainer.position(step), **values},
        state=partial(state, trainer.players, trainer.optimisers, step),
        preview=partial(trainer.preview, step),
        weights=partial(trainer.weights, step) if trainer.weights else None,
    )


def joint(figures: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the losses of a step, each a mean over the part of the batch that a process has, for the whole batch."""
    means = torchrun.summed(torch.stack([*figures.values()])) / torchrun.count()
    return dict(zip(figures, means.tolist(), strict=True))


def build(make: Callable[[], Built], device: str) -> Built:
    """Return the networks that `make` builds, on a device and in training mode. The global seed is not changed."""
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are built
        return make().to(device).train()


def adams(players: Networks, rates: Mapping[str, float], memory: float) -> Optimisers:
    """Return an Adam optimiser without momentum for each player named in `rates`.

    rates: learning rates by player. memory: decay of the squared gradients.
    """
    return {
        name: torch.optim.Adam(getattr(players, name).parameters(), lr=rate, betas=(0.0, memory), eps=1e-8, fused=True)
        for name, rate in rates.items()
    }
