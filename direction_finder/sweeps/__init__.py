"""Carry out many runs of `learn` in one folder, on several processes, and list them in one table."""
