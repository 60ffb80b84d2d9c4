"""Carry out many runs of `learn` in one folder, on several processes, and list them in one table."""

from direction_finder.sweeps.api import How, forecast, sweep

__all__ = ["How", "forecast", "sweep"]
