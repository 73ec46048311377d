"""Maximum-likelihood fits, batched over data sets."""

from collections.abc import Mapping

import numpy as np

from verax.model import AbstractLikelihood, Data, DataSets
from verax.parameters import by_name
from verax.results import Status

from ._batch import Lanes, better, replace, take
from ._newton import MANY, Limits, batch_sizes, blas_threads, bounds, evaluate, minimise
from ._response import response
from ._results import Fit

SLOW = 25
"""Evaluations after which a fit is tried from elsewhere too: an ordinary one takes 4 to 15."""

LOOSE = 3
"""Unconstrained parameters from which a suspected fit is tried again."""

WIDE = 0.1
"""An error above this, in units of the range of its parameter, lets other minima hide in the range."""

FAR = (0.05, 0.2, 0.8)
"""From where a suspected fit is tried again: shares of the way to the bounds of an unconstrained parameter."""

SETTLED = (0.2, 0.8)
"""Those from where fits of hardly constrained parameters are also tried once all others have settled there."""


def fit(
    model: AbstractLikelihood,
    data: Data,
    *,
    fixed: Mapping[str, float] | None = None,
    init: Mapping[str, float] | None = None,
    covariance: bool = True,
) -> Fit:
    """Maximise the likelihood of each data set; float64 whatever the caller's JAX flags.

    Starts from the global observables, many data sets from linear estimates around the expected one; a fit that
    fails, or ends at a bound, is tried again from the parameters' initial values; one that fails or takes long, or that the
    data hardly constrain between the bounds of an unconstrained parameter, also from the global observables and towards
    those bounds, where other minima hide (there with the other parameters fitted first, too). The lowest is kept.

    Parameters
    ----------
    data : one data set, or a batch with a leading ``toy`` axis
    fixed : parameters held at these values (which may lie beyond the bounds)
    init : other starting values than the model's
    covariance : False leaves it out (NaN): a little faster; then NOT_POSITIVE_DEFINITE is never said

    Raises
    ------
    InputError : an unknown parameter (nearest name given), or data that do not fit the model
    """
    fixed, init = fixed or {}, init or {}
    by_name(model.parameters, [*fixed, *init], "fit")
    batch = as_batch(model, data)
    lanes = best_fit(model, batch, bounds(model, fixed), init=init, covariance=covariance)
    arrays = (lanes.theta, lanes.covariance, lanes.nll, lanes.status, lanes.edm, lanes.steps)
    return Fit(model.names, *one_or_many(data, *arrays))


def as_batch(model: AbstractLikelihood, data: Data) -> DataSets:
    """The data as float64 with a leading ``toy`` axis, after the model's own checks."""
    model.check(data)
    return DataSets.of(data)


def one_or_many(data: Data, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Answers with a leading ``toy`` axis as they were asked: without it where there was one data set."""
    return arrays if data.is_batch else tuple(np.asarray(x[0]) for x in arrays)


def best_fit(
    model: AbstractLikelihood,
    batch: DataSets,
    limits: Limits,
    *,
    init: Mapping[str, float] | None = None,
    covariance: bool = True,
) -> Lanes:
    """One lane per data set within ``limits``, over two starting points, or more where fits are difficult."""
    toys, names, init = len(batch), model.names, init or {}
    lower, upper = limits
    moves = lower < upper
    free = np.tile(moves, (toys, 1))
    nominal = np.tile([float(init.get(p.name, p.init)) for p in model.parameters], (toys, 1))
    nominal = np.where(moves, nominal, lower)
    observed, asked = model.start(batch.gather()), ~moves | np.isin(names, list(init))
    observed[:, asked] = nominal[:, asked]
    many = toys >= MANY
    guess = many and not init
    start = estimates(model, batch, observed, limits) if guess else observed
    lanes = minimise(model, batch, start, free, covariance=covariance, limits=limits)

    again = np.flatnonzero(lanes.status != Status.OK)
    loose = _loose(model, moves)
    suspect = (lanes.steps > SLOW) | (lanes.status > Status.NOT_POSITIVE_DEFINITE)
    wide = _wide(model, batch, nominal[0], loose, limits)
    hard = np.flatnonzero(suspect | (bool(wide) & (lanes.status != Status.NOT_POSITIVE_DEFINITE)))
    other = [] if np.array_equal(start[again], nominal[again]) else [(again, nominal[again])]
    if guess and hard.size:
        other.append((hard, observed[hard]))
    for i in loose if hard.size else []:
        for edge in (lower[i], upper[i]):
            for share in FAR if np.isfinite(edge) else ():
                aside = observed[hard]
                aside[:, i] = share * edge + (1 - share) * model.parameters[i].init
                other.append((hard, aside))
                if i in wide and share in SETTLED:
                    rest = free[hard] & (np.arange(len(names)) != i)
                    settled = minimise(model, batch[hard], aside, rest, covariance=False, limits=limits, many=many)
                    other.append((hard, settled.theta))
    if other:
        lane, where = np.concatenate([a for a, _ in other]), np.concatenate([b for _, b in other])
        second = minimise(model, batch[lane], where, free[lane], covariance=covariance, limits=limits, many=many)
        ends = np.cumsum([len(a) for a, _ in other])
        for (a, _), end in zip(other, ends, strict=True):
            replace(lanes, a, better(take(lanes, a), take(second, np.arange(end - len(a), end))))
    return lanes


def _loose(model: AbstractLikelihood, moves: np.ndarray) -> list[int]:
    """Positions of the first few unconstrained parameters: those between whose bounds other minima hide."""
    return [i for i, p in enumerate(model.parameters) if p.constraint is None and moves[i]][:LOOSE]


def _wide(
    model: AbstractLikelihood, batch: DataSets, nominal: np.ndarray, loose: list[int], limits: Limits
) -> list[int]:
    """Those of the parameters that are hardly constrained between their bounds, even if all the others were known."""
    free = np.isin(np.arange(len(nominal)), loose)[None]
    sizes = batch_sizes(model.work(batch.batch))
    least = 1 if len(batch) >= MANY else min(len(batch), sizes[-1])
    here = tuple(s for s in sizes if s >= least)  # no other shape is compiled for this
    error = evaluate(model, batch[:1], nominal[None], free, limits, here).unit[0]
    return [i for i in loose if error[i] > WIDE * (limits[1] - limits[0])[i]]


def estimates(model: AbstractLikelihood, batch: DataSets, start: np.ndarray, limits: Limits) -> np.ndarray:
    """[toy, parameter]: where the best fits are, to first order around that of the expected data; ``start`` where it fails.

    No estimate is at a bound. That of a data set does not depend on the others.
    """
    free = limits[0] < limits[1]
    expected = model.asimov({n: v for n, v, moves in zip(model.names, limits[0], free, strict=True) if not moves})
    centre = np.where(free, [float(p.init) for p in model.parameters], start[0])
    if not expected.comparable(batch.batch):
        return start
    lanes = minimise(model, DataSets.of(expected), centre[None], free[None], limits=limits)
    if lanes.status[0] != Status.OK:
        return start
    centre = lanes.theta[0]
    follows = response(model, centre, expected, lanes.covariance[0])
    with blas_threads(1):
        step = follows.first_order(batch.gather(), expected)
    lower, upper = (centre + 0.9 * (edge - centre) for edge in limits)
    return np.where(free, np.clip(centre + step, lower, upper), start)
