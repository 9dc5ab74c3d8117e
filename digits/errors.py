"""The one exception that stands for a person's mistake."""


class UserError(ValueError):
    """A mistake that one sentence explains: what is wrong, where, and what to do.

    Scripts print the sentence on stderr and leave with `exit_status` (2: nothing was done;
    1: something failed on the way) in place of a traceback.
    """

    def __init__(self, sentence: str, exit_status: int = 2):
        super().__init__(sentence)
        self.exit_status = exit_status
