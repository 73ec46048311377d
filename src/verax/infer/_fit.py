"""Maximum-likelihood fits (Fisher, Phil. Trans. R. Soc. A 222 (1922) 309), batched over data sets."""

from collections.abc import Iterator

import numpy as np

from verax.arrays import Float
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import check_values
from verax.results import Status, good

from ._batch import Minima, better, keep_lowest, replace, take
from ._evaluate import Limits, Objective, Values, bounds
from ._linear_algebra import blas_threads, definite
from ._newton import BATCHED_FROM, minimise
from ._range import bent, dips, expected_objective, others_moved
from ._response import response
from ._results import Fit

RESTART_AFTER = 25
"""Evaluations after which a fit is also started elsewhere: an ordinary one takes 4 to 15."""

BATCHED_RESTART_AFTER = 60
"""Likewise where they begin with batched L-BFGS, whose steps are shorter, and which leaves the slowest to Newton."""

MAX_RESTART_PARAMETERS = 3
"""Unconstrained parameters of which other starting values are tried: the first of the model."""

WEAK_CONSTRAINT = 0.1
"""An error above this, in units of the range of its parameter, leaves room for other minima in the range."""

RESTART_FRACTIONS = (0.05, 0.2, 0.8)
"""Other starting values of an unconstrained parameter: fractions of the way from its initial value to each bound."""

REFIT_FRACTIONS = (0.2, 0.8)
"""Those from which a weakly constrained parameter is also released only after all others were fitted there."""


def fit(
    model: AbstractLikelihood, data: Data, *, fixed: Values = None, init: Values = None, covariance: bool = True
) -> Fit:
    """Maximise the likelihood of each data set; in float64 whatever the caller's JAX flags.

    Fits start at the global observables, many data sets from linear estimates around the fit of the expected one. A fit that
    fails or ends at a bound is started again from the parameters' initial values. One that fails or takes long, and each
    where the model constrains a parameter weakly within its bounds, is also started again from the global observables and
    from values towards those bounds, since other minima may lie there. Along a parameter with finite bounds and no
    constraint in which −log L of expected data is not convex, as in the position of a peak, it is profiled on a grid, and
    fits start where it dips. The lowest minimum is kept. Where a fit is started again depends on its own data set alone.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    fixed : parameters held at these values, which may lie beyond their bounds
    init : starting values in place of the model's
    covariance : False leaves it out (NaN), which is a little faster; NOT_POSITIVE_DEFINITE is then not reported

    Raises
    ------
    InputError : an unknown parameter (nearest name given), a value that is not finite, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> best = fit(model, data)
    >>> {name: round(value, 2) for name, value in best.params.items()}, best.error.round(2).tolist()
    ({'mu': 0.89, 'background_norm': 0.22, 'jes': -0.05}, [0.58, 0.91, 1.0])
    """
    for values in (fixed, init):
        check_values(model.parameters, {} if values is None else values, "fit")
    batch = as_batch(model, data)
    minima = best_fit(model, batch, bounds(model, fixed), init=init, covariance=covariance)
    arrays = (minima.theta, minima.covariance, minima.nll, minima.status, minima.edm, minima.steps)
    return Fit(model.names, *one_or_many(data, *arrays))


def hessian_error(
    model: AbstractLikelihood, data: Data, best: Fit, *, fixed: Values = None
) -> Float[np.ndarray, " parameter"]:
    """Find σ of each parameter from the Hessian of all that are not fixed, those at a bound too, which have none in a fit.

    Where the estimate is at a bound the likelihood is no parabola around it: beside an interval with one end this says how
    sharply it falls. NaN where the Hessian is not positive definite.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    best : its fit
    fixed : parameters held at these values, as in the fit

    Raises
    ------
    InputError : values that are not finite, a batch, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> best = fit(model, data)
    >>> bool(np.allclose(hessian_error(model, data, best), best.error))  # where none is at a bound
    True
    """
    check_values(model.parameters, {} if fixed is None else fixed, "hessian_error")
    if data.is_batch:
        raise InputError("hessian_error", "a batch of data sets", "one data set", "choose one of them")
    lower, upper = bounds(model, fixed)
    free, none = (lower < upper)[None], np.full(lower.shape, np.inf)
    objective = Objective(model, as_batch(model, data), free, (-none, none))
    at = objective.evaluate(np.asarray(best.value)[None], objective.sizes)
    hessian, unit = at.hessian[0], at.unit[0]
    if not definite(at.hessian)[0]:
        return np.full(lower.shape, np.nan)
    return np.asarray(unit * np.sqrt(np.diagonal(np.linalg.inv(hessian))))


def as_batch(model: AbstractLikelihood, data: Data) -> DataSets:
    """The data as float64 with a leading ``toy`` axis, after the model's own checks."""
    if not isinstance(data, Data):
        raise InputError("data", f"a {type(data).__name__}", "Data(counts, auxiliary)")
    if data.is_batch and not len(data):
        raise InputError("data", "a batch of no data sets", "one or more")
    model.check(data)
    return DataSets.of(data)


def one_or_many(data: Data, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays with a leading ``toy`` axis if ``data`` has one; else its only entry."""
    return arrays if data.is_batch else tuple(np.asarray(x[0]) for x in arrays)


def known_minima(best: Fit, model: AbstractLikelihood, batch: DataSets, limits: Limits, where: str) -> Minima:
    """A fit that was made before, as minima: a copy, with a leading axis of data sets.

    Raises
    ------
    InputError : where it has other parameters, other data, others fixed, or no covariance
    """
    if best.names != model.names or np.size(best.nll) != len(batch):
        got = f"a fit of {np.size(best.nll)} data sets with {len(best.names)} parameters"
        expected = f"one of these {len(batch)} with the model's {len(model.names)}"
        raise InputError(f"{where}, best", got, expected, "give what fit(model, data) returns")
    theta, covariance = np.array(np.atleast_2d(best.value)), np.array(best.covariance)
    free = np.tile(limits[0] < limits[1], (len(theta), 1))
    variance = np.diagonal(covariance.reshape(*theta.shape, -1), axis1=1, axis2=2)
    held = (variance == 0) & (theta != limits[0]) & (theta != limits[1])
    if not np.isclose(theta, limits[0])[~free].all() or held[free].any():
        raise InputError(
            f"{where}, best", "a fit with other parameters fixed", "one with the same", "give it fixed= too"
        )
    objective, found = Objective(model, batch, free, limits), good(np.atleast_1d(best.status))
    if np.isnan(covariance.reshape(len(theta), -1)).all(1)[found].any():
        raise InputError(f"{where}, best", "a fit without covariance", "one with it", "leave out covariance=False")
    here, then = objective.evaluate_many(theta)[0][found], np.atleast_1d(best.nll)[found]
    if not np.allclose(here, then, rtol=1e-9, atol=1e-6):
        raise InputError(f"{where}, best", "a fit of other data", "one of these", "give what fit(model, data) returns")
    nll, status, edm, steps = (np.array(np.atleast_1d(x)) for x in (best.nll, best.status, best.edm, best.steps))
    unknown, none = np.full_like(theta, np.nan), np.zeros_like(theta)
    covariance = covariance.reshape(*theta.shape, theta.shape[1])
    return Minima(theta, unknown, none, none, np.zeros(len(theta), bool), covariance, nll, edm, status, steps)


def best_fit(
    model: AbstractLikelihood, batch: DataSets, limits: Limits, *, init: Values = None, covariance: bool = True
) -> Minima:
    """The lowest minimum of each data set within ``limits``, from one start and, where fits are difficult, from others."""
    init = init or {}
    moves = limits[0] < limits[1]
    free = np.tile(moves, (len(batch), 1))
    nominal = np.tile([float(init.get(p.name, p.init)) for p in model.parameters], (len(batch), 1))
    nominal = np.where(moves, nominal, limits[0])
    auxiliary_start, given = model.start(batch.gather()), ~moves | np.isin(model.names, list(init))
    auxiliary_start[:, given] = nominal[:, given]
    batched = len(batch) >= BATCHED_FROM
    unconstrained = [i for i, p in enumerate(model.parameters) if p.constraint is None and moves[i]]
    profiled = bent(model, nominal[0], unconstrained, limits)
    linearised = batched and not init and not profiled
    start = linearised_fits(model, batch, auxiliary_start, limits) if linearised else auxiliary_start
    minima = minimise(model, batch, start, free, covariance=covariance, limits=limits)

    first = unconstrained[:MAX_RESTART_PARAMETERS]
    weak = _weakly_constrained(model, nominal[0], first, limits)
    difficult = _difficult(minima, bool(weak), batched)
    restarts = _from_nominal(minima, start, nominal)
    if linearised and difficult.size:
        restarts.append((difficult, auxiliary_start[difficult]))
    for i in first if difficult.size else ():
        for fraction, aside in _towards_bounds(model, auxiliary_start[difficult], i, limits):
            restarts.append((difficult, aside))
            if i in weak and fraction in REFIT_FRACTIONS:
                others = free[difficult] & (np.arange(len(moves)) != i)
                refitted = minimise(
                    model, batch[difficult], aside, others, covariance=False, limits=limits, batched=batched
                )
                restarts.append((difficult, refitted.theta))
    if restarts:
        row, where = (np.concatenate(x) for x in zip(*restarts, strict=True))
        second = minimise(model, batch[row], where, free[row], covariance=covariance, limits=limits, batched=batched)
        ends = np.cumsum([len(rows) for rows, _ in restarts])
        for (rows, _), end in zip(restarts, ends, strict=True):
            replace(minima, rows, better(take(minima, rows), take(second, np.arange(end - len(rows), end))))
    for i, points in profiled.items():
        others = others_moved(auxiliary_start, i, unconstrained, limits)
        row, where = dips(model, batch, others, free, limits, i, points)
        second = minimise(model, batch[row], where, free[row], covariance=covariance, limits=limits, batched=batched)
        lower = good(second.status) & ((second.nll < minima.nll[row] - 1e-6) | (minima.status[row] == Status.MAX_STEPS))
        keep_lowest(minima, row[lower], take(second, np.flatnonzero(lower)))
    return minima


Restart = tuple[np.ndarray, np.ndarray]
"""Rows of the fits to minimise again, and where from [row, parameter]."""


def _from_nominal(minima: Minima, start: np.ndarray, nominal: np.ndarray) -> list[Restart]:
    """Reason 1: a fit that failed or ended at a bound, which other initial values may avoid."""
    rows = np.flatnonzero(minima.status != Status.OK)
    return [] if np.array_equal(start[rows], nominal[rows]) else [(rows, nominal[rows])]


def _difficult(minima: Minima, weak: bool, batched: bool) -> np.ndarray:
    """Reason 2: rows that failed or took long; or all, where the data constrain a parameter weakly."""
    slow = minima.steps > (BATCHED_RESTART_AFTER if batched else RESTART_AFTER)
    suspect = slow | (minima.status > Status.NOT_POSITIVE_DEFINITE)
    return np.flatnonzero(suspect | (weak & (minima.status != Status.NOT_POSITIVE_DEFINITE)))


def _weakly_constrained(
    model: AbstractLikelihood, nominal: np.ndarray, unconstrained: list[int], limits: Limits
) -> list[int]:
    """Parameters whose expected error is large beside the range of their bounds, even if all others were known."""
    free = np.isin(np.arange(len(nominal)), unconstrained)[None]
    error = expected_objective(model, nominal, free, limits).evaluate_many(nominal[None])[1][0]
    return [i for i in unconstrained if error[i] > WEAK_CONSTRAINT * (limits[1] - limits[0])[i]]


def _towards_bounds(
    model: AbstractLikelihood, start: np.ndarray, i: int, limits: Limits
) -> Iterator[tuple[float, np.ndarray]]:
    """Starts with parameter i moved towards each finite bound: another minimum may lie there; and the fraction moved."""
    for edge in (limits[0][i], limits[1][i]):
        for fraction in RESTART_FRACTIONS if np.isfinite(edge) else ():
            aside = start.copy()
            aside[:, i] = fraction * edge + (1 - fraction) * model.parameters[i].init
            yield fraction, aside


def linearised_fits(model: AbstractLikelihood, batch: DataSets, start: np.ndarray, limits: Limits) -> np.ndarray:
    """[toy, parameter]: best fits to first order around that of the expected data, θ̂(d₀) + dθ̂/dd · (d − d₀).

    None is at a bound, and that of a data set does not depend on the others. ``start`` where the expected data have no
    such fit.
    """
    free = limits[0] < limits[1]
    expected = model.asimov({n: v for n, v, moves in zip(model.names, limits[0], free, strict=True) if not moves})
    centre = np.where(free, [float(p.init) for p in model.parameters], start[0])
    if not expected.comparable(batch.batch):
        return start
    minima = minimise(model, DataSets.of(expected), centre[None], free[None], limits=limits)
    if minima.status[0] != Status.OK:
        return start
    centre = minima.theta[0]
    derivative = response(model, centre, expected, minima.covariance[0])
    with blas_threads(1):
        step = derivative.first_order(batch.gather(), expected)
    lower, upper = (centre + 0.9 * (edge - centre) for edge in limits)
    return np.where(free, np.clip(centre + step, lower, upper), start)
