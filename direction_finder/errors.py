"""The one error that is the user's to mend."""


class InputError(ValueError):
    """Something given to us cannot be used.

    The message is one line that names the value, the expectation and the cure.
    The commands print it without a traceback and exit with 2.
    """
