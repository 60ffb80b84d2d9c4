"""Train a ProGAN (Karras et al. 2018, https://arxiv.org/abs/1710.10196), with the Hessian Penalty if asked.

WGAN-GP with drift, Adam, networks that grow level by level, moving average of the generator's weights. The penalty
(Peebles et al. 2020, https://arxiv.org/abs/2008.10599) is taken of z -> activations after their pixel norm, summed over
layers, and added to the generator's loss; InfoGAN's guess of z (Chen et al. 2016) to both losses. One pass of the
generator serves both players' steps: the critic's step is taken first, on the pictures of that pass.

Step t draws its pictures and latents from a stream of its own, and its place in the growth and its penalty's weight
follow from t, so a run goes on exactly from its weights and its optimisers' moments.
"""

import math
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from direction_finder.errors import Diverged, InputError
from direction_finder.generators.networks.progan import Critic, EqualisedConv, ProGAN, double, pixel_norm
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.training.growth import Place, at_level, levels_of, place, plan
from direction_finder.training.progan_config import ProGANConfig
from direction_finder.training.progan_losses import gradient_penalty, penalty_of, penalty_weight
from direction_finder.training.state import Optimisers, follow, restore, start_from, state

GRADIENT_PENALTY, DRIFT = 10.0, 1e-3
PREVIEWED = torch.linspace(-2, 2, 8)  # each component of z is set to these
FLAT, FLAT_STEPS = 1e-5, 200  # a critic whose scores differ by less for so many steps in a row has collapsed


class Players(nn.Module):
    """Generator, its moving average and critic: everything that a run trains."""

    def __init__(self, config: ProGANConfig, levels: int):
        super().__init__()
        widths = config.widths(levels)
        self.generator = ProGAN(config.z_dim, widths)
        self.critic = Critic(widths, config.codes)
        rng = stream(config.seed, "weights")
        for module in self.modules():
            if isinstance(module, EqualisedConv):
                nn.init.normal_(module.weight, generator=rng)
        self.to(memory_format=torch.channels_last)  # faster convolutions on CPUs and GPUs
        self.average = deepcopy(self.generator).requires_grad_(False)


def train(
    images: np.ndarray,
    config: ProGANConfig,
    *,
    device: str = "cpu",
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
    start: dict[str, Tensor] | None = None,
    grown: bool = False,
) -> Players:
    """Train on images (n, H, W, 3) of bytes.

    resume: the `state()` of a Progress, to go on exactly. start: a `snapshot`, to go on from with new optimisers.
    grown: the networks are fully grown from the first step, as they must be with `start`.
    Progress carries `weights()`, the averaged generator in genforce's layout, and `preview()`, its pictures: a row of 8
    samples, then a row for each component of z, set to -2 ... 2.
    Raises InputError for data or settings that do not fit, and when the training falls apart.
    """
    levels = levels_of(images.shape[1])
    if len(images) < config.batch_at(levels - 1, levels):
        raise InputError(f"{len(images)} pictures are fewer than a batch of {config.batch_at(levels - 1, levels)}")
    phases = plan(config, levels, grown)
    layers = config.penalised(levels)
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are made
        players = Players(config, levels).to(device).train()
    if start:
        start_from(players, start)
    optimisers = {
        name: torch.optim.Adam(
            getattr(players, name).parameters(), lr=config.learning_rate, betas=(0.0, 0.99), eps=1e-8, fused=True
        )
        for name in ("generator", "critic")
    }
    done = restore(players, optimisers, resume) if resume else 0
    total = sum(phase.steps for phase in phases)
    if done > total:
        raise InputError(f"`kimg` {config.kimg:g} is {total} steps: the run is at step {done} already")
    pixels = torch.from_numpy(images)
    preview_z = _preview_latents(config).to(device)
    flat = 0
    for step in range(done + 1, total + 1):
        here = place(phases, step)
        rng = stream(config.seed, f"step {step}")
        real = at_level(_pictures(pixels, here.batch, config.mirror, rng).to(device), here.grown)
        weight = penalty_weight(config, step, here)
        values, spread = _step(players, optimisers, config, real, here, rng, weight, layers)
        flat = flat + 1 if spread < FLAT else 0
        if not np.isfinite(list(values.values())).all() or flat >= FLAT_STEPS:
            what = "the critic's scores are all the same" if flat else "the losses are not finite"
            raise Diverged(
                f"{what} at step {step}: the training fell apart; go on from the last saved state with a lower "
                "learning rate or a smaller penalty"
            )
        follow(players.average, players.generator, 0.5 ** (here.batch / (1000 * config.average_kimg)))
        progress = Progress(
            step,
            total,
            "training",
            {"kimg": (here.shown + here.batch) / 1000, "grown": here.grown, **values},
            state=lambda step=step: state(players, optimisers, step),
            preview=lambda here=here: preview(players.average, preview_z, here.grown, levels),
            weights=lambda here=here: weights(players, here.grown),
        )
        if on_step:
            on_step(progress)
        if progress.stopped:
            break
    return players


def _pictures(pixels: Tensor, n: int, mirror: bool, rng: torch.Generator) -> Tensor:
    """n pictures (n, 3, H, W), drawn with replacement; each mirrored or not, if `mirror`."""
    chosen = torch.randint(len(pixels), (n,), generator=rng)
    mirrored = torch.rand(n, generator=rng) < 0.5 * mirror
    pictures = as_images(pixels[chosen])
    return torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)


def _step(
    players: Players,
    optimisers: Optimisers,
    config: ProGANConfig,
    real: Tensor,
    here: Place,
    rng: torch.Generator,
    weight: float,
    layers: list[int],
) -> tuple[dict[str, float], float]:
    """One step of each player. Returns figures of it, and the spread of the critic's scores."""
    generator, critic = players.generator, players.critic
    z = normal(here.batch, config.z_dim, rng).to(real.device)
    codes = pixel_norm(z)[:, : config.codes]  # the norm is what the generator sees; its length cannot be guessed
    drawn = generator(z, here.grown)
    scores, guessed = critic(torch.cat([real, drawn.detach()]), here.grown)
    of_real, of_drawn = scores.chunk(2)
    slope = gradient_penalty(critic, real, drawn.detach(), here.grown, rng)
    missed = (guessed[here.batch :] - codes).square().mean() if config.codes else scores.new_zeros(())
    distance = of_real.mean() - of_drawn.mean()
    loss = -distance + GRADIENT_PENALTY * slope + DRIFT * of_real.square().mean() + config.code_weight * missed
    optimisers["critic"].zero_grad()
    loss.backward()
    optimisers["critic"].step()

    critic.requires_grad_(False)
    scores_after, guessed = critic(drawn, here.grown)
    generator_loss = -scores_after.mean()
    if config.codes:
        generator_loss = generator_loss + config.code_weight * (guessed - codes).square().mean()
    values = {"distance": distance, "slope": slope, "loss_g": -scores_after.mean()}
    if config.codes:
        values["missed"] = missed
    if weight:
        penalty = penalty_of(generator, z, here.grown, layers, config, rng)
        generator_loss = generator_loss + weight * penalty
        values["penalty"] = penalty
    optimisers["generator"].zero_grad()
    generator_loss.backward()
    optimisers["generator"].step()
    critic.requires_grad_(True)
    found = torch.stack([*(value.detach() for value in values.values()), scores.detach().std()]).tolist()
    return {**dict(zip(values, found, strict=False)), "penalty_weight": weight}, found[-1]


def weights(players: Players, grown: float) -> dict[str, Tensor]:
    """The averaged generator's state dict, as far as it has grown."""
    found = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in players.average.state_dict().items()}
    return {**found, "lod": torch.tensor(len(players.average.widths) - 1 - grown)}


def _preview_latents(config: ProGANConfig) -> Tensor:
    z = normal(len(PREVIEWED), config.z_dim, stream(config.seed, "preview"))
    swept = z[:1].repeat(config.z_dim, len(PREVIEWED), 1)  # (component, value, z_dim)
    for component in range(config.z_dim):
        swept[component, :, component] = PREVIEWED
    return torch.cat([z, swept.flatten(0, 1)])


@torch.no_grad()
def preview(generator: ProGAN, z: Tensor, grown: float, levels: int) -> Tensor:
    images = torch.cat([generator(part, grown) for part in z.split(32)])
    for _ in range(levels - 1 - math.ceil(grown)):
        images = double(images)
    return images
