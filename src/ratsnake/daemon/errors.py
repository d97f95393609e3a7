"""The failures a user can do something about; each message is one line, complete by itself."""


class UsageError(Exception):
    """What was asked for cannot be right: names the flag, the value and what would be right."""


class RunError(Exception):
    """The request was right but could not be carried out, or ended early."""
