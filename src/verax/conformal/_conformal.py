"""The core of conformal prediction: quantiles of calibration scores, with weights of any sign.

A prediction set {y : s(x, y) ≤ q} holds the truth with probability ≥ level when the score of the new point is
exchangeable with n calibration scores and q is the ⌈(n + 1)·level⌉-th smallest of them (Vovk, Gammerman, Shafer,
Algorithmic Learning in a Random World, 2005). With weights the new point enters as its own weight at +∞ (Tibshirani,
Barber, Candès, Ramdas, arXiv:1904.06019). No method of this package needs more than this quantile.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from verax.errors import InputError, check_known
from verax.given import PerPoint, PerTest, Weights, effective_size, generator, plain
from verax.results import FloatArray

from ._weights import NEGATIVE, checked_weight

# Products of integers below 2^53 are exact in float64; levels with larger denominators are taken as floats.
MAX_DENOMINATOR = 2**20

Level: TypeAlias = float | Fraction
"""A confidence level; a float is taken as the decimal number that was written."""


def exact_level(level: Level, where: str = "conformal") -> Fraction:
    """The level as the number that was written: 0.9 is 9/10, not its nearest binary fraction.

    Sums and quotients of such numbers have rounding of their own: 0.1 + 0.6 and 7 · 0.1 are 7/10 as well.

    Raises
    ------
    InputError : for a level outside (0, 1)

    >>> exact_level(0.9)
    Fraction(9, 10)
    """
    if not isinstance(level, Real) or not 0 < level < 1:
        raise InputError(where, f"level {level}", "a number between 0 and 1")
    if isinstance(level, Fraction):
        return level
    simple = Fraction(float(level)).limit_denominator(MAX_DENOMINATOR)
    return simple if abs(simple - Fraction(float(level))) < 4e-16 else Fraction(repr(float(level)))


def rank(n: int, level: Level) -> int:
    """Rank ⌈(n + 1)·level⌉ of the conformal quantile, in rational arithmetic.

    Parameters
    ----------
    n : number of calibration points
    level : requested coverage; a decimal number is taken as written

    Returns
    -------
    The rank, from 1; above n, no calibration score is large enough

    Raises
    ------
    InputError : for a level outside (0, 1)

    >>> rank(9, 0.9), rank(99, 0.9), math.ceil(100 * 0.55)
    (9, 90, 56)
    >>> rank(99, 0.55)
    55
    """
    return math.ceil((n + 1) * exact_level(level))


@dataclass(frozen=True)
class Quantile:
    """The conformal quantile of calibration scores.

    Parameters
    ----------
    level : requested coverage
    value : scores up to this one belong to the set; +∞ when the calibration set is too small for the level
    n, n_effective : calibration points, and (Σw)²/Σw² of their weights
    tied : calibration scores equal to ``value`` (1 without ties)
    accept : probability with which a score that equals ``value`` must be accepted to cover exactly; always accepting
        covers at least as much
    reach : largest level for which ``value`` is finite
    """

    level: float
    value: float
    n: int
    n_effective: float
    tied: int
    accept: float
    reach: float

    @property
    def note(self) -> str:
        """A warning in one line; empty where there is none."""
        if math.isinf(self.value):
            reach = f"{self.n} calibration points reach levels up to {self.reach:.4g}"
            return f"infinite: {reach}, requested {self.level:.4g}"
        if self.tied > 1:
            tied = f"{self.tied} of {self.n} scores are tied at the quantile"
            return f"{tied}: sets cover more unless ties are randomised"
        return ""

    @plain("conformal", number="scores")
    def holds(
        self, scores: Float[np.ndarray, "*shape"], *, key: PRNGKeyArray | None = None
    ) -> Bool[np.ndarray, "*shape"]:
        """True where a score belongs to the set; with ``key``, ties are broken at random and coverage is exact."""
        if key is None:
            return np.asarray(scores <= self.value)
        accepted = generator(key, "conformal").random(scores.shape) < self.accept
        return np.asarray((scores < self.value) | ((scores == self.value) & accepted))


@dataclass(frozen=True)
class Ordered:
    """Distinct calibration scores in increasing order, with the weight at or below each.

    ``mass`` is Σw of scores ≤ ``score``. With negative weights it can fall again, so the quantile is where it passes
    the threshold for the last time: ``passed``, its minimum over this and all larger scores, is what is searched. That
    errs to the larger side, by of order Σw²·n/(Σw)² ranks. ``test_weight`` is Σw²/Σw, one effective point's.
    """

    score: Float[np.ndarray, " distinct"]
    mass: Float[np.ndarray, " distinct"]
    passed: Float[np.ndarray, " distinct"]
    count: Int[np.ndarray, " distinct"]
    n: int
    n_effective: float
    test_weight: float

    @property
    def total(self) -> float:
        """Σw."""
        return float(self.mass[-1]) if self.mass.size else 0.0

    def position(self, level: Level, test_weight: PerTest) -> Int[np.ndarray, " test"]:
        """Index of the first score whose mass is ≥ level·(Σw + w_test) from there on; beyond the last where none is."""
        exact = exact_level(level)
        if exact.denominator > MAX_DENOMINATOR:
            return np.searchsorted(self.passed, float(exact) * (self.total + test_weight))
        return np.searchsorted(self.passed * exact.denominator, exact.numerator * (self.total + test_weight))

    def quantile(self, level: Level, test_weight: float | None = None) -> Quantile:
        """The quantile for a new point of that weight; by default one effective calibration point's."""
        w = self.test_weight if test_weight is None else test_weight
        exact = exact_level(level)
        i = int(self.position(exact, np.array([w]))[0])
        reach = self.total / (self.total + w) if self.n else 0.0
        if i == self.score.size:
            return Quantile(float(exact), math.inf, self.n, self.n_effective, 0, 1.0, reach)
        before = float(self.mass[i - 1]) if i else 0.0
        share = (float(exact) * (self.total + w) - before) / (float(self.mass[i]) - before + w)
        accept = min(max(share, 0.0), 1.0)
        value, count = float(self.score[i]), int(self.count[i])
        return Quantile(float(exact), value, self.n, self.n_effective, count, accept, reach)

    def values(self, level: Level, test_weight: PerTest) -> PerTest:
        """Quantiles for new points of different weights."""
        return np.append(self.score, np.inf)[self.position(level, test_weight)]


def ordered(
    scores: PerPoint, *, weight: Weights = None, negative: str = "error", scale: bool = True, where: str = "conformal"
) -> Ordered:
    """Sort calibration scores once, for quantiles at any level and for any new point.

    Parameters
    ----------
    scores : conformity scores of calibration points, larger is stranger; +∞ is a score, NaN is not
    weight : event weights, one a point; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`
    scale : count in units of the weight when all weights are equal, so that ranks are exact whatever its value; not
        when weights of new points follow, which are in the units of the given weights
    where : the method's name, for errors

    Raises
    ------
    InputError : for scores that are not numbers, or weights of no use

    >>> ordered(np.array([3.0, 1.0, 1.0])).mass
    array([2., 3.])
    """
    s = checked_scores(scores, where)
    w = checked_weight(weight, s.size, negative=negative, where=where)
    if scale and w.size and (w == w[0]).all():
        w = np.ones_like(w)
    test_weight = float(np.sum(w**2) / np.sum(w)) if w.size else 1.0
    order = np.argsort(s)
    s, mass = s[order], np.cumsum(w[order])
    last = np.flatnonzero(np.append(s[1:] != s[:-1], True)) if s.size else np.zeros(0, np.int64)
    passed = mass[last]
    if (w < 0).any():
        passed = np.minimum.accumulate(passed[::-1])[::-1]
    return Ordered(s[last], mass[last], passed, np.diff(last, prepend=-1), s.size, effective_size(w), test_weight)


def checked_scores(scores: PerPoint, where: str) -> FloatArray:
    """Scores as float64.

    Raises
    ------
    InputError : for scores that are not numbers, or another shape
    """
    s = np.asarray(scores, np.float64)
    if s.ndim != 1:
        raise InputError(where, f"scores of shape {s.shape}", "one score a calibration point")
    if np.isnan(s).any():
        raise InputError(where, f"{int(np.isnan(s).sum())} scores that are not numbers", "numbers")
    return s


def unweighted(scores: FloatArray, level: Fraction) -> Quantile:
    """The quantile without weights: the same as with equal ones, without sorting all scores."""
    n, k = scores.size, rank(scores.size, level)
    if k > n:
        return Quantile(float(level), math.inf, n, float(n), 0, 1.0, n / (n + 1))
    value = float(np.partition(scores, k - 1)[k - 1])
    before, tied = int(np.count_nonzero(scores < value)), int(np.count_nonzero(scores == value))
    accept = float(min((level * (n + 1) - before) / (tied + 1), Fraction(1)))
    return Quantile(float(level), value, n, float(n), tied, accept, n / (n + 1))


@plain("conformal", other="scores weight")
def conformalize(
    scores: PerPoint, *, level: Level, weight: Weights = None, test_weight: float | None = None, negative: str = "error"
) -> Quantile:
    """Find the conformal quantile: q such that {y : s(x, y) ≤ q} covers with probability ``level`` or a little more.

    By group see :func:`mondrian`; where the new points lie elsewhere, :func:`shifted`.

    Parameters
    ----------
    scores : of calibration points that no model was trained on
    level : requested coverage; a decimal number is taken as written
    weight : event weights: the calibration points then stand for the weighted distribution
    test_weight : of the new point, in units of ``weight``. By default Σw²/Σw, the mean weight of an event drawn from the
        weighted distribution, so that the new point is one of n_effective + 1; it is w for equal weights
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`

    Raises
    ------
    InputError : for a level outside (0, 1), scores that are not numbers, weights of no use

    Source: Vovk, Gammerman, Shafer 2005; with weights: Tibshirani et al., arXiv:1904.06019.

    >>> conformalize(np.arange(1.0, 10.0), level=0.9).value
    9.0
    >>> conformalize(np.arange(1.0, 9.0), level=0.9).note
    'infinite: 8 calibration points reach levels up to 0.8889, requested 0.9'
    """
    exact = exact_level(level)
    if test_weight is not None and not test_weight >= 0:
        raise InputError("conformal", f"weight {test_weight} of the new point", "zero or more")
    if weight is None and test_weight is None:
        check_known([negative], NEGATIVE, "conformal", "treatment of negative weights")
        return unweighted(checked_scores(scores, "conformal"), exact)
    table = ordered(scores, weight=weight, negative=negative, scale=test_weight is None)
    return table.quantile(exact, test_weight)
