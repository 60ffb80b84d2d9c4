"""Read numbers in text, written in the digits 0 to 9 and nothing else."""

import math
import re


def whole_number(text: str) -> int | None:
    """Return a whole number of at most 19 digits, with or without a sign; None for any other text.

    >>> whole_number("12"), whole_number("1_000"), whole_number(" 5 ")
    (12, None, None)
    """
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,19}", text) else None


def ordinal(text: str) -> int | None:
    """Return a number that counts things from 0, written in at most 9 digits; None for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def real_number(text: str) -> float | None:
    """Return a finite number like 2, -0.5 or 1e-3; None for any other text.

    >>> real_number("1e-3"), real_number("nan"), real_number("1e999")
    (0.001, None, None)
    """
    if not re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", text):
        return None
    number = float(text) + 0.0  # so that -0 is 0
    return number if math.isfinite(number) else None
