"""Confidence intervals by toys: Neyman's construction (Phil. Trans. R. Soc. A 236 (1937) 333) with a profiled statistic.

With the likelihood ratio as ordering this is Feldman and Cousins' unified interval (Phys. Rev. D 57 (1998) 3873); other
parameters are drawn at their conditional fits to the data ("profile construction", arXiv:0810.1041).
"""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Array, Float, Int, PRNGKeyArray
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data
from verax.results import Interval, Status, good

from ._campaign import binomial_error
from ._evaluate import Values
from ._interval import check_level
from ._profile import Fits, best_fits, points_of
from ._toys import Progress, sample_toys

SAME = 1e-6
"""Values of t that differ by less are equal: the fits are not more precise, and counts make ties."""


@dataclass(frozen=True)
class Belt:
    """Neyman's construction for one data set.

    Parameters
    ----------
    values : tested values of the parameter
    t : statistic of the data at each
    critical : quantile of the toys' statistic at ``level``: values with t up to it are in the interval
    p_value, p_error : fraction of toys at least as extreme as the data, and its binomial error
    interval : hull of the values with p above 1 − level, ends interpolated; END_NOT_FOUND where an end would lie beyond
        the tested values (but not where that is the parameter's bound), or where no value is accepted
    low_error, high_error : of the ends: Monte Carlo error and spacing of the tested values
    toys, failed : toys at each value, and how many of them were left out because a fit failed
    """

    name: str
    level: float
    ordering: str
    values: Float[np.ndarray, " point"]
    t: Float[np.ndarray, " point"]
    critical: Float[np.ndarray, " point"]
    p_value: Float[np.ndarray, " point"]
    p_error: Float[np.ndarray, " point"]
    interval: Interval
    low_error: float
    high_error: float
    toys: int
    failed: Int[np.ndarray, " point"]


def neyman(
    key: PRNGKeyArray,
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    values: Float[Array, " point"],
    *,
    level: float = 0.6827,
    ordering: str = "likelihood-ratio",
    n_toys: int = 1000,
    fixed: Values = None,
    progress: Progress | None = None,
) -> Belt:
    """Construct the confidence interval of one parameter from toys drawn at each of the ``values``.

    Parameters
    ----------
    key : random key of the toys
    model : the likelihood
    data : one data set
    poi : name of the parameter
    values : tested values, increasing [point]
    level : confidence level
    ordering : "likelihood-ratio" (t, Feldman and Cousins: two-sided, or an upper limit near a bound, without a choice)
        or "upper" (t, but 0 where the estimate lies above the value: upper limits only)
    n_toys : toys at each value
    fixed : parameters held at these values
    progress : called after each value with the numbers of toys done, in total and failed

    Raises
    ------
    InputError : a parameter that is unknown or fixed, an unknown ordering, a level outside (0, 1), values that do
        not increase, a batch of data sets, or data that do not fit the model

    >>> import jax
    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> belt = neyman(jax.random.key(1), model, data, "mu", np.array([0.0, 1.0, 2.0]), n_toys=15)
    >>> belt.t.round(2).tolist(), (belt.t <= belt.critical).tolist()
    ([2.66, 0.04, 3.03], [False, True, False])
    """
    check_level(level, "neyman")
    check_count(n_toys, 1, "neyman, n_toys")
    values = points_of(values, "neyman")
    if ordering not in ("likelihood-ratio", "upper"):
        raise InputError("neyman ordering", f"'{ordering}'", "'likelihood-ratio' or 'upper'")
    if len(values) < 2 or not (np.diff(values) > 0).all():
        raise InputError("neyman, values", "values that do not increase", "two or more increasing ones")
    fits = best_fits(model, data, poi, "neyman", fixed, single=True)
    best, index = fits.best, fits.index
    t, there = fits.ratio(np.zeros(len(values), int), values)
    t = np.where((ordering == "upper") & (best.theta[0, index] >= values), 0.0, t)
    critical, p_value, p_error = np.full((3, len(values)), np.nan)
    failed = np.zeros(len(values), int)
    for k, theta in enumerate(there.theta):
        params = dict(zip(model.names, theta, strict=True))
        drawn = sample_toys(key, model, params, n_toys, profiled=model.profiled(params, data))
        of_toys = _statistic(fits, drawn, values[k], ordering)
        fine = of_toys[np.isfinite(of_toys)]
        failed[k] = n_toys - len(fine)
        if len(fine):
            extreme = int((fine >= t[k] - SAME).sum())
            p_value[k], p_error[k] = extreme / len(fine), binomial_error(extreme, len(fine))
            critical[k] = np.quantile(fine, level, method="higher")
        if progress is not None:
            progress((k + 1) * n_toys, len(values) * n_toys, int(failed.sum()))
    middle, more, fewer = (_ends(values, p_value + shift, 1 - level) for shift in (0.0, p_error, -p_error))
    low, high = (float(x) for x in middle)
    edges = [float(b[index]) for b in fits.limits]
    low_found, high_found = (values[0] < low or low == edges[0]), (high < values[-1] or high == edges[1])
    # Shift of the ends when every p shifts by its error; where that leaves no interval, twice the shift of one side.
    moved = np.abs(np.where(np.isfinite(fewer), more - fewer, 2 * (more - middle))) / 2
    spacing = np.array([_spacing(values, x) for x in (low, high)])
    low_error, high_error = (float(x) for x in np.hypot(moved, spacing / np.sqrt(12)))
    code = max(int(best.status[0]), int(there.status.max()))
    code = code if low_found and high_found else max(code, Status.END_NOT_FOUND)
    ends = (np.asarray(best.theta[0, index]), np.asarray(low), np.asarray(high), np.asarray(code))
    interval = Interval(poi, level, *ends)
    found = (interval, low_error, high_error, n_toys, failed)
    return Belt(poi, level, ordering, values, t, critical, p_value, p_error, *found)


def _statistic(fits: Fits, toys: Data, value: float, ordering: str) -> np.ndarray:
    """The statistic t of each toy at ``value``; NaN where a fit failed."""
    different, which = toys.distinct()
    here, n = fits.of(different), len(different)
    t, there = here.ratio(np.arange(n), np.full(n, value))
    if ordering == "upper":
        t = np.where(here.best.theta[:, here.index] >= value, 0.0, t)
    status = here.best.status
    sound = good(there.status) & (good(status) | (status == Status.NOT_POSITIVE_DEFINITE))
    return np.where(sound, t, np.nan)[which]


def _ends(values: np.ndarray, p_value: np.ndarray, alpha: float) -> np.ndarray:
    """First and last accepted value, each interpolated to where p is ``alpha``; NaN where none is accepted."""
    accepted = np.flatnonzero(p_value > alpha).tolist()
    if not accepted:
        return np.full(2, np.nan)

    def end(inside: int, outside: int) -> float:
        if not 0 <= outside < len(values):
            return float(values[inside])
        share = (p_value[inside] - alpha) / (p_value[inside] - p_value[outside])
        return float(values[inside] + share * (values[outside] - values[inside]))

    return np.array([end(accepted[0], accepted[0] - 1), end(accepted[-1], accepted[-1] + 1)])


def _spacing(values: np.ndarray, at: float) -> float:
    """Distance of the two values that enclose a point; 0 at and beyond the first and the last."""
    if not values[0] < at < values[-1]:
        return 0.0
    k = int(np.searchsorted(values, at))
    return float(values[k] - values[k - 1])
