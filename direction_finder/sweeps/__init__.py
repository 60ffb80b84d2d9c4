"""Carry out many runs of `learn` in one folder, on several processes, and list them in one table."""

from direction_finder.sweeps.api import sweep

__all__ = ["sweep"]
