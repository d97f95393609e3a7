"""Make the README's pictures: what real terminals show of the real program.

    python tools/pictures [FOLDER]      writes FOLDER/demo.svg and FOLDER/top.svg (default: docs)

As root, or where user namespaces and /dev/net/tun are open to users.  Numbers are those of the
machine and the moment: make them on a quiet one, with nft installed.
"""

import sys
from pathlib import Path

from drawing import svg
from scenes import demo, top

from ratsnake.lab import enter_privileged

SCENES = {"demo": demo, "top": top}
DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    enter_privileged()
    for name, scene in SCENES.items():
        print(f"{name} ...", flush=True)
        picture = folder / f"{name}.svg"
        picture.write_text(svg(*scene()))
        print(picture)


if __name__ == "__main__":
    main()
