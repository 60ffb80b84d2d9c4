"""Use any `nn.Module` as a generator."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from direction_finder.errors import InputError
from direction_finder.generators import contract
from direction_finder.generators.base import IMAGE, Generator, Half, class_labels
from direction_finder.generators.module_calls import (
    CLASS_INPUTS,
    Call,
    calls_to_try,
    check_arguments,
    check_settings,
    hookable,
    input_size,
    reading_weights,
    watched,
)
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
from direction_finder.generators.user_errors import Enough, Failed, NotCallable, named
from direction_finder.generators.weights import state_sha256
from direction_finder.randomness import stream


class WrappedModule(Generator):
    """Use a module that maps z, and the class if it has classes, to images as a generator.

    Args:
        module: called as module(z) or module(z, class). It is frozen in place and converted to float32.
        dim: size of z; by default read from `latent_shape`, `sample`, `mapping` or the module's first layer.
        num_classes: number of classes; 0 if unconditional.
        class_input: the class as "index" (batch,) of int64, "onehot" (batch, num_classes) of floats, or "vector", the
            class's row of `class_vectors`; by default the first of these that the module accepts.
        class_names: one per class, optional.
        class_vectors: (num_classes, size), the vector that the module takes for each class.
        latent_shape: the shape of one z for the module, e.g. (dim, 1, 1); default: (dim,) or (dim, 1, 1).
        num_layers: with 2 or more, the module is called with latents (batch, num_layers, dim), one per layer.
        value_range: the module's values for black and white, e.g. (0, 1), mapped to [-1, 1]. Default: detected.
        output: the entry of the module's list, tuple or dict with the images; default: the only possible one.
        sample: (n, torch.Generator) -> latents (n, dim), if they are not N(0, I). All random numbers must come from
            this torch.Generator.
        mapping: a network in front, z -> w (n, dim) or (n, layers, dim): the latents are w of z ~ N(0, I).
        fixed_noise: fix the noise that the forward draws: it is the same for every row and call.
        truncation: None for z ~ N(0, I); otherwise z is a normal cut to [-2, 2] times this.
        name: the generator's name; by default the name of the module's class.

    The module returns images (batch, 1, 3 or 4, H, W) or (batch, H, W) of floats; alpha is dropped. Activations are the
    outputs of the submodules that a forward calls ("name", and "name#2" at the second call), the first tensor of each.
    `notes` says what was chosen and detected. Raises InputError, one line that says what to do, if the module cannot be
    called or breaks the rules of `contract`.
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
        check_settings(
            module,
            dim=dim,
            num_classes=num_classes,
            latent_shape=latent_shape,
            num_layers=num_layers,
            value_range=value_range,
            truncation=truncation,
            class_names=class_names,
            name=name,
        )
        module = dict(module.named_children()).get("_orig_mod", module)  # compiled layers take no hooks
        self.module, self.mapping = module, mapping
        self.name = name or type(module).__name__
        if class_input not in (None, *CLASS_INPUTS):
            raise InputError(f"class_input {class_input!r}: expected {', '.join(map(repr, CLASS_INPUTS))}")
        if (class_input == "vector") != (class_vectors is not None):
            raise InputError("class_input 'vector' and class_vectors (num_classes, size) need each other: give both")
        if sum(option is not None for option in (sample, mapping, truncation)) > 1:
            raise InputError("sample, mapping and truncation all say how latents are drawn: give one of them")
        self.num_classes, self.num_layers, self.truncation = num_classes, num_layers, truncation
        self.class_names = class_labels(num_classes, class_names)
        self.register_buffer("class_vectors", class_vectors, persistent=False)
        self.output, self.noise = output, FixedNoise() if fixed_noise else None
        with named(self.name):
            self.notes = self._as_float32()
            self.freeze()
            self.draw = sample if mapping is None else mapped(mapping)
        self.space = "z" if mapping is None else "w"
        self.dim = dim or (prod(latent_shape) if latent_shape else self._size_of_latents())
        if self.draw:
            with named(self.name):
                self.scale = measured_scale(self.draw)
        check_arguments(self.name, module, num_classes > 0)
        self._settle_size(latent_shape, class_input, value_range, size_is_given=dim is not None)
        with named(self.name):
            self.weights_sha256 = state_sha256(self._state())

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """Return the tensors named in `at`, outputs of submodules and the image; stop the forward once all are known.

        Its stages are not known, so half precision applies to the whole network or to nothing.
        """
        tensors: dict[str, Tensor] = {}

        def store(name: str, output: Any) -> None:
            tensor = first_tensor(output)
            if name in at and tensor is not None:
                tensors[name] = tensor.clone()  # a later layer may work in place
                if len(tensors) == len(at):
                    raise Enough

        try:
            with (
                watched(self.module, {name.partition("#")[0] for name in at} - {IMAGE}, store),
                torch.autocast(latents.device.type, half.dtype) if half else nullcontext(),
            ):
                images = self._images(self._call(latents, classes))
            tensors[IMAGE] = in_range(images.float(), self.value_range)
        except Enough:
            pass
        if missing := sorted(at - tensors.keys()):
            raise InputError(f"{self.name} did not compute activation {missing[0]}: its forward took another path")
        return {name: tensors[name].float() for name in at}

    def reads(self) -> dict[str, Tensor]:
        """Return the weights of the layers whose input is z, or begins with z; none if there are several latents."""
        latents, classes = contract.inputs(self)
        if self.num_layers > 1:
            return {}
        return reading_weights(self.module, latents[:, 0], lambda: self._call(latents, classes))

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n latents (n, dim) with `sample` or `mapping` if given, otherwise as every generator does."""
        if self.draw is None:
            return super().sample(n, rng)
        with named(self.name):
            return checked(self.draw(n, rng), n).to(self.device)

    def _size_of_latents(self) -> int:
        """Return the size of z if it is not given: that of the latents drawn, or of the first layer's input."""
        size = self.sample(2, stream(0, "size")).shape[1] if self.draw else input_size(self.module)
        if not size:
            raise InputError(f"{self.name}: the size of z cannot be read from its layers; give `dim`")
        return size

    def _as_float32(self) -> tuple[str, ...]:
        tensors = (*self.parameters(), *self.buffers())
        others = {str(x.dtype) for x in tensors if x.is_floating_point() and x.dtype != torch.float32}
        self.float()
        return tuple(f"weights of {dtype.removeprefix('torch.')} converted to float32" for dtype in sorted(others))

    def _state(self) -> dict[str, Tensor]:
        """Return the tensors that latents and images depend on, by the module's own names."""
        state = dict(self.module.state_dict())
        if self.mapping is not None:
            state |= {f"mapping.{key}": value for key, value in self.mapping.state_dict().items()}
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}

    def _settle_size(
        self,
        latent_shape: Sequence[int] | None,
        class_input: str | None,
        value_range: Range | None,
        *,
        size_is_given: bool,
    ) -> None:
        """Settle how the module is called; where its first layer takes z and a one-hot class, z is smaller than it."""
        size, conditional = self.dim, self.num_classes > 0
        try:
            calls = calls_to_try(self.module, size, conditional, latent_shape, class_input)
            return self._settle(calls, value_range, size_is_given)
        except NotCallable:
            if size_is_given or latent_shape or self.draw or not 0 < self.num_classes < size:
                raise
            self.dim = size - self.num_classes
            try:
                calls = calls_to_try(self.module, self.dim, conditional, None, class_input or "onehot")
                self._settle(calls, value_range, size_is_given)
            except InputError:
                self.dim = size
            else:
                self.notes += (f"z has {self.dim} dimensions: the first layer takes it together with the class",)
                return None
            raise

    @torch.no_grad()
    def _settle(self, calls: list[Call], value_range: Range | None, size_is_given: bool) -> None:
        """Find out how to call the module and what it returns, and check it, in three forward passes."""
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
            self.notes += (f"values taken as {low:g} (black) to {high:g} (white); value_range= sets another range",)
        elif is_unusual(images, self.value_range):
            low, high = float(images.min()), float(images.max())
            self.notes += (
                f"values go from {low:.3g} to {high:.3g}, not from -1 to 1; value_range= sets another range",
            )
        together, alone = (in_range(values, self.value_range) for values in (images, alone))
        self.differentiable = contract.check_images(self, latents, classes, together, alone)

    def _first_call(
        self, calls: list[Call], latents: Tensor, classes: Tensor | None, size_is_given: bool
    ) -> tuple[Tensor, dict[str, bool]]:
        """Return the result of `_traced` for the first call that works, and use that call from now on."""
        reasons: dict[str, list[str]] = {}
        for call in calls:
            self.latent_shape, self.class_input = call
            try:
                result = self._traced(latents, classes)
            except Failed as error:
                reasons.setdefault(error.reason, []).append(str(call))
                continue
            if len(calls) > 1:
                self.notes += (f"called with {call}",)
            return result
        failed = "; ".join(f"with {' or '.join(tried)}: {reason}" for reason, tried in reasons.items())
        size = f"{self.dim}{'' if size_is_given else ', read from its layers'}"
        advice = f"if the size of z is not {size}, give `dim`; otherwise wrap it in a module that takes z in this form"
        raise NotCallable(f"{self.name} cannot be called {failed}; {advice}")

    def _traced(self, latents: Tensor, classes: Tensor | None) -> tuple[Tensor, dict[str, bool]]:
        """Return the images, with unchanged values, and for each submodule called whether it has a row per latent."""
        rows: dict[str, bool] = {}

        def see(name: str, output: Any) -> None:
            tensor = first_tensor(output)
            rows[name] = tensor is not None and tensor.shape[:1] == latents.shape[:1]

        with watched(self.module, hookable(self.module), see):
            output = self._call(latents, classes)
        if self.output is None and not isinstance(output, Tensor):
            with named(self.name):
                self.output = only_images(output)
            self.notes += (f"its output {self.output!r} is used as the images",)
        images = self._images(output)
        if len(images) != len(latents):
            raise InputError(f"{self.name} returns {len(images)} images for {len(latents)} latents: expected one each")
        return images, rows

    def _images(self, output: Any) -> Tensor:
        with named(self.name):
            return images_of(output, self.output)

    def _call(self, latents: Tensor, classes: Tensor | None) -> Any:
        """Call the module on a copy of the latents, because it may change them in place."""
        z = latents if self.num_layers > 1 else latents[:, 0].reshape(len(latents), *self.latent_shape)
        arguments = [z.clone()]
        if classes is not None:
            if self.class_input == "index":
                arguments.append(classes.clone())
            elif self.class_input == "onehot":
                arguments.append(one_hot(classes, self.num_classes).to(z))
            elif self.class_input == "vector" and self.class_vectors is not None:
                arguments.append(self.class_vectors[classes])
        still: AbstractContextManager = self.noise.of(len(z)) if self.noise else nullcontext()
        with named(self.name), still:
            return self.module(*arguments)
