#!/bin/sh
# Build a copy of the package with AddressSanitizer and UndefinedBehaviorSanitizer, and run the
# engine's tests on it.  A copy, so that the checkout keeps its ordinary extensions.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r src tests stubs setup.py pyproject.toml README.md LICENSE "$copy"
find "$copy" -name '*.so' -delete
python=$PWD/.venv/bin/python
cd "$copy"
echo "building with sanitizers ..."
RATSNAKE_SANITIZE=1 "$python" setup.py -q build_ext --inplace --parallel 2 > build.log 2>&1 || { cat build.log; exit 1; }
# Leaks are not looked for: the interpreter itself never frees everything.
LD_PRELOAD="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)" \
ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
PYTHONPATH="$copy/src" PYTHONMALLOC=malloc \
    "$python" -m pytest -q -n auto -p no:cacheprovider -k 'not interpreted' tests/wire tests/nat tests/daemon/test_worker.py tests/daemon/test_worker_offload.py tests/daemon/test_capture.py
