"""What a run has to do with the host around it: what it asks of the kernel's routing."""

from ..host.request import Request
from .options import RunOptions


def request_of(options: RunOptions, lan: str) -> Request:
    settings = options.nat.settings
    return Request(
        options.device, lan, settings.external_side, settings.internal_side, wan=options.wan
    )
