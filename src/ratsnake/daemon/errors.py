"""The failures a user can do something about; each message is one line, complete by itself.

With each the exit status of a command that ends so.
"""

STATUS_RUN = 1
STATUS_USAGE = 2


class UsageError(Exception):
    """What was asked for cannot be right: names the flag, the value and what would be right."""


class RunError(Exception):
    """The request was right but could not be carried out, or ended early."""
