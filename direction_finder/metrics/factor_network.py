"""A small network that predicts the factors of a rendered image: position, size, hue, light, class.

It is trained on rendered images, whose factors are known, and then reads them from any image of the same family. Its
file records which factors it reads, what it was trained on and how accurate it is on unseen rendered images.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypedDict

import torch
from msgspec import Meta
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from direction_finder.dataset_tables import FactorFields, factors_of
from direction_finder.datasets import Dataset, Factor
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, replacing
from direction_finder.generators.weights import load_strict
from direction_finder.images import as_images
from direction_finder.metrics.reader import Reader
from direction_finder.overwriting import check_overwrite
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import stream
from direction_finder.tensor_files import read_metadata, read_tensor_file

KIND = "factor network"
NETWORK = "factors-64.safetensors"  # part of the package: reads images of `shapes` at 64 pixels
WIDTHS = (32, 64, 96, 128)
HIDDEN = 256
BATCH = 100
LEARNING_RATE = 2e-3
NOISE = 0.02  # added to training images in [-1, 1], so that small flaws of generated images matter little
TURN = 2 * torch.pi


class Content(TypedDict):
    """Declare what the metadata of its file holds. about: what it was trained on, and how accurate it is."""

    kind: str
    factors: Annotated[list[FactorFields], Meta(min_length=1)]
    resolution: Annotated[int, Meta(ge=1, le=4096)]
    about: dict[str, Any]


class FactorNetwork(Reader):
    """A convolutional network from images (batch, 3, resolution, resolution) in [-1, 1] to factors.

    It has one output for a linear factor, two (cosine and sine) for a circular one, and one for each choice.

    about: the data it was trained on and its accuracy on unseen images.
    """

    title = KIND

    def __init__(self, factors: Sequence[Factor], resolution: int, about: dict[str, Any] | None = None):
        super().__init__()
        self.factors, self.resolution, self.about = tuple(factors), resolution, about or {}
        convs, channels, size = [], 3, _smallest(resolution)
        for width in WIDTHS:
            convs += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.sizes = [len(factor.choices) or 1 + factor.circular for factor in factors]
        self.convs = nn.Sequential(*convs)
        self.hidden = nn.Linear(channels * size * size, HIDDEN)
        self.out = nn.Linear(HIDDEN, sum(self.sizes))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the raw outputs (batch, size) for each factor."""
        return list(self.out(relu(self.hidden(self.convs(images).flatten(1)))).split(self.sizes, dim=1))

    def values_in(self, images: Tensor) -> dict[str, Tensor]:
        """Return the factors of images (batch, 3, resolution, resolution) in [-1, 1]."""
        return {factor.name: _value(factor, raw) for factor, raw in zip(self.factors, self(images), strict=True)}

    def save(self, path: str | Path) -> None:
        """Write the weights, in half precision, and everything else that `load` needs, atomically."""
        content = {
            "kind": KIND,
            "factors": [asdict(factor) for factor in self.factors],
            "resolution": self.resolution,
            "about": self.about,
        }
        tensors = {
            name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in self.state_dict().items()
        }
        check_overwrite(path, KIND)
        with replacing(path) as part:
            part.write_bytes(save(tensors, metadata={METADATA_KEY: json.dumps(content, sort_keys=True)}))

    @classmethod
    def load(cls, path: str | Path) -> "FactorNetwork":
        """Load a file that `save` wrote. Raises InputError if it is missing, damaged, or another kind of file."""
        if (about := read_metadata(path)) is None or not isinstance(about, dict) or about.get("kind") != KIND:
            raise InputError(f"{path}: not a {KIND}; give a file that `train factors` made")
        tensors, content = read_tensor_file(path, Content)
        factors = factors_of(content["factors"], str(path))
        side = _smallest(content["resolution"])
        if "hidden.weight" not in tensors or tensors["hidden.weight"].shape != (HIDDEN, WIDTHS[-1] * side * side):
            raise InputError(f"{path}: its weights are not those of a network for {content['resolution']} pixels")
        network = cls(factors, content["resolution"], content["about"])
        load_strict(network, tensors, str(path))
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise InputError(f"{path}: its weights hold NaN or infinite values; it is damaged")
        return network.eval().requires_grad_(False)


def _smallest(resolution: int) -> int:
    """Return the width of the features that the convolutions compute from images of this width."""
    for _ in WIDTHS:
        resolution = (resolution + 1) // 2
    return resolution


def fit(
    data: Dataset, held_out: Dataset, *, epochs: int = 24, seed: int = 0, on_step: OnStep | None = None
) -> FactorNetwork:
    """Train on a rendered data set, and record in `about` the accuracy on another one.

    The loss is the mean squared error of linear factors (scaled to [-1, 1]) and of cosine and sine, and the
    cross-entropy of classes; the optimiser is Adam with one cycle of the learning rate. Raises InputError if the two
    sets have different factors, or if `data` has fewer images than a batch.
    """
    if data.factors != held_out.factors:
        raise InputError(f"{held_out.folder}: its factors are not those of {data.folder}; give a set of the same kind")
    if len(data) < BATCH:
        raise InputError(f"{data.folder}: {len(data)} images are fewer than a batch; give at least {BATCH}")
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are built
        network = FactorNetwork(data.factors, data.about["resolution"]).train()
    rng = stream(seed, "factor network")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    steps = epochs * (len(data) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    pixels = torch.from_numpy(data.images())
    targets = [_target(factor, torch.from_numpy(data.values[factor.name])) for factor in data.factors]
    for step in range(1, steps + 1):
        if (step - 1) % (len(data) // BATCH) == 0:
            order = torch.randperm(len(data), generator=rng)
        rows = order.roll(-(step - 1) * BATCH)[:BATCH]
        images = as_images(pixels[rows])
        images = images + NOISE * torch.randn(images.shape, generator=rng)
        losses = [
            cross_entropy(raw, target[rows]) if factor.choices else (raw - target[rows]).square().mean()
            for factor, raw, target in zip(network.factors, network(images), targets, strict=True)
        ]
        loss = torch.stack(losses).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if on_step:
            on_step(Progress(step, steps, "training", {"loss": loss.item()}))
    network = network.eval().requires_grad_(False)
    network.about = {
        "trained_on": _origin(data),
        "seed": seed,
        "epochs": epochs,
        "held_out": {**_origin(held_out), "accuracy": accuracy(network, held_out)},
    }
    return network


def accuracy(network: Reader, data: Dataset) -> dict[str, float]:
    """Measure how accurately a reader reads each factor of a data set.

    Returns R^2 for linear factors; 1 - mean squared angular error / that of a random guess for circular ones; the
    fraction of images classified correctly for choices.
    """
    predicted = read_all(network, as_images(torch.from_numpy(data.images())))
    result = {}
    for factor in network.factors:
        truth = torch.from_numpy(data.values[factor.name])
        if factor.choices:
            result[factor.name] = (predicted[factor.name] == truth).double().mean().item()
        elif factor.circular:
            # the error of a random guess is uniform in [-1/2, 1/2] turns, so its mean square is 1/12
            error = difference(factor, predicted[factor.name].double(), truth) / (factor.high - factor.low)
            result[factor.name] = 1 - 12 * error.square().mean().item()
        else:
            error = predicted[factor.name] - truth
            result[factor.name] = 1 - (error.square().sum() / (truth - truth.mean()).square().sum()).item()
    return result


def read_all(network: Reader, images: Tensor, batch: int = 250) -> dict[str, Tensor]:
    """Call `network.read` in batches and concatenate the results."""
    parts = [network.read(part) for part in images.split(batch)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def difference(factor: Factor, a: Tensor, b: Tensor) -> Tensor:
    """Return a - b: for circular factors the shorter way round, for choices 1 where they differ."""
    if factor.choices:
        return (a != b).float()
    if not factor.circular:
        return a - b
    length = factor.high - factor.low
    return (a - b + length / 2).remainder(length) - length / 2


def _target(factor: Factor, values: Tensor) -> Tensor:
    if factor.choices:
        return values.long()
    part = (values - factor.low) / (factor.high - factor.low)
    scaled = torch.stack([(TURN * part).cos(), (TURN * part).sin()], 1) if factor.circular else 2 * part[:, None] - 1
    return scaled.float()


def _value(factor: Factor, raw: Tensor) -> Tensor:
    if factor.choices:
        return raw.argmax(1)
    if factor.circular:
        return factor.low + (torch.atan2(raw[:, 1], raw[:, 0]) / TURN).remainder(1) * (factor.high - factor.low)
    return factor.low + (raw[:, 0] + 1) / 2 * (factor.high - factor.low)


def _origin(data: Dataset) -> dict[str, Any]:
    return {name: data.about[name] for name in ("kind", "seed", "num", "resolution")}
