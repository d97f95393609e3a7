"""The options of a TCP header (RFC 9293 section 3.1, RFC 7323)."""

import cython

if not cython.compiled:
    from .integer_types import Bytes, u32
    from .tcp import DATA_OFFSET, HEADER

    END_OF_OPTIONS = 0
    NO_OPERATION = 1
    MAXIMUM_SEGMENT_SIZE = 2
    MAXIMUM_SEGMENT_SIZE_LENGTH = 4
    WINDOW_SCALE = 3
    WINDOW_SCALE_LENGTH = 3


def find_option(b: Bytes, t: u32, kind: u32, length: u32) -> u32:
    """Where the first option of this kind and length begins in the checked header at t, or 0.

    Nothing behind a malformed option counts.
    """
    at: u32 = t + HEADER
    end: u32 = t + (b[t + DATA_OFFSET] >> 4) * 4
    while at < end and b[at] != END_OF_OPTIONS:
        if b[at] == NO_OPERATION:
            at += 1
            continue
        if end - at < 2 or b[at + 1] < 2 or b[at + 1] > end - at:
            return 0
        if b[at] == kind:
            return at if b[at + 1] == length else 0
        at += b[at + 1]
    return 0
