"""Makes pictures of the page small: few colours, and of a long one its top. `make pictures` calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

COLOURS = 32
TALLEST = 900  # pixels


def shrink(path: Path) -> None:
    """Write a picture anew, each colour the nearest of the few."""
    with Image.open(path) as picture:
        top = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, TALLEST)))
    # Not the default way, which loses a colour that few pixels have, such as that of a link.
    few = top.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        shrink(Path(name))
