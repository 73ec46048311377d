"""Corruptions of images, of growing strength: what a shift of the data does to methods (Ovadia et al., arXiv:1906.02530)."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import rotate, shift

from verax.data import digits
from verax.events import Events
from verax.results import FloatArray


@dataclass(frozen=True)
class Corruption:
    """What is done to images ``[event, row, column]``, and how strongly.

    Parameters
    ----------
    strengths : that are tried, in order
    unit : of the strength, with the space before it
    change : ``(images, strength, random numbers) → images``
    """

    strengths: tuple[float, ...]
    unit: str
    change: Callable[[FloatArray, float, np.random.Generator], FloatArray]


def rotated(images: FloatArray, angle: float, rng: np.random.Generator) -> FloatArray:
    """Turn each image by the angle in degrees, to the left or to the right at random; pixels are interpolated."""
    options = {"axes": (1, 2), "reshape": False, "order": 1}
    left = rng.random((len(images), 1, 1)) < 0.5
    return np.where(left, rotate(images, angle, **options), rotate(images, -angle, **options))


def moved(images: FloatArray, distance: float, rng: np.random.Generator) -> FloatArray:
    """Move each image by a distance in pixels, to one of the four sides at random; what leaves it is lost."""
    side = rng.integers(4, size=(len(images), 1, 1))
    steps = [(0, distance, 0), (0, -distance, 0), (0, 0, distance), (0, 0, -distance)]
    return np.choose(side, [shift(images, step, order=1) for step in steps])


def noisy(images: FloatArray, width: float, rng: np.random.Generator) -> FloatArray:
    """Add Gaussian noise of a width to each pixel, within the range of pixels."""
    return np.clip(images + rng.normal(0, width, images.shape), 0, digits.LARGEST)


CORRUPTIONS = {
    "rotation": Corruption((15, 30, 45, 60, 75), "°", rotated),
    "shift": Corruption((0.5, 1, 1.5, 2, 3), " pixels", moved),
    "noise": Corruption((1, 2, 4, 6, 8), " of 16", noisy),
}
"""By name; strengths were chosen before any result."""


def condition(kind: str, strength: float) -> str:
    """Name a corruption of some strength.

    >>> condition("rotation", 15)
    'rotation 15°'
    """
    return f"{kind} {strength:g}{CORRUPTIONS[kind].unit}"


def corrupted(events: Events, seed: int) -> dict[str, Events]:
    """Make every corruption of every strength of the digits ``events``, by name; the same for the same seed."""
    images = np.asarray(events.x, np.float64).reshape(-1, digits.SIDE, digits.SIDE)
    made = {}
    for kind, corruption in CORRUPTIONS.items():
        for strength in corruption.strengths:
            name = condition(kind, strength)
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            x = corruption.change(images, strength, rng).reshape(len(images), -1)
            made[name] = replace(events, x=np.asarray(x, np.float32))
    return made
