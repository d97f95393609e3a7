"""A folder for the files that targets are shown: in memory, and gone with the process."""

import atexit
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")

FOLDER = Path(tempfile.mkdtemp(prefix="ratsnake-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
