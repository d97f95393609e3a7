cimport cython
from .row_layouts cimport Words, new_words, release

@cython.final
cdef class Secret:
    cdef Words words
