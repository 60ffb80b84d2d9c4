"""Load ProGAN checkpoints: our own, genforce's and pytorch_GAN_zoo's, recognised by the names of their weights."""

import math
import re
from pathlib import Path

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, Generator, Half, Stages
from direction_finder.generators.networks.progan import ProGAN, double
from direction_finder.generators.weights import State, load_strict, read_weights, state_sha256

ZOO_CONFIG = "models.utils.config.BaseConfig"  # object that files of pytorch_GAN_zoo contain besides their weights
GAIN = 2**0.5


class ProGANGenerator(Generator):
    """Generate images with a frozen ProGAN. Its activations, "layer1" to "layerN", are those after the pixel norm,
    numbered as in the paper; z may have any length, because the network begins with a pixel norm of z."""

    normalises = True

    def __init__(self, network: ProGAN, *, name: str, weights_sha256: str, truncation: float | None):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.name = name
        self.weights_sha256 = weights_sha256
        self.truncation = truncation
        self.dim = network.get_parameter("layer0.weight").shape[1]
        self.resolution = 4 * 2 ** (len(network.widths) - 1)
        self.grown = network.grown
        layers = 2 * (math.ceil(self.grown) + 1)
        self.activation_names = self.stage_names = (*(f"layer{i + 1}" for i in range(layers)), IMAGE)
        self.freeze()

    def reads(self) -> dict[str, Tensor]:
        return {"layer0": self.network.get_parameter("layer0.weight").movedim(1, -1).flatten(0, 2)}

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self._stages(latents[:, 0]), at, half)

    def _stages(self, z: Tensor) -> Stages:
        for name, tensor in self.network.stages(z, self.grown):
            while name == IMAGE and tensor.shape[-1] < self.resolution:  # not yet fully grown
                tensor = double(tensor)
            yield name, tensor


def load_progan(
    path: str | Path,
    *,
    name: str,
    truncation: float | None = None,
    fused_scale: bool | None = None,
    key: str | None = None,
) -> ProGANGenerator:
    """Load a ProGAN checkpoint; z, widths and resolution are read from the shapes.

    fused_scale: whether genforce's upsampling layers are stored transposed, (in, out, 3, 3); None: decided by the
    shapes, or False if all widths are equal, where shapes cannot decide. key: which network of the file to take.
    Raises InputError if the file has none of the layouts, or a weight is missing, unexpected or of the wrong shape.
    """
    state, notes = read_weights(path, key, stubs=(ZOO_CONFIG,))
    is_zoo = "formatLayer.module.weight" in state
    if not is_zoo and "layer0.weight" not in state:
        raise InputError(
            f"{path}: not a ProGAN: it has neither layer0.weight (genforce's layout, and ours) nor "
            "formatLayer.module.weight (pytorch_GAN_zoo's)"
        )
    if is_zoo and fused_scale:
        raise InputError(f"{path}: `fused_scale` is for genforce's layout; this is pytorch_GAN_zoo's")
    own = _from_zoo(state, str(path)) if is_zoo else _unfused(state, str(path), fused_scale)
    levels = _count(own, r"layer(\d+)\.") // 2
    widths = [_weight(own, f"layer{2 * level}.weight", str(path)).shape[0] for level in range(levels)]
    first = own["layer0.weight"]
    if first.ndim != 4:
        raise InputError(f"{path}: weight layer0.weight has shape {tuple(first.shape)}, expected (channels, z, 4, 4)")
    network = ProGAN(first.shape[1], widths, first_bias_size=4 if is_zoo else 1)
    load_strict(network, own, str(path))
    if not 0 <= float(network.lod) <= levels - 1:
        raise InputError(f"{path}: lod is {float(network.lod):g}: expected 0 to {levels - 1}")
    generator = ProGANGenerator(network, name=name, weights_sha256=state_sha256(state), truncation=truncation)
    generator.notes = notes
    return generator


def _count(state: State, pattern: str) -> int:
    """Return one more than the largest number that the pattern matches in a key; 0 if it matches none."""
    return max((int(match[1]) + 1 for key in state if (match := re.match(pattern, key))), default=0)


def _weight(state: State, key: str, source: str) -> Tensor:
    if key not in state:
        raise InputError(f"{source}: weight {key} is missing")
    return state[key]


def _unfused(state: State, source: str, fused: bool | None) -> State:
    """Return genforce's layout with every convolution as (out, in, 3, 3): an upsampling layer stored transposed is the
    same convolution, rotated by 180 degrees, after nearest upsampling."""
    uppers = sorted(
        (key for key in state if re.fullmatch(r"layer\d*[02468]\.weight", key) and key != "layer0.weight"),
        key=lambda key: int(re.sub(r"\D", "", key)),
    )
    if fused is None:
        wide = (state[key].shape[:2] for key in uppers if state[key].ndim == 4)
        different = next(((first, second) for first, second in wide if first != second), None)
        fused = different is not None and different[0] > different[1]  # widths never grow
    if not fused:
        return state
    return {**state, **{key: state[key].transpose(0, 1).flip(2, 3) for key in uppers if state[key].ndim == 4}}


def _from_zoo(state: State, source: str) -> State:
    """Convert pytorch_GAN_zoo's layout to ours. Its scales are sqrt(2 / fan-in) for both weights and biases."""

    def take(theirs: str, ours: str, our_fan: int | None = None, gain: float = GAIN) -> None:
        weight, bias = (_weight(state, f"{theirs}.module.{parameter}", source) for parameter in ("weight", "bias"))
        fan = weight[0].numel()
        result[f"{ours}.weight"] = weight * (GAIN / fan**0.5) / (gain / (our_fan or fan) ** 0.5)
        result[f"{ours}.bias"] = bias * (GAIN / fan**0.5)
        used.update({f"{theirs}.module.weight", f"{theirs}.module.bias"})

    result: State = {"lod": torch.tensor(0.0)}
    used: set[str] = set()
    z_dim = state["formatLayer.module.weight"].shape[1]
    take("formatLayer", "layer0", 16 * z_dim)
    # a linear layer to 4x4 places is a convolution of the 1x1 latent with padding 3 and a rotated kernel
    result["layer0.weight"] = result["layer0.weight"].view(-1, 4, 4, z_dim).permute(0, 3, 1, 2).flip(2, 3)
    take("groupScale0.0", "layer1")
    take("toRGBLayers.0", "output0", gain=1.0)
    for scale in range(_count(state, r"scaleLayers\.(\d+)\.")):
        for index in (0, 1):
            take(f"scaleLayers.{scale}.{index}", f"layer{2 * scale + 2 + index}")
        take(f"toRGBLayers.{scale + 1}", f"output{scale + 1}", gain=1.0)
    if unexpected := sorted(state.keys() - used):
        raise InputError(
            f"{source}: weight {unexpected[0]} is not part of this architecture (and {len(unexpected) - 1} more)"
        )
    return result
