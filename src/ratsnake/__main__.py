"""`python -m ratsnake`: the same as the `ratsnake` command."""

import sys

from .cli.main import main

sys.exit(main())
