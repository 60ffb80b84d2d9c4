"""Train a ProGAN (Karras et al. 2018, https://arxiv.org/abs/1710.10196), optionally with the Hessian Penalty.

The training uses WGAN-GP with drift, Adam, networks that grow level by level, and a moving average of the generator's
weights. The penalty (Peebles et al. 2020, https://arxiv.org/abs/2008.10599) is that of z -> activations after their
pixel norm, summed over layers, and is added to the generator's loss. The loss of InfoGAN's guess of z (Chen et al.
2016) is added to both losses. Both players' steps share one forward pass of the generator: first the critic is trained
on the images of that pass, then the generator.
"""

import math
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from direction_finder import torchrun
from direction_finder.errors import InputError
from direction_finder.generators.networks.progan import GROUP, Critic, EqualisedConv, ProGAN, double, pixel_norm
from direction_finder.images import as_images
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream
from direction_finder.training.growth import at_level, levels_of, place, plan
from direction_finder.training.loop import Stage, Trainer, adams, build, joint, run, stage
from direction_finder.training.progan_config import ProGANConfig
from direction_finder.training.progan_losses import BATCH_MAX, gradient_penalty, penalty_of, penalty_weight
from direction_finder.training.state import Networks, follow

GRADIENT_PENALTY, DRIFT = 10.0, 1e-3
PREVIEWED = torch.linspace(-2, 2, 8)  # each component of z is set to these
REPORTED = ("distance", "gradient_penalty", "loss_g", "info_loss", "penalty")  # in this order
FLAT, FLAT_STEPS = 1e-5, 200  # a critic whose scores differ by less for this many steps in a row has collapsed


class Players(Networks):
    """The generator, its moving average and the critic: everything that a run trains."""

    generator: ProGAN
    average: ProGAN

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


class ProGANTrainer(Trainer):
    """A generator and a critic that grow level by level, on images (n, H, W, 3) of bytes.

    grown: the networks are fully grown from the first step.
    """

    players: Players
    cure = "a lower learning rate or a smaller penalty"

    def __init__(self, images: np.ndarray, config: ProGANConfig, device: str, grown: bool):
        self.levels = levels_of(images.shape[1])
        smallest = config.batch_at(self.levels - 1, self.levels)
        if len(images) < smallest:
            raise InputError(
                f"{len(images)} images are fewer than a batch of {smallest}: give more images or a smaller `batch_size`"
            )
        _check_shared(config, {config.batch_at(level, self.levels) for level in range(self.levels)})
        self.phases = plan(config, self.levels, grown)
        self.layers = config.penalised(self.levels)
        self.players = build(lambda: Players(config, self.levels), device)
        self.optimisers = adams(self.players, dict.fromkeys(("generator", "critic"), config.learning_rate), 0.99)
        self.config, self.seed, self.total = config, config.seed, sum(phase.steps for phase in self.phases)
        self.length, self.device = f"`kimg` {config.kimg:g} is {self.total} steps", device
        self.pixels = torch.from_numpy(images)
        self.preview_z = _preview_latents(config).to(device)
        self.flat = 0  # steps in a row after which the critic's scores were all the same

    def position(self, step: int) -> dict[str, float]:
        """Return how many kimg have been shown after a step, and how far the networks have grown."""
        growth = place(self.phases, step)
        return {"kimg": (growth.shown + growth.batch) / 1000, "level": growth.grown}

    def stages(self) -> list[Stage]:
        """Return all steps by what they cost: by the level that is trained, with and without the penalty."""
        every, found, first = self.config.penalty_every if self.config.penalty_weight else self.total + 1, [], 1
        for phase in self.phases:
            steps = range(first, first + phase.steps)
            kinds = [step for step in steps if step % every], [step for step in steps if not step % every]
            found += [stage(kind, phase.batch) for kind in kinds if kind]
            first += phase.steps
        return found

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Train the critic and then the generator. Return the losses and other values of both."""
        growth = place(self.phases, step)
        weight = penalty_weight(self.config, step, growth)
        real = at_level(_images(self.pixels, growth.batch, self.config.mirror, rng).to(self.device), growth.grown)
        z = torchrun.part(normal(growth.batch, self.config.z_dim, rng)).to(self.device)
        generated = self.players.generator(z, growth.grown)
        # the critic guesses normalised z: the generator normalises z, so images do not depend on its length
        codes = pixel_norm(z)[:, : self.config.codes]
        figures = self._train_critic(real, generated, codes, growth.grown, rng)
        figures |= self._train_generator(z, generated, codes, growth.grown, weight, rng)
        values = joint(figures)
        self.flat = self.flat + 1 if values["spread"] < FLAT else 0
        return {**{name: values[name] for name in REPORTED if name in values}, "penalty_weight": weight}

    def _train_critic(
        self, real: Tensor, generated: Tensor, codes: Tensor, grown: float, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses and other values; `spread` is the standard deviation of the scores."""
        config, critic, optimiser = self.config, self.players.critic, self.optimisers["critic"]
        scores, guessed = critic(torch.cat([real, generated.detach()]), grown)
        of_real, of_generated = scores.chunk(2)
        slope = gradient_penalty(critic, real, generated.detach(), grown, rng)
        missed = (guessed[len(real) :] - codes).square().mean() if config.codes else scores.new_zeros(())
        distance = of_real.mean() - of_generated.mean()
        loss = -distance + GRADIENT_PENALTY * slope + DRIFT * of_real.square().mean() + config.code_weight * missed
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        figures = {"distance": distance, "gradient_penalty": slope, "spread": scores.std()}
        if config.codes:
            figures["info_loss"] = missed
        return {name: figure.detach() for name, figure in figures.items()}

    def _train_generator(
        self, z: Tensor, generated: Tensor, codes: Tensor, grown: float, weight: float, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses. weight: that of the Hessian Penalty, which is not computed if it is 0."""
        config, generator, optimiser = self.config, self.players.generator, self.optimisers["generator"]
        critic = self.players.critic.requires_grad_(False)
        scores, guessed = critic(generated, grown)
        loss = -scores.mean()
        figures = {"loss_g": loss}
        if config.codes:
            loss = loss + config.code_weight * (guessed - codes).square().mean()
        if weight:
            figures["penalty"] = penalty_of(generator, z, grown, self.layers, config, rng)
            loss = loss + weight * figures["penalty"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        critic.requires_grad_(True)
        return {name: figure.detach() for name, figure in figures.items()}

    def collapse(self, finite: bool) -> str | None:
        """Report that the scores are all the same, after many such steps, or at once if the losses are not finite."""
        flat = self.flat >= FLAT_STEPS or (self.flat > 0 and not finite)
        return "the critic's scores are all the same" if flat else None

    def follow(self, step: int) -> None:
        """Move the averaged generator towards the trained one."""
        batch = place(self.phases, step).batch
        follow(self.players.average, self.players.generator, 0.5 ** (batch / (1000 * self.config.average_kimg)))

    def weights(self, step: int) -> dict[str, Tensor]:
        """Return the averaged generator's state dict; `lod` in it says how far it has grown."""
        average = self.players.average
        tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in average.state_dict().items()}
        return {**tensors, "lod": torch.tensor(self.levels - 1 - place(self.phases, step).grown)}

    @torch.no_grad()
    def preview(self, step: int) -> Tensor:
        """Return images of the averaged generator at full resolution: samples, then sweeps of every component of z."""
        grown = place(self.phases, step).grown
        images = torch.cat([self.players.average(part, grown) for part in self.preview_z.split(32)])
        for _ in range(self.levels - 1 - math.ceil(grown)):
            images = double(images)
        return images


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

    resume: the `state()` of a Progress, to resume exactly. start: a `snapshot`, to start from with new optimisers.
    grown: the networks are fully grown from the first step, as they must be with `start`.
    Each Progress has `weights()`, the averaged generator in genforce's layout, and `preview()`, its images: a row of 8
    samples, then a row for each component of z, set to -2 ... 2.
    Raises InputError for data or settings that do not fit, Diverged when the training diverges.
    """
    trainer = ProGANTrainer(images, config, device, grown)
    run(trainer, on_step=on_step, resume=resume, start=start)
    return trainer.players


def _check_shared(config: ProGANConfig, batches: set[int]) -> None:
    """Raise InputError if the processes of `torchrun` cannot share batches without changing the result."""
    groups = GROUP * torchrun.count()
    if torchrun.count() > 1 and any(batch % groups for batch in batches):
        raise InputError(
            f"{torchrun.count()} processes share batches in groups of {GROUP} images: set `batch_size` and "
            f"`largest_batch` to multiples of {groups}"
        )
    if torchrun.count() > 1 and config.penalty_weight and config.penalty_reduction == BATCH_MAX:
        raise InputError(f"`penalty_reduction` {BATCH_MAX} needs the whole batch in one process: leave out torchrun")


def _images(pixels: Tensor, n: int, mirror: bool, rng: torch.Generator) -> Tensor:
    """Draw n images (n, 3, H, W) with replacement; if `mirror`, each is mirrored with probability 1/2.

    Of these, each process of `torchrun` gets its part.
    """
    chosen = torchrun.part(torch.randint(len(pixels), (n,), generator=rng))
    mirrored = torchrun.part(torch.rand(n, generator=rng)) < 0.5 * mirror
    images = as_images(pixels[chosen])
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def _preview_latents(config: ProGANConfig) -> Tensor:
    z = normal(len(PREVIEWED), config.z_dim, stream(config.seed, "preview"))
    swept = z[:1].repeat(config.z_dim, len(PREVIEWED), 1)  # (component, value, z_dim)
    for component in range(config.z_dim):
        swept[component, :, component] = PREVIEWED
    return torch.cat([z, swept.flatten(0, 1)])
