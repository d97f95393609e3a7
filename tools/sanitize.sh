#!/bin/sh
# On a build with AddressSanitizer and UndefinedBehaviorSanitizer: the tests of all that is compiled,
# among them those that show that the build notices, and a real `ratsnake run` under floods.
set -eu
test() { sh tools/sanitized.sh .venv/bin/python -m pytest -q -p no:cacheprovider "$@"; }
# test_fast_path counts calls of malloc, which here is the sanitizer's.
compiled=$(grep -l 'Engine' tests/daemon/test_*.py tests/model/test_*.py tests/bench/test_*.py | grep -v test_fast_path)
test -n auto --dist worksteal -k 'not interpreted' tests/wire tests/nat tests/sanitized/test_reports.py $compiled
[ "$(id -u)" != 0 ] || test tests/sanitized/test_floods.py
