"""Maximum-likelihood fits, batched over data sets."""

from collections.abc import Mapping

import numpy as np

from verax.infer.lanes import Lanes, better, replace, rows, take
from verax.infer.minimise import MANY, batch_sizes, blas_threads, bounds, evaluate, minimise
from verax.infer.response import response
from verax.infer.results import Fit
from verax.model.likelihood import AbstractLikelihood, Data
from verax.parameters import Poisson, by_name
from verax.results import Status

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
    lanes = best_fit(model, batch, fixed, init, covariance=covariance)
    single = data.counts.ndim == 1
    arrays = (lanes.theta, lanes.covariance, lanes.nll, lanes.status, lanes.edm, lanes.steps)
    return Fit(model.names, *(np.asarray(x[0]) if single else x for x in arrays))


def as_batch(model: AbstractLikelihood, data: Data) -> Data:
    """The data as float64 with a leading ``toy`` axis, after the model's own checks."""
    model.check(data)
    counts, auxiliary = np.asarray(data.counts, np.float64), np.asarray(data.auxiliary, np.float64)
    return Data(np.atleast_2d(counts), np.atleast_2d(auxiliary))


def best_fit(
    model: AbstractLikelihood,
    batch: Data,
    fixed: Mapping[str, float],
    init: Mapping[str, float],
    *,
    covariance: bool = True,
    limits: tuple[np.ndarray, np.ndarray] | None = None,
) -> Lanes:
    """One lane per data set, over two starting points, or more where the going is hard; ``limits`` as in `minimise`."""
    toys, names = len(batch.counts), model.names
    free = np.tile([name not in fixed for name in names], (toys, 1))
    nominal = np.tile([float({**init, **fixed}.get(p.name, p.init)) for p in model.parameters], (toys, 1))
    observed, asked = measured(model, batch), [name in fixed or name in init for name in names]
    observed[:, asked] = nominal[:, asked]
    many = toys >= MANY
    guess = many and not init
    lower, upper = bounds(model) if limits is None else limits
    start = estimates(model, batch, observed, fixed, (lower, upper)) if guess else observed
    lanes = minimise(model, batch, start, free, covariance=covariance, limits=limits)

    again = np.flatnonzero(lanes.status != Status.OK)
    loose = _loose(model, fixed)
    suspect = (lanes.steps > SLOW) | (lanes.status > Status.NOT_POSITIVE_DEFINITE)
    wide = _wide(model, batch, nominal[0], loose, (lower, upper))
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
                    settled = minimise(
                        model, rows(batch, hard), aside, rest, covariance=False, limits=limits, many=many
                    )
                    other.append((hard, settled.theta))
    if other:
        lane, where = np.concatenate([a for a, _ in other]), np.concatenate([b for _, b in other])
        second = minimise(model, rows(batch, lane), where, free[lane], covariance=covariance, limits=limits, many=many)
        ends = np.cumsum([len(a) for a, _ in other])
        for (a, _), end in zip(other, ends, strict=True):
            replace(lanes, a, better(take(lanes, a), take(second, np.arange(end - len(a), end))))
    return lanes


def _loose(model: AbstractLikelihood, fixed: Mapping[str, float]) -> list[int]:
    """Positions of the first few unconstrained parameters: those between whose bounds other minima hide."""
    return [i for i, p in enumerate(model.parameters) if p.constraint is None and p.name not in fixed][:LOOSE]


def _wide(
    model: AbstractLikelihood, batch: Data, nominal: np.ndarray, loose: list[int], limits: tuple[np.ndarray, np.ndarray]
) -> list[int]:
    """Those of the parameters that are hardly constrained between their bounds, even if all the others were known."""
    free = np.isin(np.arange(len(nominal)), loose)[None]
    sizes = batch_sizes(len(nominal) * max(len(nominal), batch.counts.shape[1]))
    least = 1 if len(batch.counts) >= MANY else min(len(batch.counts), sizes[-1])
    here = tuple(s for s in sizes if s >= least)  # no other shape is compiled for this
    error = evaluate(model, rows(batch, np.zeros(1, int)), nominal[None], free, limits, here).unit[0]
    return [i for i in loose if error[i] > WIDE * (limits[1] - limits[0])[i]]


def measured(model: AbstractLikelihood, batch: Data) -> np.ndarray:
    """[toy, parameter]: constrained parameters where their global observables say, the others at their initial values."""
    start = np.tile([float(p.init) for p in model.parameters], (len(batch.counts), 1))
    constrained = [i for i, p in enumerate(model.parameters) if p.constraint is not None]
    for column, i in enumerate(constrained):
        c = model.parameters[i].constraint
        start[:, i] = batch.auxiliary[:, column] / (c.tau if isinstance(c, Poisson) else 1.0)
    return start


def estimates(
    model: AbstractLikelihood,
    batch: Data,
    start: np.ndarray,
    fixed: Mapping[str, float],
    limits: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """[toy, parameter]: where the best fits are, to first order around that of the expected data; ``start`` where it fails.

    No estimate is at a bound. That of a data set does not depend on the others.
    """
    expected, free = model.asimov(fixed), np.array([name not in fixed for name in model.names])
    centre = np.where(free, [float(p.init) for p in model.parameters], start[0])
    lanes = minimise(model, expected, centre[None], free[None], limits=limits)
    if lanes.status[0] != Status.OK:
        return start
    centre = lanes.theta[0]
    follows = response(model, centre, expected, lanes.covariance[0])
    with blas_threads(1):
        step = (batch.counts - expected.counts) @ follows.counts.T
        step += (batch.auxiliary - expected.auxiliary) @ follows.auxiliary.T
    lower, upper = (centre + 0.9 * (edge - centre) for edge in limits)
    return np.where(free, np.clip(centre + step, lower, upper), start)
