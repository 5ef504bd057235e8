"""The error that a user can mend: shown as one line, exit code 2."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """What was given, what is allowed, what to do, in one line."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))
