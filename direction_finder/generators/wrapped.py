"""Any `nn.Module` as a generator."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from direction_finder.errors import InputError, out_of_memory
from direction_finder.generators import contract
from direction_finder.generators.base import IMAGE, Generator, Half, class_labels
from direction_finder.generators.foreign import told
from direction_finder.generators.module_calls import CLASS_INPUTS, Call, calls_to_try, check_arguments, input_size
from direction_finder.generators.module_latents import Draw, checked, mapped, measured_scale
from direction_finder.generators.module_outputs import (
    SIGNED,
    Range,
    first_tensor,
    images_of,
    in_range,
    is_unusual,
    noticed_range,
    only_images,
)
from direction_finder.generators.noise import FixedNoise
from direction_finder.generators.weights import state_sha256
from direction_finder.randomness import stream


class _Enough(BaseException):
    """Raised by a hook to leave a forward whose rest is not needed; no `except Exception` of the module stops it."""


class _Failed(InputError):
    """Code of the user's raised something: `reason`."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name} failed: {reason}")
        self.reason = reason


class WrappedModule(Generator):
    """A module that maps z, and the class if it has classes, to images, behind the interface of a generator.

    Args:
        module: called as module(z) or module(z, class). It is frozen in place, and made float32.
        dim: size of z; default: read off `latent_shape`, `sample`, `mapping` or the module's first layer.
        num_classes: 0 if unconditional.
        class_input: the class as "index" (batch,) of int64, "onehot" (batch, num_classes) of floats, or "vector", the
            class's row of `class_vectors`; default: the first of these that the module takes.
        class_names: one per class, optional.
        class_vectors: (num_classes, size), what the module wants for each class.
        latent_shape: the shape of one z as the module wants it, e.g. (dim, 1, 1); default: (dim,) or (dim, 1, 1).
        num_layers: with 2 or more, the module is called with latents (batch, num_layers, dim), one a layer.
        value_range: the values the module gives for black and white, e.g. (0, 1); brought to [-1, 1]. Default: noticed.
        output: which entry of the module's list, tuple or dict are the images; default: the only one that can be.
        sample: (n, torch.Generator) -> latents (n, dim), if they are not N(0, I). All random numbers come from the
            generator given.
        mapping: a module in front, z -> w (n, dim) or (n, layers, dim): the latents are w of z ~ N(0, I).
        fixed_noise: hold still the noise that the forward draws: the same for every row and call.
        truncation: None for z ~ N(0, I), else z is cut to [-2, 2] and scaled.
        name: how to call it.

    Images (batch, 1, 3 or 4, H, W) or (batch, H, W) of floats; alpha is dropped. Activations are the outputs of the
    submodules that a forward calls ("name", and "name#2" at the second call), of several tensors the first.
    `notes` says what was chosen and noticed. Raises InputError, one line with its cure, if the module cannot be called
    or breaks the rules of `contract`.
    """

    class_vectors: Tensor | None

    def __init__(
        self,
        module: nn.Module,
        dim: int | None = None,
        num_classes: int = 0,
        class_input: str | None = None,
        *,
        class_names: Sequence[str] = (),
        class_vectors: Tensor | None = None,
        latent_shape: Sequence[int] | None = None,
        num_layers: int = 1,
        value_range: Range | None = None,
        output: int | str | None = None,
        sample: Draw | None = None,
        mapping: nn.Module | None = None,
        fixed_noise: bool = False,
        truncation: float | None = None,
        name: str | None = None,
    ):
        super().__init__()
        module = getattr(module, "_orig_mod", module)  # what torch.compile wraps: compiled layers take no hooks
        self.module, self.mapping = module, mapping
        self.name = name or type(module).__name__
        if class_input not in (None, *CLASS_INPUTS):
            raise InputError(f"class_input {class_input!r}: expected {', '.join(map(repr, CLASS_INPUTS))}")
        if (class_input == "vector") != (class_vectors is not None):
            raise InputError("class_input 'vector' goes with class_vectors (num_classes, size)")
        if sum(each is not None for each in (sample, mapping, truncation)) > 1:
            raise InputError("sample, mapping and truncation all say how latents are drawn: give one of them")
        self.num_classes, self.num_layers, self.truncation = num_classes, num_layers, truncation
        self.class_names = class_labels(num_classes, class_names)
        self.register_buffer("class_vectors", class_vectors, persistent=False)
        self.output, self.noise = output, FixedNoise() if fixed_noise else None
        with self._named():
            self.notes = self._as_float32()
            self.freeze()
            self.draw = sample if mapping is None else mapped(mapping)
        self.space = "z" if mapping is None else "w"
        self.dim = dim or (prod(latent_shape) if latent_shape else self._size_of_latents())
        if self.draw:
            with self._named():
                self.scale = measured_scale(self.draw)
        check_arguments(self.name, module, num_classes > 0)
        calls = calls_to_try(module, self.dim, num_classes > 0, latent_shape, class_input)
        self._settle(calls, value_range, dim is not None)
        self.weights_sha256 = state_sha256(self._state())

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """The submodules' outputs and the image; the forward is left as soon as all of them are known.

        Its stages are not known: half precision is for all of it or none.
        """
        found: dict[str, Tensor] = {}

        def keep(name: str, output: Any) -> None:
            tensor = first_tensor(output)
            if name in at and tensor is not None:
                found[name] = tensor.clone()  # a later layer may work in place
                if len(found) == len(at):
                    raise _Enough

        try:
            with (
                self._watched({name.partition("#")[0] for name in at} - {IMAGE}, keep),
                torch.autocast(latents.device.type, half.dtype) if half else nullcontext(),
            ):
                images = self._images(self._call(latents, classes))
            found[IMAGE] = in_range(images.float(), self.value_range)
        except _Enough:
            pass
        if lost := sorted(at - found.keys()):
            raise InputError(f"{self.name}: activation {lost[0]} was not computed: its forward took another way")
        return {name: found[name].float() for name in at}

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n latents (n, dim), as `sample` or `mapping` draws them, else as every generator does."""
        if self.draw is None:
            return super().sample(n, rng)
        with self._named():
            return checked(self.draw(n, rng), n).to(self.device)

    def _size_of_latents(self) -> int:
        """Return the size of z where it is not given: that of what is drawn, or of the first layer."""
        size = self.sample(2, stream(0, "size")).shape[1] if self.draw else input_size(self.module)
        if not size:
            raise InputError(f"{self.name}: the size of z cannot be read off its layers; give `dim`")
        return size

    def _as_float32(self) -> tuple[str, ...]:
        tensors = (*self.parameters(), *self.buffers())
        others = {str(each.dtype) for each in tensors if each.is_floating_point() and each.dtype != torch.float32}
        self.float()
        return tuple(f"weights of {dtype.removeprefix('torch.')} made float32" for dtype in sorted(others))

    def _state(self) -> dict[str, Tensor]:
        """The tensors that latents and images depend on, by the module's own names."""
        state = dict(self.module.state_dict())
        if self.mapping is not None:
            state |= {f"mapping.{key}": value for key, value in self.mapping.state_dict().items()}
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}

    @torch.no_grad()
    def _settle(self, calls: list[Call], value_range: Range | None, size_is_given: bool) -> None:
        """Find out how the module is called and what it gives, and check it; three forwards."""
        latents, classes = contract.inputs(self)
        images, rows = self._first_call(calls, latents, classes, size_is_given)
        try:
            alone, rows_alone = self._traced(latents[:1], contract.first(classes))
        except InputError as error:
            raise contract.alone_failed(self, error) from error
        self.activation_names = (*(name for name in rows if rows[name] and rows_alone.get(name)), IMAGE)
        self.resolution = images.shape[2]
        self.value_range = value_range or noticed_range(images)
        if self.value_range != (value_range or SIGNED):
            low, high = self.value_range
            self.notes += (f"values taken for {low:g} (black) to {high:g} (white); value_range= says otherwise",)
        elif is_unusual(images, self.value_range):
            low, high = float(images.min()), float(images.max())
            self.notes += (
                f"values go from {low:.3g} to {high:.3g}, not from -1 to 1; value_range= says what they mean",
            )
        together, alone = (in_range(each, self.value_range) for each in (images, alone))
        self.differentiable = contract.check_images(self, latents, classes, together, alone)

    def _first_call(
        self, calls: list[Call], latents: Tensor, classes: Tensor | None, size_is_given: bool
    ) -> tuple[Tensor, dict[str, bool]]:
        """Return what `_traced` gives for the first call that works, which the module is called by from now on."""
        reasons: dict[str, list[str]] = {}
        for call in calls:
            self.latent_shape, self.class_input = call
            try:
                found = self._traced(latents, classes)
            except _Failed as error:
                reasons.setdefault(error.reason, []).append(str(call))
                continue
            if len(calls) > 1:
                self.notes += (f"called with {call}",)
            return found
        failed = "; ".join(f"with {' or '.join(tried)}: {reason}" for reason, tried in reasons.items())
        size = f"{self.dim}{'' if size_is_given else ', read off its layers'}"
        cure = f"if the size of z is not {size}, give `dim`; else wrap it in a module that takes z in this form"
        raise InputError(f"{self.name} cannot be called {failed}; {cure}")

    def _traced(self, latents: Tensor, classes: Tensor | None) -> tuple[Tensor, dict[str, bool]]:
        """Return the images, with values as given, and for each submodule called whether it has a row per latent."""
        rows: dict[str, bool] = {}

        def see(name: str, output: Any) -> None:
            tensor = first_tensor(output)
            rows[name] = tensor is not None and tensor.shape[:1] == latents.shape[:1]

        with self._watched(_hookable(self.module), see):
            output = self._call(latents, classes)
        if self.output is None and not isinstance(output, Tensor):
            with self._named():
                self.output = only_images(output)
            self.notes += (f"its output {self.output!r} is taken for the images",)
        images = self._images(output)
        if len(images) != len(latents):
            raise InputError(f"{self.name} gives {len(images)} images for {len(latents)} latents")
        return images, rows

    def _images(self, output: Any) -> Tensor:
        with self._named():
            return images_of(output, self.output)

    @contextmanager
    def _watched(self, names: set[str], keep: Callable[[str, Any], None]) -> Iterator[None]:
        """Call `keep` with the name and the output of these submodules whenever they are called."""
        counts = dict.fromkeys(names, 0)

        def hook_of(name: str) -> Callable[..., None]:
            def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
                counts[name] += 1
                keep(name if counts[name] == 1 else f"{name}#{counts[name]}", output)

            return hook

        modules = {name: module for name, module in self.module.named_modules() if name in names}
        hooks = [module.register_forward_hook(hook_of(name)) for name, module in modules.items()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _call(self, latents: Tensor, classes: Tensor | None) -> Any:
        """Call the module on a copy of the latents, which it may change."""
        z = latents if self.num_layers > 1 else latents[:, 0].reshape(len(latents), *self.latent_shape)
        arguments = [z.clone()]
        if classes is not None:
            if self.class_input == "index":
                arguments.append(classes)
            elif self.class_input == "onehot":
                arguments.append(one_hot(classes, self.num_classes).to(z))
            elif self.class_input == "vector" and self.class_vectors is not None:
                arguments.append(self.class_vectors[classes])
        still: AbstractContextManager = self.noise.of(len(z)) if self.noise else nullcontext()
        with self._named(), still:
            return self.module(*arguments)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Give errors the generator's name; turn any other exception of the user's code into one line."""
        try:
            yield
        except _Failed:
            raise
        except InputError as error:
            raise InputError(f"{self.name} {error}") from error
        except Exception as error:
            if out_of_memory(error):
                raise
            raise _Failed(self.name, told(error)) from error


def _hookable(module: nn.Module) -> set[str]:
    """Return the names of the submodules that take hooks: not scripted or inside of compiled ones."""
    return {
        name
        for name, each in module.named_modules()
        if name and "_orig_mod" not in name and not isinstance(each, torch.jit.ScriptModule)
    }
