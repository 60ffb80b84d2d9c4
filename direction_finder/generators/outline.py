"""Hold what directions need to know about a generator, also where it is not available."""

from typing import NamedTuple

from direction_finder.errors import InputError
from direction_finder.settings import PARTS


class Outline(NamedTuple):
    """Hold what directions need to know about a generator, even if it is not loaded; see `Generator` for the fields."""

    name: str | None
    dim: int
    num_layers: int = 1
    class_names: tuple[str, ...] = ()
    chunk: int | None = None
    weights_sha256: str | None = None
    scale: float = 1.0
    space: str | None = None

    @property
    def groups(self) -> dict[str, list[int]] | None:
        """Return the layers of each part, where parts are thirds of the layers; None where they are not."""
        layers = {name: where["layers"] for name, where in self.parts.items() if "layers" in where}
        return {name: list(range(first, last + 1)) for name, (first, last) in layers.items()} or None

    @property
    def parts(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Return the parts of the latents to search, by name, as settings: first and last dimension of z, or layer.

        The names are "all", and "coarse", "mid" and "fine" for the thirds of the chunks of z or, where z feeds three or
        more layers, of the layers.
        """
        if self.chunk:
            return {"all": {}, **_thirds("dims", self.dim // self.chunk, self.chunk)}
        return {"all": {}, **_thirds("layers", self.num_layers)}

    def part(self, name: str | None) -> dict[str, tuple[int, int]]:
        """Return the `dims` or `layers` that a part's name stands for. Raises InputError if there is no such part."""
        if name is None:
            return {}
        if name not in self.parts:
            raise InputError(
                f"part {name!r} does not exist: {self.name} has {', '.join(self.parts)}; give one of these, or numbers "
                "with `dims` or `layers`"
            )
        return self.parts[name]


def _thirds(setting: str, count: int, size: int = 1) -> dict[str, dict[str, tuple[int, int]]]:
    """Divide `count` parts of `size` each into thirds; return nothing if there are fewer than three."""
    if count < 3:
        return {}
    ends = [size * round(third * count / 3) for third in range(4)]
    return {name: {setting: (ends[i], ends[i + 1] - 1)} for i, name in enumerate(PARTS[1:])}
