"""Capture files of either format, told apart by their first byte."""

import os
from io import BufferedReader
from typing import cast

from . import pcap_file, pcapng_reader
from .capture_reader import CaptureReader, PcapError, open_file

_PCAPNG = b"\n"  # a section header's first byte; no other format begins with a line feed


def open_capture(path: str | os.PathLike[str]) -> CaptureReader:
    """A reader of the file; raises PcapError where it is no capture file."""
    file = open_file(os.fspath(path))
    try:
        first = cast(BufferedReader, file).peek(1)[:1]
    except OSError as e:
        file.close()
        raise PcapError(f"{path}: offset 0: cannot be read: {e.strerror}") from e
    reader = pcapng_reader.Reader if first == _PCAPNG else pcap_file.Reader
    return reader(path, file)
