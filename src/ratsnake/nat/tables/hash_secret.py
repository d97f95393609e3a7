"""The secret words of the keyed hash, shared by all tables of a NAT."""

from collections.abc import Sequence

import cython

if not cython.compiled:
    from .row_layouts import Words, new_words, release


class Secret:
    words: Words

    def __init__(self, words: Sequence[int]) -> None:
        """Eight random 64-bit words."""
        self.words = new_words(8)
        for number, word in enumerate(words):
            self.words[number] = word

    def __dealloc__(self) -> None:
        release(self.words)
