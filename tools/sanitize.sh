#!/bin/sh
# Run the engine's tests on a build with AddressSanitizer and UndefinedBehaviorSanitizer.
exec sh tools/sanitized.sh .venv/bin/python -m pytest -q -n auto -p no:cacheprovider -k 'not interpreted' \
    tests/wire tests/nat tests/daemon/test_worker.py tests/daemon/test_worker_offload.py tests/daemon/test_capture.py
