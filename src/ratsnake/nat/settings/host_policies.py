"""Which policy an internal host has for a protocol: that of the longest prefix it is in.

Asked when a mapping is looked for or made; a mapping keeps its policy, so packets of sessions never
come here.
"""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from ratsnake.wire.integer_types import u32, u64

    from ..rules.behaviour_codes import POLICIES_OF_CLASS
    from ..tables.row_layouts import Numbers, Words, new_numbers, new_words, release

from .address_realm import Network, mask_words


class HostPolicies:
    rows: Words
    classes: Numbers

    def __init__(self, prefixes: Sequence[tuple[Network, int]]) -> None:
        """`prefixes`, the longest first, each with the class of its hosts; all others are of class
        0."""
        self.count = len(prefixes)
        self.rows = new_words(4 * self.count)
        self.classes = new_numbers(self.count)
        for number, (prefix, host_class) in enumerate(prefixes):
            self.classes[number] = host_class
            for word, value in enumerate(mask_words(prefix)):
                self.rows[4 * number + word] = value

    def __dealloc__(self) -> None:
        release(self.rows)
        release(self.classes)

    def policy_of(self, protocol: u32, high: u64, low: u64) -> u32:
        k: u32
        for k in range(self.count):
            if (
                low & self.rows[4 * k + 3] == self.rows[4 * k + 1]
                and high & self.rows[4 * k + 2] == self.rows[4 * k]
            ):
                return self.classes[k] * POLICIES_OF_CLASS + protocol
        return protocol
