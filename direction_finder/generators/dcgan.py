"""Load DCGAN checkpoints, plain or class-conditional, with any of the usual names of layers."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from direction_finder.class_names import EYES_CLASSES
from direction_finder.errors import InputError, MissingExtra
from direction_finder.generators.base import Generator, Half, Stages, as_rgb, class_labels
from direction_finder.generators.networks.dcgan import ACTIVATIONS, DCGAN, OUTPUTS, Step
from direction_finder.generators.weights import State, load_strict, read_weights, state_sha256
from direction_finder.generators.weights.norms import folded

USUAL_STEPS = {  # by kernel size
    1: [Step(1, 0)],
    2: [Step(2, 0)],
    3: [Step(1, 1), Step(2, 1)],
    4: [Step(2, 1)],
    5: [Step(2, 2, 1), Step(1, 2)],
    6: [Step(2, 2)],
    7: [Step(1, 3)],
}
USUAL_SIZES = {28, *(2**power for power in range(4, 11))}


class DCGANGenerator(Generator):
    """Generate images with a frozen DCGAN. The input of a class-conditional one is z and then the one-hot class."""

    def __init__(
        self, network: DCGAN, *, name: str, weights_sha256: str, class_names: Sequence[str], truncation: float | None
    ):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # about a fifth faster on a CPU
        self.name = name
        self.weights_sha256 = weights_sha256
        self.class_names = tuple(class_names)
        self.num_classes = len(class_names)
        self.dim = network.get_parameter("convs.0.weight").shape[0] - self.num_classes
        self.resolution = network.resolution
        self.truncation = truncation
        self.activation_names = self.stage_names = (*(f"layer{i}" for i in range(len(network.norms))), "image")
        self.freeze()

    def reads(self) -> dict[str, Tensor]:
        return {"layer0": self.network.get_parameter("convs.0.weight")[: self.dim].flatten(1).mT}

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self._stages(latents, classes), at, half)

    def _stages(self, latents: Tensor, classes: Tensor | None) -> Stages:
        x = latents[:, 0]
        if self.num_classes:
            assert classes is not None  # `_check` has checked it
            x = torch.cat([x, one_hot(classes, self.num_classes).to(x)], dim=1)
        for name, tensor in self.network.stages(x):
            yield name, as_rgb(tensor) if name == "image" else tensor


def load_dcgan(
    path: str | Path,
    *,
    name: str,
    truncation: float | None = None,
    num_classes: int = 0,
    class_names: Sequence[str] = (),
    key: str | None = None,
    activation: str | None = None,
    output_activation: str | None = None,
    resolution: int | None = None,
) -> DCGANGenerator:
    """Load a DCGAN checkpoint; widths, depth and kernels are read from the shapes.

    The weights do not contain these settings; activations that are not given are assumed, and `notes` says so:

    num_classes: how many of the input channels are the one-hot class (default: none). key: which network of the file to
    take. activation: one of `ACTIVATIONS` (default: relu; leaky-relu in torchgan's layout). output_activation: one of
    `OUTPUTS` (default: tanh). resolution: height of the images, if the kernels allow several.

    Raises InputError if the file is not a DCGAN's state dict, or the images' resolution is not clear.
    """
    original, notes = read_weights(path, key)
    state = _renamed(folded(original, str(path)), path)
    convs = [state[f"convs.{i}.weight"] for i in range(sum(key.endswith("weight") and "convs" in key for key in state))]
    widths = [convs[0].shape[0], *(weight.shape[1] for weight in convs)]
    if not 0 <= num_classes < widths[0]:
        raise InputError(f"{path}: {num_classes} classes do not fit: the first layer takes {widths[0]} inputs in all")
    kernels = [weight.shape[2] for weight in convs]
    chosen = {
        "activation": _known(activation, ACTIVATIONS, "activation") or _usual_activation(original),
        "output": _known(output_activation, OUTPUTS, "output_activation") or "tanh",
    }
    biases = [f"convs.{i}.bias" in state for i in range(len(convs))]
    network = DCGAN(widths, biases, kernels, steps_of(kernels, resolution, str(path)), **chosen)
    load_strict(network, state, str(path))
    generator = DCGANGenerator(
        network,
        name=name,
        weights_sha256=state_sha256(state),
        class_names=class_labels(num_classes, class_names),
        truncation=truncation,
    )
    settings = {"activation": activation, "output": output_activation}
    assumed = [f"{setting} {chosen[setting]}" for setting in chosen if settings[setting] is None]
    if assumed:
        notes += (
            f"{' and '.join(assumed)} are assumed, because weights do not contain them; `activation` and "
            "`output_activation` set others",
        )
    generator.notes = notes
    return generator


def steps_of(kernels: Sequence[int], resolution: int | None, source: str) -> list[Step]:
    """Return the strides and paddings that kernels of these sizes usually have; the first kernel has a 1x1 input.

    resolution: height of the images; None: the only usual one (28, or a power of two) that the kernels can produce.
    Raises InputError if there is none, or more than one.
    """
    choices = [[Step(1, 0)], *(USUAL_STEPS.get(kernel, []) for kernel in kernels[1:])]
    by_size: dict[int, list[Step]] = {}
    for steps in product(*choices):
        size = 1
        for kernel, step in zip(kernels, steps, strict=True):
            size = step.size(size, kernel)
        by_size.setdefault(size, list(steps))
    sizes = [
        size
        for size in by_size
        if size == resolution or (resolution is None and (size in USUAL_SIZES or len(by_size) == 1))
    ]
    if len(sizes) != 1:
        possible = ", ".join(map(str, sorted(by_size))) or "no usual number of"
        raise InputError(
            f"{source}: kernels of {', '.join(map(str, kernels))} can make images of {possible} pixels; give one as "
            "`resolution`, or load it in a function of your own and give that function as python:FILE.py:function"
        )
    return by_size[sizes[0]]


def _usual_activation(state: State) -> str:
    """Return the activation of torchgan's networks, whose layers are nested ("model.0.1"), or of usual DCGANs."""
    return "leaky-relu" if all(re.match(r"model\.\d+\.\d+\.", key) for key in state) else "relu"


def _known(value: str | None, table: Mapping[str, Any], setting: str) -> str | None:
    if value not in (None, *table):
        raise InputError(f"{setting} {value!r}: expected one of {', '.join(table)}")
    return value


def load_eyes(*, name: str = "eyes", truncation: float | None = None) -> DCGANGenerator:
    """Load the iris generator of the PyPI package `omniart-eye-generator` (Knoester, MIT) from the installed wheel.

    Importing that package fails without CUDA, so its weights file is found without importing it.
    """
    spec = importlib.util.find_spec("omniart_eye_generator")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("generator 'eyes'", "demo")
    path = Path(spec.submodule_search_locations[0]) / "generator_model_state.pth"
    generator = load_dcgan(
        path, name=name, truncation=truncation, num_classes=len(EYES_CLASSES), class_names=EYES_CLASSES
    )
    generator.notes = ()  # the assumptions are correct
    return generator


def _renamed(state: State, path: str | Path) -> State:
    """Map any names of the layers (`main.0`, `3`, `main.pyramid:512-256:convt`) to the network's own names, by order.

    Transposed convolutions are the 4-D weights and batch norms the modules with running statistics. Modules numbered by
    a Sequential are ordered by number (dropout leaves gaps); others keep the order of the file.
    """
    modules: dict[str, State] = {}
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        modules.setdefault(module, {})[parameter] = tensor
    last = {module: module.rpartition(".")[2] for module in modules}
    if all(re.fullmatch(r"[0-9]{1,9}", number) for number in last.values()):
        modules = dict(sorted(modules.items(), key=lambda item: int(last[item[0]])))

    renamed: State = {}
    counts = {"convs": 0, "norms": 0}
    for module, parameters in modules.items():
        weight = parameters.get("weight")
        kind = "norms" if "running_mean" in parameters else "convs"
        if weight is None or (kind == "convs" and (weight.ndim != 4 or weight.shape[2] != weight.shape[3])):
            shape = None if weight is None else tuple(weight.shape)
            raise InputError(
                f"{path}: layer {module!r} (weight {shape}) is not a square convolution or batch norm of a DCGAN"
            )
        for parameter, tensor in parameters.items():
            renamed[f"{kind}.{counts[kind]}.{parameter}"] = tensor
        counts[kind] += 1
    if counts["convs"] < 2 or counts["norms"] != counts["convs"] - 1:
        raise InputError(
            f"{path}: {counts['convs']} convolutions and {counts['norms']} batch norms: expected one norm fewer"
        )
    for i in range(counts["norms"]):
        renamed.setdefault(f"norms.{i}.num_batches_tracked", torch.tensor(0))
    return renamed
