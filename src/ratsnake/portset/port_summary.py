"""Many ranges of ports in a few words."""

from .port_set import PortSet


def port_summary(text: str, most: int) -> str:
    """Of a port set as text, where it has more than `most` ranges; else "":
    "240 ports in 15 ranges, 5472-5487 to 62816-62831"."""
    ranges = text.split(",")
    if len(ranges) <= most:
        return ""
    count = len(PortSet.parse(text))
    return f"{count} ports in {len(ranges)} ranges, {ranges[0]} to {ranges[-1]}"
