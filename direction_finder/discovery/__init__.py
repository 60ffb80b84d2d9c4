"""Finding directions: generator in, directions out. Every method answers find(generator, config)."""

import importlib

_HOMES = {
    "METHODS": "methods",
    "Method": "methods",
    "check": "methods",
    "configure": "methods",
    "find": "methods",
    "plain": "space",
    "SearchConfig": "configs",
    "setting_names": "methods",
    "settle": "methods",
    "space_settings": "methods",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    """Import what is asked for, and torch with it, only then: `configs` needs none."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"direction_finder.discovery.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
