"""Any `nn.Module` as a generator."""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from direction_finder.errors import InputError
from direction_finder.generators.base import IMAGE, Generator, Half, as_rgb, class_labels
from direction_finder.generators.weights import state_sha256


class _Enough(Exception):
    """Raised by a hook to leave a forward whose rest is not needed."""


class WrappedModule(Generator):
    """A module that maps z, and the class if it has classes, to images, behind the interface of a generator.

    Args:
        module: called as module(z) or module(z, class); gives (batch, 1 or 3, H, W). It is frozen in place.
        dim: size of z.
        num_classes: 0 if unconditional.
        class_input: the class as "index" (batch,) of int64, or "onehot" (batch, num_classes) of floats.
        class_names: one per class, optional.
        latent_shape: the shape of one z as the module wants it, e.g. (dim, 1, 1); default (dim,).
        value_range: the values the module gives for black and white, e.g. (0, 1); brought to [-1, 1].
        truncation: None for z ~ N(0, I), else z is cut to [-2, 2] and scaled.
        name: how to call it.

    Activations are the outputs of its named submodules.
    """

    def __init__(
        self,
        module: nn.Module,
        dim: int,
        num_classes: int = 0,
        class_input: str = "index",
        *,
        class_names: Sequence[str] = (),
        latent_shape: Sequence[int] | None = None,
        value_range: tuple[float, float] = (-1.0, 1.0),
        truncation: float | None = None,
        name: str | None = None,
    ):
        super().__init__()
        if class_input not in ("index", "onehot"):
            raise InputError(f"class_input {class_input!r}: expected 'index' or 'onehot'")
        self.module = module
        self.name = name or type(module).__name__
        self.dim, self.num_classes, self.class_input = dim, num_classes, class_input
        self.class_names = class_labels(num_classes, class_names)
        self.latent_shape = tuple(latent_shape or (dim,))
        self.value_range = value_range
        self.truncation = truncation
        self.weights_sha256 = state_sha256(module.state_dict())
        self.activation_names = (*(name for name, _ in module.named_modules() if name), IMAGE)
        self.freeze()
        self.resolution = self._probe()

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """The named submodules' outputs, and the image; the forward is left as soon as all of them are known.

        Its stages are not known: half precision is for all of it or none.
        """
        found: dict[str, Tensor] = {}

        def keep(name: str):
            def hook(_module, _inputs, output):
                found[name] = output
                if len(found) == len(at):
                    raise _Enough

            return hook

        inner = dict(self.module.named_modules())
        hooks = [inner[name].register_forward_hook(keep(name)) for name in at if name != IMAGE]
        try:
            with torch.autocast(latents.device.type, half.dtype) if half else nullcontext():
                images = as_rgb(self._call(latents[:, 0], classes))
            low, high = self.value_range
            images = images.float() if half else images
            found[IMAGE] = images if (low, high) == (-1, 1) else (images - low) * (2 / (high - low)) - 1
        except _Enough:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return {name: found[name].float() if half else found[name] for name in at}

    def _call(self, z: Tensor, classes: Tensor | None) -> Tensor:
        z = z.reshape(len(z), *self.latent_shape)
        if not self.num_classes:
            return self.module(z)
        return self.module(z, classes if self.class_input == "index" else one_hot(classes, self.num_classes).to(z))

    @torch.no_grad()
    def _probe(self) -> int:
        z = torch.zeros(2, 1, self.dim, device=self.device)
        classes = torch.zeros(2, dtype=torch.long, device=self.device)
        try:
            return self.run(z, classes, frozenset([IMAGE]))[IMAGE].shape[2]
        except (RuntimeError, TypeError, IndexError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.name} cannot be called with z of shape (2, {', '.join(map(str, self.latent_shape))})"
                f"{' and a class' if self.num_classes else ''}: {reason}; check the size of z (--dim) and the classes"
            ) from error


def load_python(
    target: str, *, dim: int | None = None, num_classes: int = 0, truncation: float | None = None
) -> Generator:
    """Call `package.module:factory` and take its `nn.Module` or `Generator`. The working directory is importable.

    dim: size of z; read off the first layer with weights if not given.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise InputError(f"python:{target}: expected python:package.module:factory")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(module_name), attribute)()
    except (ImportError, AttributeError) as error:
        raise InputError(f"python:{target}: {error}; expected an importable module and a function in it") from error
    if isinstance(made, Generator):
        if dim is not None or num_classes or truncation is not None:
            raise InputError(f"python:{target} gives a Generator, which fixes its own size, classes and truncation")
        return made
    if not isinstance(made, nn.Module):
        raise InputError(f"python:{target} gave a {type(made).__name__}: expected an nn.Module or a Generator")
    return WrappedModule(
        made, dim or _input_size(made, target), num_classes, name=f"python:{target}", truncation=truncation
    )


def _input_size(module: nn.Module, target: str) -> int:
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            return layer.in_features
        if isinstance(layer, (nn.ConvTranspose2d, nn.Conv2d)):
            return layer.in_channels
    raise InputError(f"python:{target}: the size of z cannot be read off its layers; give --dim")
