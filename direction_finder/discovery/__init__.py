"""Find directions in a generator. Every method has a function `find(generator, config)` that returns `Directions`."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.discovery.configs import SearchConfig
    from direction_finder.discovery.methods import METHODS, Method, check, configure, find, setting_names, settle
    from direction_finder.discovery.search_space import plain

__all__ = ["METHODS", "Method", "SearchConfig", "check", "configure", "find", "plain", "setting_names", "settle"]
_HOMES = {**dict.fromkeys(__all__, "methods"), "SearchConfig": "configs", "plain": "search_space"}
__getattr__, __dir__ = attach(__name__, _HOMES)
