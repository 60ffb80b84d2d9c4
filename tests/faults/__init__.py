"""Faults on purpose: crashes at every write, kills, two processes at once, and bad input; see docs/promises.md."""
