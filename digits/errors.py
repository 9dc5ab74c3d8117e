"""The exception for a user's mistake."""


class UserError(ValueError):
    """A user's mistake. One sentence says what is wrong, where, and what to do.

    Scripts print the sentence on stderr, without a traceback, and exit with `exit_status` (2:
    nothing was done; 1: something failed later).
    """

    def __init__(self, sentence: str, exit_status: int = 2):
        super().__init__(sentence)
        self.exit_status = exit_status
