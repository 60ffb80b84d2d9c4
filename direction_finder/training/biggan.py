"""Train a small class-conditional BigGAN-deep (Brock et al. 2019, https://arxiv.org/abs/1809.11096).

The generator is that of `pytorch-pretrained-biggan`, so the result is loaded like any published BigGAN. The training
uses the hinge loss, a projection discriminator, orthogonal initialisation, spectral norms in both networks, and a
moving average of the generator's weights. Both players' steps share one forward pass of the generator: first the
discriminator is trained on the images of that pass, then the generator.
"""

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from direction_finder.errors import InputError
from direction_finder.images import as_images
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.training.biggan_config import BigGANConfig
from direction_finder.training.loop import Trainer, adams, build
from direction_finder.training.state import Networks, follow

if TYPE_CHECKING:
    from direction_finder.generators.networks.biggan_deep_live import LiveBigGANDeep

MEASURED = 510  # images over which the statistics of the batch norms are measured, at each truncation
POWER_STEPS = 50  # steps of the power iteration, after which a spectral norm is exact enough to be saved


def package_config(config: BigGANConfig, resolution: int, class_names: list[str]) -> dict[str, Any]:
    """Return the content of the generator's `config.json`.

    Raises InputError if the resolution is not 16, 32, 64, 128 or 256.
    """
    doublings = {16: 2, 32: 3, 64: 4, 128: 5, 256: 6}.get(resolution)
    if doublings is None:
        raise InputError(f"images of {resolution} pixels: expected 16, 32, 64, 128 or 256")
    layers, channels = [[False, 16, 16]], 16
    for doubling in range(doublings):  # full width up to 8x8, then half as many channels at each doubling
        fewer = channels // 2 if doubling and channels > 2 else channels
        layers += [[True, channels, fewer], [False, fewer, fewer]]
        channels = fewer
    layers.pop()
    while channels > 1:
        layers.append([False, channels, channels // 2])
        channels //= 2
    return {
        "output_dim": resolution,
        "z_dim": config.z_dim,
        "class_embed_dim": config.z_dim,
        "channel_width": config.channel_width,
        "num_classes": len(class_names),
        "class_names": class_names,
        "layers": layers,
        "attention_layer_position": 5,  # at 16x16
        "eps": 1e-4,
        "n_stats": 51,
    }


class Players(Networks):
    """The generator, its moving average and the discriminator: everything that a run trains."""

    generator: "LiveBigGANDeep"
    average: "LiveBigGANDeep"

    def __init__(self, config: BigGANConfig, content: dict[str, Any]):
        # this package imports boto3 and scipy, so it is imported only when needed
        from pytorch_pretrained_biggan import BigGAN
        from pytorch_pretrained_biggan import BigGANConfig as PackageConfig

        from direction_finder.generators.networks.biggan_deep_live import LiveBigGANDeep
        from direction_finder.generators.networks.projection import ProjectionDiscriminator

        super().__init__()
        self.generator = LiveBigGANDeep(BigGAN(PackageConfig.from_dict(content)))
        self.discriminator = ProjectionDiscriminator(
            content["output_dim"], config.discriminator_width, content["num_classes"]
        )
        _start(self, stream(config.seed, "weights"))
        self.to(memory_format=torch.channels_last)  # faster convolutions on CPUs and GPUs
        self.average = deepcopy(self.generator).requires_grad_(False)


def _start(players: Players, rng: torch.Generator) -> None:
    for module in players.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(getattr(module, "weight_orig", module.weight), generator=rng)
            bias = getattr(module, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)
            for name in ("weight_u", "weight_v"):
                if hasattr(module, name):
                    vector = getattr(module, name)
                    vector.copy_(nn.functional.normalize(torch.randn(vector.shape, generator=rng), dim=0))
    norm = players.generator.model.generator.bn
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)


class Batch(NamedTuple):
    """The data of one step: real images (batch, 3, H, W), their classes, latents, and the classes to generate."""

    real: Tensor
    labels: Tensor
    z: Tensor
    asked: Tensor


class BigGANTrainer(Trainer):
    """A generator and a discriminator with hinge losses, on images (n, H, W, 3) of bytes with class numbers (n,)."""

    players: Players
    cure = "lower learning rates"
    whole = "a BigGAN-deep has batch norms, which need the whole batch"

    def __init__(
        self, images: np.ndarray, classes: np.ndarray, class_names: list[str], config: BigGANConfig, device: str
    ):
        if len(images) < config.batch_size:
            raise InputError(
                f"{len(images)} images are fewer than a batch of {config.batch_size}: give more images or a smaller "
                "`batch_size`"
            )
        content = package_config(config, images.shape[1], class_names)
        self.players = build(lambda: Players(config, content), device)
        self.rates = {"generator": config.learning_rate, "discriminator": config.discriminator_learning_rate}
        self.optimisers = adams(self.players, self.rates, 0.999)
        self.config, self.seed, self.total = config, config.seed, config.steps
        self.length, self.class_names, self.device = f"`steps` {config.steps}", class_names, device
        self.num_classes = len(class_names)
        self.pixels, self.labels = torch.from_numpy(images), torch.from_numpy(classes).long()
        preview_z = normal(8, config.z_dim, stream(config.seed, "preview"))
        self.preview_z = preview_z.repeat(self.num_classes, 1).to(device)
        self.preview_classes = torch.arange(self.num_classes, device=device).repeat_interleave(8)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Train the discriminator and then the generator. Return the losses and the discriminator's mean scores."""
        batch = self._draw(rng)
        for name, rate in self.rates.items():
            self.optimisers[name].param_groups[0]["lr"] = rate * _remaining(self.config, step - 1)
        generated = self.players.generator(batch.z, batch.asked)
        loss, of_real, of_generated = self._train_discriminator(batch, generated)
        generator_loss = self._train_generator(batch, generated)
        means = torch.stack([loss, generator_loss, of_real, of_generated])
        return dict(zip(("loss_d", "loss_g", "score_real", "score_drawn"), means.tolist(), strict=True))

    def _draw(self, rng: torch.Generator) -> Batch:
        size = self.config.batch_size
        chosen = torch.randint(len(self.pixels), (size,), generator=rng)
        real = as_images(self.pixels[chosen].to(self.device))
        z = normal(size, self.config.z_dim, rng).to(self.device)
        asked = torch.randint(self.num_classes, (size,), generator=rng).to(self.device)
        return Batch(real, self.labels[chosen].to(self.device), z, asked)

    def _train_discriminator(self, batch: Batch, generated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss, and the mean scores of real and of generated images."""
        images = torch.cat([batch.real, generated.detach()])
        of_real, of_generated = self.players.discriminator(images, torch.cat([batch.labels, batch.asked])).chunk(2)
        loss = relu(1 - of_real).mean() + relu(1 + of_generated).mean()
        self.optimisers["discriminator"].zero_grad()
        loss.backward()
        self.optimisers["discriminator"].step()
        return loss.detach(), of_real.mean().detach(), of_generated.mean().detach()

    def _train_generator(self, batch: Batch, generated: Tensor) -> Tensor:
        """Return the loss."""
        discriminator = self.players.discriminator.requires_grad_(False)
        loss = -discriminator(generated, batch.asked).mean()
        self.optimisers["generator"].zero_grad()
        loss.backward()
        self.optimisers["generator"].step()
        discriminator.requires_grad_(True)
        return loss.detach()

    def follow(self, step: int) -> None:
        """Move the averaged generator towards the trained one."""
        # at first the decay is smaller, so that the average soon forgets the random initial weights
        decay = min(self.config.averaging, (1 + step) / (10 + step))
        follow(self.players.average, self.players.generator, decay)

    @torch.no_grad()
    def preview(self, step: int) -> Tensor:
        """Return images of the averaged generator: a row of 8 per class, (classes * 8, 3, H, W)."""
        return settled(self.players)(self.preview_z, self.preview_classes)


def _remaining(config: BigGANConfig, done: int) -> float:
    """Return the factor by which learning rates are multiplied after `done` steps."""
    falling = config.decay * config.steps
    return min(1.0, (config.steps - done) / falling) if falling else 1.0


def settled(players: Players) -> "LiveBigGANDeep":
    """Return a copy of the averaged generator whose spectral norms have converged."""
    from torch.nn.utils.spectral_norm import SpectralNorm

    average = deepcopy(players.average).requires_grad_(False)
    for module in average.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                hook.n_power_iterations = POWER_STEPS
                hook.compute_weight(module, do_power_iteration=True)
                hook.n_power_iterations = 1
    return average.eval()


@torch.no_grad()
def finished(players: Players, config: BigGANConfig, on_step: OnStep | None = None) -> dict[str, Tensor]:
    """Return the state dict that the package's `BigGAN` loads strictly.

    It has the averaged weights, and statistics for every truncation. The statistics at truncation t are those of
    z = t * N(0, I): the same latents, scaled, with all classes equally often. So z ~ N(0, I), as used for learning
    directions, has the statistics of truncation 1.
    """
    average = settled(players)
    model = average.model
    device = model.embeddings.weight.device
    z = normal(MEASURED, config.z_dim, stream(config.seed, "statistics")).to(device)
    classes = torch.arange(MEASURED, device=device) % model.config.num_classes
    last = model.config.n_stats - 1
    for row in range(last + 1):
        average(z * row / last, classes, row)
        if on_step:
            on_step(Progress(row + 1, last + 1, "measuring statistics"))
    return {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
