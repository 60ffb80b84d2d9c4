"""Find, draw and apply directions in the latent space of a pretrained GAN."""

import importlib

_HOMES = {
    "DirectionFinderError": "errors",
    "InputError": "errors",
    "MissingExtra": "errors",
    "Diverged": "errors",
    "Unfinished": "errors",
    "Directions": "directions",
    "Direction": "directions",
    "Generator": "generators",
    "WrappedModule": "generators",
    "load_generator": "generators",
    "find": "discovery",
    "align": "edits",
    "combine": "edits",
    "coordinate": "edits",
    "move": "edits",
    "spread": "edits",
    "walk": "edits",
    "Recipe": "edits",
    "Row": "pictures",
    "to_uint8": "pictures",
    "write_sheet": "pictures",
    "write_video": "pictures",
    "hessian_penalty": "penalty",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str):
    """Import what is asked for, and torch with it, only then: `direction-finder --help` stays instant."""
    if name == "__version__":
        return importlib.import_module("direction_finder.version").package_version()
    if name in _HOMES:
        return getattr(importlib.import_module(f"direction_finder.{_HOMES[name]}"), name)
    if name in ("penalty", "orthogonal", "edits", "pictures", "directions", "generators", "discovery"):
        return importlib.import_module(f"direction_finder.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
