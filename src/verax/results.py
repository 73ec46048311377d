"""What a question about uncertainty is answered with: one small frozen type each."""

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np

from verax.arrays import Bool, Float, Int

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


class Status(enum.IntEnum):
    """How a fit, or an interval made of fits, ended. Anything but OK and AT_BOUND is a failure."""

    OK = 0
    AT_BOUND = 1
    MAX_STEPS = 2
    NOT_POSITIVE_DEFINITE = 3
    NOT_FINITE = 4
    END_NOT_FOUND = 5


def good(status: Int[np.ndarray, "*batch"]) -> Bool[np.ndarray, "*batch"]:
    """True where the status is no failure."""
    return np.asarray(np.asarray(status) <= Status.AT_BOUND)


@dataclass(frozen=True)
class Interval:
    """Confidence interval of one parameter, or a batch of them.

    ``value`` is the point estimate, ``low`` and ``high`` the ends at ``level``, ``status`` a :class:`Status` each.
    """

    name: str
    level: float
    value: Float[np.ndarray, "*batch"]
    low: Float[np.ndarray, "*batch"]
    high: Float[np.ndarray, "*batch"]
    status: Int[np.ndarray, "*batch"]

    @property
    def width(self) -> Float[np.ndarray, "*batch"]:
        """High − low, in units of the parameter."""
        return np.asarray(self.high - self.low)

    @property
    def up(self) -> Float[np.ndarray, "*batch"]:
        """Distance from the estimate to the upper end (positive)."""
        return np.asarray(self.high - self.value)

    @property
    def down(self) -> Float[np.ndarray, "*batch"]:
        """Distance from the lower end to the estimate (positive)."""
        return np.asarray(self.value - self.low)


@dataclass(frozen=True)
class Predictive:
    """Mean and the two parts of the variance of a prediction, by the law of total variance.

    ``aleatoric`` = E_w[Var(y|x, w)], ``epistemic`` = Var_w(E[y|x, w]) over members w; both are variances. Over M
    members the latter is a sum of squares divided by M: in the mean (M − 1)/M of the truth where members are independent.
    """

    mean: Float[np.ndarray, "*event"]
    aleatoric: Float[np.ndarray, "*event"]
    epistemic: Float[np.ndarray, "*event"]

    @property
    def total(self) -> Float[np.ndarray, "*event"]:
        """Var(y|x): the sum of both parts."""
        return np.asarray(self.aleatoric + self.epistemic)


@dataclass(frozen=True)
class Coverage:
    """Fraction of intervals that hold the truth, always beside their width.

    Parameters
    ----------
    level : nominal coverage
    fraction, error : measured coverage and its binomial standard error at the nominal level
    width, width_error : median width of the intervals, and its standard error
    n : intervals that count
    failed : intervals left out because their status is a failure
    """

    level: float
    fraction: float
    error: float
    width: float
    width_error: float
    n: int
    failed: int

    @property
    def pull(self) -> float:
        """(fraction − level) / error."""
        return (self.fraction - self.level) / self.error if self.error > 0 else float("nan")
