"""The original BigGAN: `G_ema.pth` and `G.pth` of BigGAN-PyTorch."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from direction_finder.class_names import ORIGINAL, imagenet_names
from direction_finder.errors import InputError
from direction_finder.files import cache_folder
from direction_finder.generators.base import Generator, Half, Outline, class_labels
from direction_finder.generators.networks.biggan import BOTTOM, BigGAN, FrozenBigGAN
from direction_finder.generators.weights import State, load_strict, read_weights, state_sha256

FILES = ("G_ema.pth", "G_ema.safetensors", "G.pth")  # in order of preference

PUBLISHED = Outline(ORIGINAL, 120, class_names=imagenet_names(), chunk=20)  # what is known of it without its file


class BigGANGenerator(Generator):
    """A frozen original BigGAN. z is split into chunks: the first feeds the first layer, the next ones the blocks; or,
    trained without --hier, all of it feeds the first layer."""

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
            found = network.stages(torch.zeros(1, self.dim), torch.zeros(1, dtype=torch.long))
            self.activation_names = self.stage_names = tuple(stage for stage, _ in found)

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        assert classes is not None  # `_check` has seen to it
        return self.collect(self.network.stages(latents[:, 0], classes), at, half)


def load_biggan(
    path: str | Path, *, name: str, truncation: float | None = None, key: str | None = None
) -> BigGANGenerator:
    """Load a checkpoint of the original BigGAN, or a folder with one; widths, depth and attention are read off.

    truncation: z is a normal cut to [-2, 2] times this; None: z ~ N(0, I), as the paper. The statistics of batch norms
    are those stored, which were taken without truncation. key: which network of the file.
    Raises InputError if the file is not of this layout, or a weight is missing, unexpected or of the wrong shape.
    """
    path = _file(Path(path))
    state, notes = read_weights(path, key)
    held = _empty(state, str(path))
    load_strict(held, state, str(path))
    classes = held.classes
    generator = BigGANGenerator(
        FrozenBigGAN(held.eval().requires_grad_(False)),
        name=name,
        weights_sha256=state_sha256(state),
        names=class_labels(classes, imagenet_names() if classes == 1000 else ()),
        truncation=truncation,
    )
    generator.notes = notes
    return generator


def find_biggan(name: str) -> Path:
    """The file of the published model, which its authors give out where no program can fetch it.

    Raises InputError with where to get it and where to put it.
    """
    for folder in (Path(name), cache_folder() / name):
        if any((folder / file).is_file() for file in FILES):
            return _file(folder)
    raise InputError(
        f"{name}: not here. Get the generator trained for 138k iterations (G_ema.pth, 1000 classes, ch 96) from the "
        f"links in the README of github.com/ajbrock/BigGAN-PyTorch and put it into {cache_folder() / name}, or give "
        "its file, biggan:FILE"
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = [path / file for file in FILES if (path / file).is_file()]
    if not found:
        raise InputError(f"{path}: expected one of {', '.join(FILES)} in this folder")
    return found[0]


def _empty(state: State, source: str) -> BigGAN:
    """The architecture that the shapes tell, without weights."""

    def shape(key: str, axes: int) -> torch.Size:
        if key not in state:
            raise InputError(f"{source}: weight {key} is missing; expected the original BigGAN, a state dict G_ema.pth")
        if state[key].ndim != axes:
            raise InputError(f"{source}: weight {key} has shape {tuple(state[key].shape)}, expected {axes} axes")
        return state[key].shape

    if "blocks.0.0.conv3.weight" in state:
        raise InputError(
            f"{source}: a BigGAN-deep of BigGAN-PyTorch (its blocks have four convolutions), which is not read; "
            "that of pytorch-pretrained-biggan is (biggan-deep:FOLDER); or load it in a function of your own and name "
            "that, python:FILE.py:function"
        )
    rows, chunk = shape("linear.weight", 2)
    gain = shape("blocks.0.0.bn1.gain.weight", 2)
    if "blocks.0.0.bn1.gain.u0" in state:
        classes, shared = shape("shared.weight", 2)
        split = gain[1] == shared + chunk
        if not split and gain[1] != shared:
            raise InputError(
                f"{source}: batch norms read {gain[1]} numbers, expected {shared} of the class and a chunk of {chunk} "
                "of z (trained with --hier), or the class alone"
            )
    else:  # trained without --G_shared: a row for each class
        classes, shared, split = gain[0], 0, False
    blocks = max((int(found[1]) + 1 for key in state if (found := re.match(r"blocks\.(\d+)\.", key))), default=0)
    widths = [rows // BOTTOM**2, *(shape(f"blocks.{number}.0.conv1.weight", 4)[0] for number in range(blocks))]
    attentions = [number for number in range(blocks) if f"blocks.{number}.1.theta.weight" in state]
    if len(attentions) > 1:
        raise InputError(f"{source}: attention after blocks {attentions}; expected one at most")
    with torch.device("meta"):
        held = BigGAN(widths, attentions[0] if attentions else None, chunk, shared, classes, split)
    return held.to_empty(device="cpu")
