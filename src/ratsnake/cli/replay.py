"""`ratsnake replay`: a capture file translated offline."""

import argparse
import sys

from ..daemon.configuration.flag_table import NAT_GROUPS
from ..daemon.configuration.option_parsing import fixed_nat_options
from ..daemon.user_errors import UsageError
from .argument_table import add_groups, texts
from .progress import Progress

TRANSLATED_ALREADY = "left out: translated already (the `after` packets of `ratsnake capture`)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN", help="the capture to translate: pcap or pcapng")
    parser.add_argument(
        "target", metavar="OUT", help="the file for the translated packets, in the same format"
    )
    add_groups(parser, NAT_GROUPS)
    parser.add_argument(
        "--seed",
        metavar="N",
        help="choose the same random ports each time for the same N (a whole number;"
        " the engine's seed is SHAKE-256 of it)",
    )


def run(arguments: argparse.Namespace) -> int:
    options = fixed_nat_options(texts(arguments), "a capture has no interfaces")
    number = _number(arguments.seed)
    from ..daemon import random_seed
    from ..daemon.capture_replay import replay

    bits = random_seed.fresh() if number is None else random_seed.reproducible(number)
    with Progress("replay") as progress:
        counts = replay(options, bits, arguments.source, arguments.target, progress.update)
    for amount, what in (
        (counts.read, "packets read"),
        (counts.written, "written"),
        (counts.not_ip, "left out: not IP"),
        (counts.cut, "left out: the capture kept only a part"),
        *([(counts.translated, TRANSLATED_ALREADY)] if counts.translated else []),
        (counts.held, "held until a first fragment came"),
        (counts.own, "sent by the NAT itself"),
        (sum(counts.dropped.values()), "dropped by the NAT"),
    ):
        print(f"{amount:>10} {what}", file=sys.stderr)
    for reason, amount in sorted(counts.dropped.items(), key=lambda item: -item[1]):
        print(f"{amount:>14} {reason}", file=sys.stderr)
    return 0


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise UsageError(f"--seed {text}: must be a whole number of at most 20 digits")
    return int(text)
