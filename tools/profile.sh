#!/bin/sh
# Build a copy of the package with frame pointers and debug information, and profile it under load.
# A copy, so that the checkout keeps its ordinary extensions; it stays, so the next time is quick.
set -eu
copy=build/profile
python=$PWD/.venv/bin/python
mkdir -p "$copy"
tar cf - --exclude='*.so' --exclude=__pycache__ src setup.py pyproject.toml README.md LICENSE | tar xf - -C "$copy"
echo "building a copy with frame pointers ..." >&2
(
    cd "$copy"
    RATSNAKE_PROFILE=1 "$python" setup.py -q build_ext --inplace --parallel 2 > build.log 2>&1 || { cat build.log; exit 1; }
)
PYTHONPATH="$PWD/$copy/src" "$python" tools/profile.py "$@"
