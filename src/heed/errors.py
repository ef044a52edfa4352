"""What a person can mend."""


class UserError(ValueError):
    """A fault in a config, a file or an argument; its message is one line that says what to do.

    The doors print it and exit with code 2; every other exception keeps its traceback.
    """
