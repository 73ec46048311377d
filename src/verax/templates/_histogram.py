"""Sums of weights that do not depend on the order of events: exact, therefore the same bits however the work is cut.

A float32 number is an integer times a power of two, so a sum of them is a whole number of small units. A float64 adds
n such numbers without rounding as long as all are multiples of some 2^q and their sum stays below 2^(q + 53). Weights
that span more than that are first split into an upper and a lower part, each exact. Sums of chunks are then kept as
integers, and only ``value`` rounds, once: it equals ``math.fsum`` of the float32 weights.
"""

import math
from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int, Integer
from verax.errors import InputError

_BITS = 32  # of a limb; the rest of 64 bits is room for the sums of 2³¹ chunks
_LOWEST = -160  # exponent of the unit of limb 0: below 2⁻¹⁴⁹, the smallest float32


@dataclass(frozen=True)
class ExactSum:
    """Exact weighted sums of float32 numbers in cells; ``+`` merges two of them without rounding.

    ``limbs[limb, cell]`` holds integers; the unit of limb i is 2^(32 (first + i) − 160).
    """

    first: int
    limbs: Int[np.ndarray, "limb cell"]

    def __add__(self, other: "ExactSum") -> "ExactSum":
        if self.limbs.shape[1] != other.limbs.shape[1]:
            raise InputError("sum of histograms", f"{other.limbs.shape[1]} cells", f"{self.limbs.shape[1]} cells")
        if not len(self.limbs) or not len(other.limbs):
            return self if len(self.limbs) else other
        first = min(self.first, other.first)
        last = max(self.first + len(self.limbs), other.first + len(other.limbs))
        limbs = np.zeros((last - first, self.limbs.shape[1]), np.int64)
        for part in (self, other):
            limbs[part.first - first : part.first - first + len(part.limbs)] += part.limbs
        return ExactSum(first, limbs)

    def value(self) -> Float[np.ndarray, " cell"]:
        """The sums, correctly rounded to float64."""
        out = np.zeros(self.limbs.shape[1])
        for cell in np.flatnonzero(self.limbs.any(axis=0)):
            total = sum(int(limb) << (_BITS * i) for i, limb in enumerate(self.limbs[:, cell]))
            out[cell] = math.ldexp(total, _BITS * self.first + _LOWEST)
        return out


def exact_sum(cell: Integer[np.ndarray, " event"], weight: Float[np.ndarray, " event"], cells: int) -> ExactSum:
    """Sum ``weight``, as float32, in each of ``cells`` cells; ``cell`` is in [0, cells).

    >>> exact_sum(np.array([0, 1, 0, 0]), np.array([1e30, 2.0, 1.0, -1e30]), 2).value()
    array([1., 2.])

    Raises
    ------
    InputError : for a weight that is not finite
    """
    weight = np.asarray(weight, np.float32)
    size = weight.view(np.int32) & np.int32(0x7FFFFFFF)  # magnitudes of floats are ordered as these integers are
    largest = int(size.max(initial=0))
    if largest >= 0x7F800000:
        bad = int((~np.isfinite(weight)).sum())
        raise InputError("weights", f"{bad} NaN or infinite values", "finite weights", "drop those events")
    total = ExactSum(0, np.zeros((0, cells), np.int64))
    if largest == 0:
        return total
    smallest = int(size.min()) or int(size[size > 0].min())
    top = max(largest >> 23, 1) - 126  # every |w| < 2^top
    step = max(smallest >> 23, 1) - 150  # every w is a multiple of 2^step
    room = 53 - len(weight).bit_length()
    rest = weight.astype(np.float64)
    while top - step > room:
        top -= room
        # Adding and taking away 1.5·2^(top + 52) rounds to a multiple of 2^top: the last bit of that number.
        upper = rest + 1.5 * 2.0 ** (top + 52)
        upper -= 1.5 * 2.0 ** (top + 52)
        total += _limbs(np.bincount(cell, weights=upper, minlength=cells))
        rest -= upper
    return total + _limbs(np.bincount(cell, weights=rest, minlength=cells))


def _limbs(sums: Float[np.ndarray, " cell"]) -> ExactSum:
    """Exact float64 sums as integers."""
    largest = float(np.abs(sums).max())
    if largest == 0:
        return ExactSum(0, np.zeros((0, len(sums)), np.int64))
    limb = last = (math.frexp(largest)[1] - 1 - _LOWEST) // _BITS
    digits = []
    while sums.any():
        digit = np.trunc(np.ldexp(sums, -(_BITS * limb + _LOWEST)))
        sums = sums - np.ldexp(digit, _BITS * limb + _LOWEST)  # toward zero: exact, for negative sums too
        digits.append(digit.astype(np.int64))
        limb -= 1
    return ExactSum(last - len(digits) + 1, np.stack(digits[::-1]))


def squares(weight: Float[np.ndarray, " event"]) -> Float[np.ndarray, " event"]:
    """w² rounded to float32, the same for each event wherever it is summed."""
    return np.square(np.asarray(weight, np.float32))


@dataclass(frozen=True)
class Sums:
    """Σw and Σw² in cells of a histogram, exact; ``+`` merges those of two samples."""

    weight: ExactSum
    square: ExactSum

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.weight + other.weight, self.square + other.square)


def histogram(cell: Integer[np.ndarray, " event"], weight: Float[np.ndarray, " event"], cells: int) -> Sums:
    """Σw and Σw² in each of ``cells`` cells; see :func:`exact_sum`."""
    return Sums(exact_sum(cell, weight, cells), exact_sum(cell, squares(weight), cells))


def find_bins(values: Float[np.ndarray, " event"], edges: Float[np.ndarray, " edge"]) -> Int[np.ndarray, " event"]:
    """The bin of each value: [edge, next edge). Values outside go to the first or the last bin.

    Raises
    ------
    InputError : for NaN
    """
    values, edges = np.asarray(values, np.float64), np.asarray(edges, np.float64)
    if np.isnan(values.sum()) and np.isnan(values).any():
        raise InputError("score", f"{int(np.isnan(values).sum())} NaN values", "numbers", "check the summary's input")
    last = len(edges) - 2
    width = (edges[-1] - edges[0]) / (last + 1)
    if last > 8 and np.allclose(np.diff(edges), width, rtol=1e-6, atol=0):
        # Nearly equal bins: guess, then correct by the edges themselves. Same answer as the search, much faster.
        guess = np.clip((values - edges[0]) * (1 / width), 0, last).astype(np.int64)
        guess -= (values < edges[guess]) & (guess > 0)
        guess += (values >= edges[guess + 1]) & (guess < last)
        return guess
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, last)
