"""Confidence intervals from the profile likelihood: {μ : t(μ) ≤ χ²₁ quantile}, as MINOS finds them.

(James and Roos, Comput. Phys. Commun. 10 (1975) 343.)
"""

import numpy as np

from verax.arrays import ndtri
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data
from verax.parameters import movable
from verax.results import Interval, Status

from ._batch import take, twice_excess
from ._evaluate import Values, bounds
from ._fit import as_batch, best_fit, known_minima, one_or_many
from ._newton import minimise
from ._profile import Fits, conditional_start
from ._results import Fit

CHUNK = 8192  # toys at a time: bounds the memory of a long campaign
ROUNDS = 40
CLOSE = 3e-3  # of √t: one more Newton step from there is exact to 1e-5 σ


def interval(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    *,
    level: float = 0.6827,
    fixed: Values = None,
    best: Fit | None = None,
    beyond: bool = False,
) -> Interval:
    """Find both ends of the profile-likelihood interval of one parameter: where t equals the χ²₁ quantile of ``level``.

    The status is the fit's, or END_NOT_FOUND where t stays below its quantile up to a bound; that end is then the bound.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    poi : name of the parameter
    level : confidence level
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again
    beyond : whether bounds of the parameter, other than zero, are the range of a search, as often in a workspace, that goes
        on beyond them up to a thousand times as far: for ends, and for the estimate where the fit ends at such a bound

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, a level outside (0, 1), or data that do not fit
        the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> found = interval(model, data, "mu")
    >>> [round(float(x), 2) for x in (found.low, found.value, found.high)]
    [0.33, 0.89, 1.5]
    """
    movable(model.parameters, [poi], "interval", fixed)
    check_level(level, "interval")
    batch, index, limits = as_batch(model, data), model.names.index(poi), bounds(model, fixed)
    known = None if best is None else known_minima(best, model, batch, limits, "interval")
    parts = []
    for first in range(0, len(batch), CHUNK):
        rows = slice(first, first + CHUNK)
        chunk = batch[rows]
        minima = best_fit(model, chunk, limits) if known is None else take(known, rows)
        fits = Fits(model, chunk, limits, index, minima)
        fits = fits.searched() if beyond else fits
        found = ends(fits, level)  # may improve the best fit
        parts.append((fits.best.theta[:, index], *found))
    return Interval(poi, level, *one_or_many(data, *(np.concatenate(x) for x in zip(*parts, strict=True))))


def check_level(level: float, where: str) -> None:
    """Refuse what is no confidence level, NaN too: at 0 or 1 an interval would be a point or everything.

    Raises
    ------
    InputError : for a level outside (0, 1)
    """
    if not 0 < level < 1:
        raise InputError(f"{where}, level", f"{level:g}", "a number between 0 and 1")


def ends(fits: Fits, level: float, free: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower end, upper end and status of each fit, from its best fit; parameters that are not ``free`` stay there.

    Should the search find a point below the best fit, the best fit and the ends are computed again.
    """
    best, free = fits.best, np.ones(fits.best.theta.shape, bool) if free is None else free
    low, high = np.full((2, len(best.theta)), np.nan)
    status, todo = np.zeros(len(best.theta), int), np.arange(len(best.theta))
    for _ in range(3):
        if not todo.size:
            break
        both = np.concatenate([todo, todo])
        side = np.repeat([-1.0, 1.0], todo.size)
        end, code, lower = _search(fits.take(both), free[both], side, level)
        low[todo], high[todo] = end[: todo.size], end[todo.size :]
        status[todo] = np.maximum(best.status[todo], np.maximum(code[: todo.size], code[todo.size :]))
        better = {int(both[i]): theta for i, theta in lower.items()}
        todo = np.array(list(better), int)
        if todo.size:
            fits.improve(todo, np.stack(list(better.values())), free[todo])
    return low, high, status


def _search(
    fits: Fits, free: np.ndarray, side: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """Newton's method on √t, which is nearly linear in μ, inside a bracket.

    By the envelope theorem ½ dt/dμ = ∂(−log L)/∂μ at the conditional fit; with the goal z = Φ⁻¹(½ + ½ level) the next
    value is μ + (z − √t) √t / (½ dt/dμ).

    Returns the end and a status of each fit, and the points found to be lower than the best fit.
    """
    batch, best, index, limits = fits.batch, fits.best, fits.index, fits.limits
    goal = ndtri(0.5 + 0.5 * level)
    bound = np.where(side < 0, limits[0][index], limits[1][index])
    hat = best.theta[:, index]
    sigma = np.sqrt(best.covariance[:, index, index])
    with np.errstate(invalid="ignore"):
        sigma = np.where(sigma > 0, sigma, 0.1 * np.maximum(1.0, abs(hat)))
    inside, outside = hat.copy(), np.full(hat.shape, np.nan)  # the bracket of the end; NaN: not yet known
    mu = hat + side * np.minimum(goal * sigma, abs(bound - hat))
    start = conditional_start(best, np.arange(len(mu)), index, mu)
    start = np.where(free, start, best.theta)
    start[:, index] = mu
    moving = free.copy()
    moving[:, index] = False
    end, status, lower = mu.copy(), np.full(hat.shape, int(Status.END_NOT_FOUND)), {}
    todo = np.arange(len(hat))
    for _ in range(ROUNDS):
        there = minimise(fits.model, batch[todo], start[todo], moving[todo], covariance=False, limits=limits)
        at, s, b = mu[todo], side[todo], bound[todo]
        t = twice_excess(there.nll, best.nll[todo])
        lower.update({int(i): there.theta[k] for k, i in enumerate(todo) if t[k] < -1e-5})
        root = np.sqrt(np.maximum(t, 0.0))
        with np.errstate(all="ignore"):
            newton = at + (goal - root) * root / there.slope[:, index]
        beyond = ~(root < goal)  # also where t is not finite
        inside[todo] = np.where(beyond, inside[todo], at)
        outside[todo] = np.where(beyond, at, outside[todo])
        near, far = inside[todo], outside[todo]
        wide = np.where(np.isnan(far), hat[todo] + 4 * (at - hat[todo]), far)  # the largest step that is accepted
        sane = np.isfinite(newton) & (s * newton > s * near) & (s * newton < s * wide)
        middle = np.where(np.isnan(far), hat[todo] + 2 * (at - hat[todo]), 0.5 * (near + far))
        step = np.where(sane, newton, middle)
        step = np.where(s * step > s * b, b, step)
        found = (abs(root - goal) < CLOSE) & np.isfinite(newton)
        collapsed = abs(far - near) < 1e-9 * np.maximum(1.0, abs(at))
        stuck = ~beyond & (at == b)
        end[todo] = np.where(found, newton, np.where(collapsed, at, step))
        status[todo] = np.where(found | collapsed, Status.OK, Status.END_NOT_FOUND)
        failed = ~found & (there.status == Status.MAX_STEPS)
        status[todo] = np.where(failed, Status.MAX_STEPS, status[todo])
        with np.errstate(all="ignore"):
            ratio = (step - at) / (at - hat[todo])
        guess = there.theta + np.where(np.isfinite(ratio), ratio, 0.0)[:, None] * (there.theta - best.theta[todo])
        start[todo] = np.where(moving[todo], guess, start[todo])
        mu[todo] = start[todo, index] = step
        todo = todo[~(found | collapsed | stuck | failed)]
        todo = todo[[int(i) not in lower for i in todo]] if lower else todo
        if not todo.size:
            break
    return end, status, lower
