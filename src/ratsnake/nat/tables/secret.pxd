cimport cython
from .records cimport Words, new_words, release

@cython.final
cdef class Secret:
    cdef Words words
