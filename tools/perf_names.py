"""A filter: perf's output with the names Python has for what Cython compiled.

    perf report --stdio | python tools/perf_names.py

`__pyx_f_8ratsnake_3nat_11translation_17packet_translator_10Translator_route` becomes
`ratsnake.nat.translation.packet_translator.Translator.route`: Cython writes every part of the way
to a function as its length and its name.  A suffix by which the C compiler tells copies of a
function apart stays.
"""

import re
import signal
import sys

# f: a C function; pw, pf: what Python calls, which has a number before its name.
_MANGLED = re.compile(r"__pyx_(f|pw|pf)_(\w+)")
_PART = re.compile(r"(\d+)(?=[A-Za-z_])")


def python_name(kind: str, mangled: str) -> str:
    """The dotted name; `kind` is f, pw or pf, `mangled` what stands behind it."""
    parts = []
    while found := _PART.match(mangled):
        start, size = found.end(), int(found[1])
        if mangled[start + size : start + size + 1] != "_":
            break
        parts.append(mangled[start : start + size])
        mangled = mangled[start + size + 1 :]
    return ".".join([*parts, mangled.lstrip("0123456789") if kind != "f" else mangled])


def translated(line: str) -> str:
    """The line with every mangled name replaced."""
    return _MANGLED.sub(lambda found: python_name(found[1], found[2]), line)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` has seen enough
    for text in sys.stdin:
        sys.stdout.write(translated(text))
