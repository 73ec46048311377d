"""Handwritten digits of UCI (doi:10.24432/C50P49, E. Alpaydin and C. Kaynak, 1998, CC BY 4.0): 8 × 8 pixels, ten classes.

1,797 images, shipped with this package. They are no physics: a small problem of several classes whose corruptions anyone can
picture.
"""

from importlib import resources
from pathlib import Path

import numpy as np

from verax.events import Events, make_events

DOI = "10.24432/C50P49"
LICENCE = "CC BY 4.0"

SIDE, LARGEST = 8, 16
"""Pixels of a side, and the value of a full one."""

COLUMNS = tuple(f"p{row}{column}" for row in range(SIDE) for column in range(SIDE))
PROCESSES = tuple(f"digit {digit}" for digit in range(10))


def path() -> Path:
    """Find the shipped file, a gzip-compressed CSV without a heading: 64 pixels and the digit."""
    return Path(str(resources.files("verax.data") / "files" / "digits.csv.gz"))


def load() -> Events:
    """Read all images as events: pixels are columns, the digit is the process, the row is the number."""
    table = np.loadtxt(path(), delimiter=",")
    columns = {name: table[:, i] for i, name in enumerate(COLUMNS)}
    return make_events(columns, process=table[:, -1].astype(np.int32), processes=PROCESSES)
