"""Maximum-likelihood fits, batched over data sets."""

from collections.abc import Mapping

import numpy as np

from verax.infer.minimise import Lanes, better, minimise
from verax.infer.results import Fit
from verax.model.likelihood import AbstractLikelihood, Data
from verax.parameters import Poisson, by_name
from verax.results import Status


def fit(
    model: AbstractLikelihood,
    data: Data,
    *,
    fixed: Mapping[str, float] | None = None,
    init: Mapping[str, float] | None = None,
    covariance: bool = True,
) -> Fit:
    """Maximise the likelihood of each data set; float64 whatever the caller's JAX flags.

    Starts from the global observables; a fit that fails, or ends at a bound, is tried again from the parameters'
    initial values and the better of the two is kept.

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
    """One lane per data set, over two starting points; ``limits`` as in :func:`minimise`."""
    toys, names = len(batch.counts), model.names
    free = np.tile([name not in fixed for name in names], (toys, 1))
    nominal = np.tile([float({**init, **fixed}.get(p.name, p.init)) for p in model.parameters], (toys, 1))
    start, asked = measured(model, batch), [name in fixed or name in init for name in names]
    start[:, asked] = nominal[:, asked]
    lanes = minimise(model, batch, start, free, covariance=covariance, limits=limits)
    again = np.flatnonzero(lanes.status != Status.OK)
    if again.size and not np.array_equal(start[again], nominal[again]):
        second = minimise(model, rows(batch, again), nominal[again], free[again], covariance=covariance, limits=limits)
        replace(lanes, again, better(take(lanes, again), second))
    return lanes


def measured(model: AbstractLikelihood, batch: Data) -> np.ndarray:
    """[toy, parameter]: constrained parameters where their global observables say, the others at their initial values."""
    start = np.tile([float(p.init) for p in model.parameters], (len(batch.counts), 1))
    constrained = [i for i, p in enumerate(model.parameters) if p.constraint is not None]
    for column, i in enumerate(constrained):
        c = model.parameters[i].constraint
        start[:, i] = batch.auxiliary[:, column] / (c.tau if isinstance(c, Poisson) else 1.0)
    return start


def rows(batch: Data, index: np.ndarray) -> Data:
    """Some data sets of a batch."""
    return Data(batch.counts[index], batch.auxiliary[index])


def take(lanes: Lanes, index: np.ndarray) -> Lanes:
    """Some lanes."""
    return Lanes(*(getattr(lanes, k)[index] for k in Lanes.__dataclass_fields__))


def replace(lanes: Lanes, index: np.ndarray, by: Lanes) -> None:
    """Write lanes over others, in place."""
    for k in Lanes.__dataclass_fields__:
        getattr(lanes, k)[index] = getattr(by, k)
