"""Load the original BigGAN: `G_ema.pth` and `G.pth` of BigGAN-PyTorch."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from direction_finder.class_names import ORIGINAL, imagenet_names
from direction_finder.errors import InputError
from direction_finder.files import cache_folder
from direction_finder.generators.base import Generator, Half, class_labels
from direction_finder.generators.networks.biggan import BOTTOM, BigGAN, FrozenBigGAN
from direction_finder.generators.outline import Outline
from direction_finder.generators.weights import State, load_strict, read_weights, state_sha256

FILES = ("G_ema.pth", "G_ema.safetensors", "G.pth")  # in order of preference

PUBLISHED = Outline(ORIGINAL, 120, class_names=imagenet_names(), chunk=20)  # what is known about it without its file


class BigGANGenerator(Generator):
    """Generate images with a frozen original BigGAN. z is split into chunks: the first feeds the first layer, the
    others feed the blocks. If it was trained without --hier, all of z feeds the first layer."""

    def __init__(
        self, network: FrozenBigGAN, *, name: str, weights_sha256: str, names: Sequence[str], truncation: float | None
    ):
        super().__init__()
        self.network = network
        self.name = name
        self.weights_sha256 = weights_sha256
        self.class_names = tuple(names)
        self.num_classes = len(names)
        self.chunk = network.chunk if network.split else None
        self.dim = network.chunk * (1 + len(network.blocks) * network.split)
        self.resolution = BOTTOM * 2 ** len(network.blocks)
        self.truncation = truncation
        self.freeze()
        with torch.no_grad():
            stages = network.stages(torch.zeros(1, self.dim), torch.zeros(1, dtype=torch.long))
            self.activation_names = self.stage_names = tuple(stage for stage, _ in stages)

    def reads(self) -> dict[str, Tensor]:
        if not self.network.split:
            return {"layer0": self.network.first.weight}
        wide = {}
        for number, (name, weight) in enumerate(self.network.reads().items()):
            before, chunk = number * self.network.chunk, self.network.chunk
            wide[name] = pad(weight[:, -chunk:], (before, self.dim - before - chunk))
        return wide

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        assert classes is not None  # `_check` has checked it
        return self.collect(self.network.stages(latents[:, 0], classes), at, half)


def load_biggan(
    path: str | Path, *, name: str, truncation: float | None = None, key: str | None = None
) -> BigGANGenerator:
    """Load a checkpoint of the original BigGAN, or a folder with one; the shapes give widths, depth and attention.

    truncation: z is a normal cut to [-2, 2] times this; None: z ~ N(0, I), as in the paper. The statistics of batch
    norms are those stored, which were measured without truncation. key: which network of the file to take.
    Raises InputError if the file is not of this layout, or a weight is missing, unexpected or of the wrong shape.
    """
    path = _file(Path(path))
    state, notes = read_weights(path, key)
    network = _empty(state, str(path))
    load_strict(network, state, str(path))
    classes = network.classes
    generator = BigGANGenerator(
        FrozenBigGAN(network.eval().requires_grad_(False)),
        name=name,
        weights_sha256=state_sha256(state),
        names=class_labels(classes, imagenet_names() if classes == 1000 else ()),
        truncation=truncation,
    )
    generator.notes = notes
    return generator


def find_biggan(name: str) -> Path:
    """Return the file of the published model, which no program can download from where its authors publish it.

    Raises InputError that says where to get the file and where to put it, if it is not found.
    """
    for folder in (Path(name), cache_folder() / name):
        if any((folder / file).is_file() for file in FILES):
            return _file(folder)
    raise InputError(
        f"{name}: no weights found, and they cannot be downloaded automatically; get the generator trained for 138k "
        "iterations (G_ema.pth, 1000 classes, ch 96) from the links in the README of "
        f"github.com/ajbrock/BigGAN-PyTorch and put it into {cache_folder() / name}, or give its file as biggan:FILE"
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = [path / file for file in FILES if (path / file).is_file()]
    if not files:
        raise InputError(f"{path}: expected one of {', '.join(FILES)} in this folder")
    return files[0]


def _empty(state: State, source: str) -> BigGAN:
    """Return the network that the shapes of the weights describe, without its weights."""

    def shape(key: str, axes: int) -> torch.Size:
        if key not in state:
            raise InputError(f"{source}: weight {key} is missing; expected the original BigGAN, a state dict G_ema.pth")
        if state[key].ndim != axes:
            raise InputError(f"{source}: weight {key} has shape {tuple(state[key].shape)}, expected {axes} axes")
        return state[key].shape

    if "blocks.0.0.conv3.weight" in state:
        raise InputError(
            f"{source}: a BigGAN-deep of BigGAN-PyTorch (its blocks have four convolutions), which cannot be "
            "read; use that of pytorch-pretrained-biggan (biggan-deep:FOLDER), or load this one in a function of your "
            "own and give that function as python:FILE.py:function"
        )
    rows, chunk = shape("linear.weight", 2)
    gain = shape("blocks.0.0.bn1.gain.weight", 2)
    if "blocks.0.0.bn1.gain.u0" in state:
        classes, shared = shape("shared.weight", 2)
        split = gain[1] == shared + chunk
        if not split and gain[1] != shared:
            raise InputError(
                f"{source}: batch norms take {gain[1]} numbers, expected {shared} of the class and a chunk of {chunk} "
                "of z (trained with --hier), or the class alone"
            )
    else:  # trained without --G_shared: a row for each class
        classes, shared, split = gain[0], 0, False
    blocks = max((int(match[1]) + 1 for key in state if (match := re.match(r"blocks\.(\d+)\.", key))), default=0)
    widths = [rows // BOTTOM**2, *(shape(f"blocks.{number}.0.conv1.weight", 4)[0] for number in range(blocks))]
    attentions = [number for number in range(blocks) if f"blocks.{number}.1.theta.weight" in state]
    if len(attentions) > 1:
        raise InputError(f"{source}: attention after blocks {attentions}; expected one at most")
    with torch.device("meta"):
        network = BigGAN(widths, attentions[0] if attentions else None, chunk, shared, classes, split)
    return network.to_empty(device="cpu")
