"""`ratsnake demo`: each NAT type at work, in network namespaces; the work is lab/demo.py's."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    from ..lab.demo import main

    return main()
