"""Upper limits: where CLs falls to 1 − level, observed and expected, asymptotic and by toys (arXiv:1007.1727)."""

import numpy as np

from verax.arrays import PRNGKeyArray, ndtr, ndtri
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data
from verax.results import Status

from ._cls import BANDS, TestInputs, observed_cls, prepare, run_toys
from ._evaluate import Values
from ._few_events import events_between
from ._fit import one_or_many
from ._profile import standard_error
from ._results import CLs, Limit
from ._roots import roots
from ._statistic import q_tilde, reported_status
from ._toys import Progress

POINTS = 15
"""Values at which toys are drawn."""

CLOSE = 1e-7
"""Precision to which CLs = 1 − level is solved, in the quantile of a standard normal distribution."""


def limit(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    *,
    level: float = 0.95,
    method: str = "asymptotic",
    key: PRNGKeyArray | None = None,
    n_toys: int = 1000,
    fixed: Values = None,
    beyond: bool = False,
    progress: Progress | None = None,
) -> Limit:
    """Find the upper limit on one parameter, where CLs with q̃ is 1 − ``level``: observed, and expected without signal.

    Parameters
    ----------
    model : the likelihood
    data : one data set; or a batch with a leading ``toy`` axis, for the asymptotic method only
    poi : name of the parameter
    level : confidence level
    method : "asymptotic" or "toys"
    key : random key of the toys
    n_toys : toys of each hypothesis at each tested value
    fixed : parameters held at these values
    beyond : whether the parameter's upper bound is the range of a search, as often in a workspace, that goes on beyond it
        up to a thousand times as far
    progress : called with the numbers of toys done, in total and failed; counts again where the tested values are extended

    Raises
    ------
    InputError : a parameter that is unknown, fixed or cannot be above zero, an unknown method, a level outside (0.5, 1),
        toys without a key or for a batch, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> float(limit(model, data, "mu").observed.round(2))
    1.95
    """
    if not 0.5 < level < 1:
        raise InputError("limit, level", f"{level:g}", "a number between 0.5 and 1")
    inputs = prepare(model, data, poi, method, key, "limit", fixed, n_toys, beyond)
    values, status = _asymptotic(inputs, 1 - level)
    events = _events(inputs, values[:, 3])
    if method == "toys" and key is not None:
        return _by_toys(key, inputs, poi, level, n_toys, values[0], np.asarray(events[0]), progress)
    status[:, 0] = np.maximum(status[:, 0], reported_status(inputs.data))
    values, status, events = one_or_many(data, values, status, events)
    return _limit(poi, level, values, np.zeros(values.shape), status, events)


def _events(inputs: TestInputs, median: np.ndarray) -> np.ndarray:
    """Effective events between no signal and the median limit, or one σ where there is none."""
    data, sigma = inputs.data, standard_error(inputs.expected.best, inputs.data.index)
    other = np.where(median > 0, median, sigma)
    return events_between(data.model, data.batch, inputs.background.theta, data.index, other)


def _limit(
    name: str,
    level: float,
    values: np.ndarray,
    error: np.ndarray,
    status: np.ndarray,
    events: np.ndarray,
    curve: CLs | None = None,
) -> Limit:
    """From arrays whose last axis is: observed, then the five expected."""
    return Limit(
        name=name,
        method="asymptotic" if curve is None else "toys",
        toys=0 if curve is None else curve.toys,
        failed=0 if curve is None else curve.failed,
        observed=np.asarray(values[..., 0]),
        expected=values[..., 1:],
        observed_error=np.asarray(error[..., 0]),
        expected_error=error[..., 1:],
        status=np.asarray(status[..., 0]),
        level=level,
        expected_status=status[..., 1:],
        events=np.asarray(events),
        curve=curve,
    )


def _asymptotic(inputs: TestInputs, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits [toy, 6] (observed, then the five expected) and a status each."""
    fits, expected = inputs.data, inputs.expected
    toys, index = len(fits.batch), fits.index
    toy, kind = (x.ravel() for x in np.meshgrid(np.arange(toys), np.arange(6), indexing="ij"))
    # Expected CLs is Φ(n − √q_A) / Φ(n), so each expected limit is where √q_A = n − Φ⁻¹[α Φ(n)].
    goal = np.concatenate([[-ndtri(alpha)], BANDS - ndtri(alpha * ndtr(BANDS))])[kind]

    def residual(row: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Above zero beyond the limit, and nearly linear in the value."""
        q_asimov, _ = expected.ratio(toy[row], values)
        answer = np.sqrt(q_asimov) - goal[row]
        data = np.flatnonzero(kind[row] == 0)
        if data.size:
            q, _ = q_tilde(fits, toy[row[data]], values[data])
            answer[data] = -ndtri(np.clip(observed_cls(q, q_asimov[data]), 1e-300, 1.0)) + ndtri(alpha)
        return answer

    variance = expected.best.covariance[toy, index, index]
    low = np.where(kind == 0, np.maximum(fits.best.theta[toy, index], 0.0), 0.0)
    sigma = np.sqrt(np.where(variance > 0, variance, np.maximum(0.1, low) ** 2))
    bound = fits.limits[1][index]
    for _ in range(3):  # a search may come across a better best fit, and is then made again
        before = fits.best.nll.copy(), expected.best.nll.copy()
        found, status = roots(residual, low, -goal, low + goal * sigma, bound, CLOSE)
        if np.array_equal(before[0], fits.best.nll) and np.array_equal(before[1], expected.best.nll):
            break
    known = np.isfinite(residual(np.arange(len(toy)), found))
    found, status = np.where(known, found, np.nan), np.where(known, status, int(Status.NOT_FINITE))
    return found.reshape(toys, 6), status.reshape(toys, 6)


def _by_toys(
    key: PRNGKeyArray,
    inputs: TestInputs,
    name: str,
    level: float,
    n: int,
    asymptotic: np.ndarray,
    events: np.ndarray,
    progress: Progress | None,
) -> Limit:
    """CLs on a grid around the asymptotic limits; the crossings are found between its points."""
    bound, alpha = inputs.data.limits[1][inputs.data.index], 1 - level
    known = np.isfinite(asymptotic) & (asymptotic < bound)
    asymptotic = np.where(known, asymptotic, min(bound, inputs.data.model.parameters[inputs.data.index].bounds[1]))
    anchors = np.concatenate([[0.5 * asymptotic.min()], np.sort(asymptotic), [1.5 * asymptotic.max()]])
    values = np.interp(np.linspace(0, 7, POINTS), np.arange(8), anchors)
    for _ in range(4):
        values = np.unique(np.minimum(values, bound))
        toys = run_toys(key, inputs, values, n, progress)
        tails = np.concatenate([toys.tails()[0][None], toys.tails()[1]])
        if (tails[:, -1] < alpha).all() or values[-1] >= bound:
            break
        values = 1.6 * values
    limits, status = _crossings(values, tails, alpha)
    observed, expected = toys.bootstrap(key)
    again = np.stack(
        [_crossings(values, np.concatenate([o[None], e]), alpha)[0] for o, e in zip(observed, expected, strict=True)]
    )
    status[0] = max(status[0], toys.status.max())
    return _limit(name, level, limits, again.std(axis=0), status, events, toys.curve(key, name))


def _crossings(values: np.ndarray, tails: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each row of CLs [kind, point] first falls below ``alpha``, linear in the normal quantile; and a status."""
    quantile = -ndtri(np.clip(np.nan_to_num(tails, nan=0.0), 1e-4, 1 - 1e-4))
    x = np.concatenate([[0.0], values])
    y = np.concatenate([np.full((len(tails), 1), -ndtri(1 - 1e-4)), quantile], axis=1) + ndtri(alpha)
    crossed = (y >= 0).any(axis=1)
    k = np.where(crossed, np.argmax(y >= 0, axis=1), len(x) - 1)
    row = np.arange(len(tails))
    share = np.where(crossed, -y[row, k - 1] / np.where(crossed, y[row, k] - y[row, k - 1], 1.0), 1.0)
    status = np.where(crossed, int(Status.OK), int(Status.END_NOT_FOUND))
    return x[k - 1] + share * (x[k] - x[k - 1]), status
