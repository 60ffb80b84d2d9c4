"""Learn an orthogonal matrix by stochastic gradients: the loop that the paper's method and OroJaR's share."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from direction_finder import torchrun
from direction_finder.cayley_adam import CayleyAdam
from direction_finder.directions import Directions
from direction_finder.discovery.configs import STARTS, LoopConfig
from direction_finder.discovery.diagonal_share import ShareMeter
from direction_finder.discovery.search_space import (
    SearchSpace,
    finish,
    slices,
    strengths,
)
from direction_finder.discovery.states import check_state
from direction_finder.discovery.tuning import Work
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import Generator
from direction_finder.orthogonal import parametrise
from direction_finder.penalty import Repeatable
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, rademacher, stream

SHARE_EVERY = 10  # steps between two measurements of the diagonal share


class Batch(NamedTuple):
    """The random numbers of one step: z (n, dim), classes (n,), w = eta e_i (n, num), probes (num_probes, n, num)."""

    z: Tensor
    classes: Tensor
    w: Tensor
    probes: Tensor


Config = TypeVar("Config", bound=LoopConfig)
Penalise = Callable[[SearchSpace, Config, Tensor, Batch], Tensor]


def minimise(
    generator: Generator,
    config: Config,
    method: str,
    penalise: Penalise[Config],
    *,
    on_step: OnStep | None,
    resume: dict[str, Tensor] | None,
) -> Directions:
    """Minimise over A the mean of `penalise(space, config, rows, batch)`, which returns a penalty per sample.

    Only A gets gradients. As many directions are learned as there are searched dimensions (fewer would tend towards
    directions that do nothing); then the `num_directions` strongest are returned. If `on_step` stops the run, the
    directions so far are returned, without scores. The processes of `torchrun` share every batch.
    resume: the tensors of `Progress.state()`. A resumed run returns exactly the same result as an uninterrupted run.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    # the matrix is small and stays on the CPU, where factorisations are fast and do not depend on the device
    free, rows_of = parametrise(config.orthogonal, starting_rows(space, config))
    free.requires_grad_(True)
    optimiser, rate = make_optimiser(config, free)
    rng = stream(config.seed, "learning")
    count = 0 if config.orthogonal == "none" else config.share_points
    meter = ShareMeter(space, config.at, count=count, seed=config.seed, max_batch=config.max_batch)
    step = _restore(resume, config, free, optimiser, rng, meter) if resume else 0

    stopped, forward = False, None
    while step < config.steps and not stopped:
        rows = rows_of(free)
        leaf = rows.detach().to(generator.device).requires_grad_(True)
        batch = draw_batch(space, config, len(leaf), rng)
        if forward is None:
            outputs = moved_outputs(space, leaf.detach().clone(), config.at)  # the rows may change in place
            forward = Repeatable(outputs, batch.w[:1], batch.z[:1], batch.classes[:1])
            forward.check()
        penalty = batch_penalty(space, config, leaf, batch, penalise)
        optimiser.zero_grad()
        rows.backward(_gradient(leaf).cpu())
        optimiser.param_groups[0]["lr"] = rate * (1 - step / config.steps) if config.schedule == "linear" else rate
        optimiser.step()
        step += 1
        values = {"penalty": penalty, "gradient_norm": float(_gradient(free).norm())}
        if step % SHARE_EVERY == 0 or step == config.steps:
            forward.check()
        if step % SHARE_EVERY == 0:
            meter.update(2 * step * config.batch_size * config.rows_per_sample)
            values |= meter.of(rows_of(free).detach())
        if on_step:
            state = partial(_state, step, config.steps, free, optimiser, rng, meter)
            progress = Progress(step, config.steps, "learning", values, state)
            on_step(progress)
            stopped = progress.stopped and step < config.steps
        stopped = torchrun.agreed(stopped)

    with torch.no_grad():
        rows = rows_of(free)
        rows = rows / rows.norm(dim=1, keepdim=True)
    recorded = dataclasses.replace(config, steps=step) if stopped else config
    if config.start not in STARTS:  # record the file's hash instead of its path
        recorded = dataclasses.replace(recorded, start=f"sha256:{file_sha256(config.start)}")
    scores = None if stopped else strengths(space, rows, config, on_step)
    return finish(
        space,
        rows,
        recorded,
        method,
        scores=scores,
        orthonormal=config.orthogonal != "none",
        share=meter.of(rows) or None,
        reason=f"stopped at step {step} of {config.steps}" if stopped else f"all {step} steps",
    )


def gradient_work(penalise: Penalise[Config]) -> Work[Config]:
    """Return a function that computes, at the starting matrix, the gradient of a batch with a given number of rows.

    `tuning` measures this function.
    """

    def work(space: SearchSpace, config: Config, rows: int) -> Tensor:
        samples = max(1, rows // config.rows_per_sample)
        config = dataclasses.replace(config, max_batch=samples * config.rows_per_sample, batch_size=samples)
        free, rows_of = parametrise(config.orthogonal, starting_rows(space, config))
        leaf = rows_of(free).detach().to(space.generator.device).requires_grad_(True)
        batch = draw_batch(space, config, len(leaf), stream(config.seed, "tuning"))
        batch_penalty(space, config, leaf, batch, penalise)
        return _gradient(leaf)

    return work


def make_optimiser(config: LoopConfig, free: Tensor) -> tuple[torch.optim.Optimizer, float]:
    """Return Adam, or Cayley ADAM for a matrix that stays on the Stiefel manifold, and the initial learning rate.

    Cayley ADAM's rate is the step length of the whole matrix. Multiplied by the square root of the number of entries,
    it makes steps comparable with Adam's.
    """
    if config.orthogonal == "stiefel":
        rate = config.learning_rate * free.numel() ** 0.5
        return CayleyAdam([free], lr=rate, betas=(config.momentum, 0.99)), rate
    return torch.optim.Adam([free], lr=config.learning_rate, betas=(config.momentum, 0.999)), config.learning_rate


def moved_outputs(space: SearchSpace, rows: Tensor, at: tuple[str, ...]) -> Callable[..., list[Tensor]]:
    """Return the function to penalise: (w, z, classes) -> the outputs of G(z + w A) named in `at`, as a list."""
    return lambda w, z, classes: space.outputs(at, w @ rows, z, classes)


def starting_rows(space: SearchSpace, config: LoopConfig) -> Tensor:
    """Return the starting matrix (size, size): Kaiming normal as in the published code, the axes, or a file's vectors.

    Raises InputError if the vectors of the file do not fit the searched dimensions.
    """
    size = space.size
    if config.start == "coordinates":
        rows = torch.eye(size)
    elif config.start == "random":
        rows = normal(size, size, stream(config.seed, "starting rows")) * (2 / size) ** 0.5
    else:
        vectors = Directions.load(config.start).vectors
        if vectors.shape == (size, space.generator.dim):
            vectors = vectors[:, space.first : space.first + size].contiguous()
        if vectors.shape != (size, size):
            raise InputError(
                f"start {config.start}: it has {len(vectors)} directions of {vectors.shape[1]} dimensions; the search "
                f"needs {size} directions within its {size} dimensions: give such a file"
            )
        rows = vectors.clone()
    return rows


def draw_batch(space: SearchSpace, config: LoopConfig, num: int, rng: torch.Generator) -> Batch:
    """Draw a step's random numbers, on the CPU, so that they are the same for every device."""
    n = config.batch_size
    z = space.generator.sample(n, rng)
    classes = space.classes(n, rng)
    w = torch.zeros(n, num)
    picked = torch.randint(num, (n,), generator=rng)
    w[torch.arange(n), picked] = (2 * torch.rand(n, generator=rng) - 1) * config.eta
    probes = rademacher((config.num_probes, n, num), rng)
    return Batch(z, classes, w.to(z), probes.to(z))


def batch_penalty(space: SearchSpace, config: Config, rows: Tensor, batch: Batch, penalise: Penalise[Config]) -> float:
    """Return a batch's mean penalty, computed in slices of at most `max_batch`, and set `rows.grad` to its gradient.

    The processes of `torchrun` share the slices. What they find is summed in the order of the slices, so the result has
    the bytes of one process. Rounding would otherwise grow tenfold from step to step.
    """
    n, total, gradient = len(batch.z), 0.0, None

    def measured(part: slice) -> tuple[float, Tensor]:
        piece = Batch(batch.z[part], batch.classes[part], batch.w[part], batch.probes[:, part])
        loss = penalise(space, config, rows, piece).sum() / n
        (found,) = torch.autograd.grad(loss, rows)
        return loss.item(), found.cpu()

    for loss, found in torchrun.shared([*slices(n, config.max_batch // config.rows_per_sample)], measured):
        total += loss
        gradient = found if gradient is None else gradient + found
    assert gradient is not None
    rows.grad = gradient.to(rows.device)
    return total


def _gradient(tensor: Tensor) -> Tensor:
    """Return the gradient of a tensor after a backward pass."""
    assert tensor.grad is not None
    return tensor.grad


def _state(
    step: int, steps: int, free: Tensor, optimiser: torch.optim.Optimizer, rng: torch.Generator, meter: ShareMeter
) -> dict[str, Tensor]:
    moments = optimiser.state[free]
    return {
        "step": torch.tensor(step),
        "steps": torch.tensor(steps),
        "free": free.detach().clone(),
        "adam_step": moments["step"].clone(),
        "adam_mean": moments["exp_avg"].clone(),
        "adam_square": moments["exp_avg_sq"].clone(),
        "rng": rng.get_state(),
        "hessians": meter.hessians,
    }


def _restore(
    state: dict[str, Tensor],
    config: LoopConfig,
    free: Tensor,
    optimiser: torch.optim.Optimizer,
    rng: torch.Generator,
    meter: ShareMeter,
) -> int:
    square = () if config.orthogonal == "stiefel" else free.shape  # Cayley ADAM has one for the whole matrix
    size = meter.space.size
    expected = {"free": free.shape, "adam_step": (), "adam_mean": free.shape, "adam_square": square}
    check_state(state, {**expected, "hessians": (None, size, size)}, rng)
    steps = state.get("steps")
    if config.schedule == "linear" and (steps is None or steps.numel() != 1 or int(steps) != config.steps):
        laid_out = f" for {int(steps)} steps" if steps is not None and steps.numel() == 1 else ""
        raise InputError(f"steps {config.steps}: the linear schedule was laid out{laid_out}; use that number of steps")
    with torch.no_grad():
        free.copy_(state["free"])
    optimiser.state[free] = {
        "step": state["adam_step"].clone(),
        "exp_avg": state["adam_mean"].clone(),
        "exp_avg_sq": state["adam_square"].clone(),
    }
    rng.set_state(state["rng"])
    meter.hessians = state["hessians"]
    return int(state["step"])
