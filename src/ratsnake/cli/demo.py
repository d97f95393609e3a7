"""`ratsnake demo`: each NAT type at work, in network namespaces (lab/nat_type_demo.py)."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    from ..lab.nat_type_demo import main

    return main()
