"""Significance of a signal: the discovery test q₀ (Cowan et al., EPJC 71 (2011) 1554, eq. 12 and 52–53), and by toys."""

import functools
from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int, PRNGKeyArray, ndtr
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data
from verax.results import Brief, Shown, Status, ended

from ._batch import Minima
from ._campaign import tail
from ._evaluate import Values
from ._few_events import events_between
from ._fit import one_or_many
from ._profile import Fits, best_fits, points_of, standard_error
from ._results import Fit
from ._toys import Progress


@dataclass(frozen=True, repr=False)
class Significance(Brief):
    """How far data are from ``name`` = ``null``, in favour of larger values.

    Parameters
    ----------
    value : best fit
    q0 : t(null) where the best fit lies above it, else 0
    z : √t(null) with the sign of (best fit − null); in units of a normal distribution's σ
    p_value : 1 − Φ(z); above one half for a deficit
    events : :func:`verax.infer.effective_events` between ``null`` and the best fit, or one σ where that lies below; z
        of a counting experiment is too large by up to 0.1 with 10 of them, by 0.2 with 1
    p_toys, p_toys_error : fraction of toys at the fit with ``null`` whose t, with the sign of their excess, is as large, and
        its binomial error; NaN without toys
    toys, failed : toys drawn, and those left out because a fit failed
    status : worst :class:`verax.results.Status` of the two fits
    toy_statistics : q₀ of each toy, without those that failed
    """

    name: str
    null: float
    value: Float[np.ndarray, "*toy"]
    q0: Float[np.ndarray, "*toy"]
    z: Float[np.ndarray, "*toy"]
    p_value: Float[np.ndarray, "*toy"]
    events: Float[np.ndarray, "*toy"]
    p_toys: float
    p_toys_error: float
    toys: int
    failed: int
    status: Int[np.ndarray, "*toy"]
    toy_statistics: Float[np.ndarray, " good"]

    def _shown(self) -> Shown:
        if np.ndim(self.z):
            return f"Significance of {len(self.z)} data sets: {ended(self.status)}", (), ()
        toys = f", p = {self.p_toys:.3g} ± {self.p_toys_error:.1g} by {self.toys} toys" if self.toys else ""
        line = f"z = {float(self.z):.3g} against {self.name} = {self.null:g}: p = {float(self.p_value):.3g}{toys}"
        return f"{line} ({ended(self.status)})", (), ()


def significance(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    *,
    null: float = 0.0,
    key: PRNGKeyArray | None = None,
    n_toys: int = 0,
    fixed: Values = None,
    best: Fit | None = None,
    beyond: bool = False,
    progress: Progress | None = None,
) -> Significance:
    """Test the value ``null`` of one parameter against larger ones; of Asimov data this is the median expected significance.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    poi : name of the parameter
    null : its value under the null hypothesis
    key : random key of the toys
    n_toys : toys of the null hypothesis, at the conditional fit to the data; 0 for the asymptotic p-value only
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again
    beyond : whether the parameter's bounds are a range of search, see :func:`verax.infer.interval`
    progress : called with the numbers of toys done, in total and failed

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, toys without a key or for a batch, or data that
        do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> float(significance(model, data, "mu").z.round(2))  # √t(0) = √2.66
    1.63
    """
    (null,) = points_of([null], "significance, null")
    check_count(n_toys, 0, "significance, n_toys")
    if n_toys and (key is None or data.is_batch):
        raise InputError("significance", "toys without a key, or for a batch", "key=..., and one data set")
    fits = best_fits(model, data, poi, "significance", fixed, best, beyond=beyond)
    t, there = _signed(fits, null)
    value = fits.best.theta[:, fits.index]
    z = np.sign(t) * np.sqrt(abs(t))
    sigma = standard_error(fits.best, fits.index)
    events = events_between(model, fits.batch, there.theta, fits.index, null + np.maximum(value - null, sigma))
    (p_toys, error), failed = np.full((2, 1), np.nan), 0
    statistics = np.zeros((0, 1))
    if n_toys and key is not None:
        of_toys = functools.partial(_of_toys, poi, null, fixed, beyond)
        p_toys, error, done = tail(key, model, there.theta[0], data, n_toys, of_toys, t[:1], progress)
        failed, statistics = done.failed, done.good
    status = np.maximum(fits.best.status, there.status)
    value, q0, z, p_value, events, status = one_or_many(data, value, np.maximum(t, 0.0), z, ndtr(-z), events, status)
    toys = (float(p_toys[0]), float(error[0]), n_toys, failed)
    return Significance(
        poi, float(null), value, q0, z, p_value, events, *toys, status, np.maximum(statistics[:, 0], 0.0)
    )


def _signed(fits: Fits, null: float) -> tuple[np.ndarray, Minima]:
    """t(null) of each data set, with the sign of (best fit − null), and the conditional fits."""
    toys = len(fits.batch)
    t, there = fits.ratio(np.arange(toys), np.full(toys, float(null)))
    return np.sign(fits.best.theta[:, fits.index] - null) * t, there


def _of_toys(
    poi: str, null: float, fixed: Values, beyond: bool, model: AbstractLikelihood, data: Data
) -> tuple[Float[np.ndarray, "toy 1"], Int[np.ndarray, " toy"]]:
    fits = best_fits(model, data, poi, "significance", fixed, beyond=beyond)
    t, there = _signed(fits, null)
    status = np.maximum(fits.best.status, there.status)
    return t[:, None], np.where(status == Status.NOT_POSITIVE_DEFINITE, int(Status.OK), status)  # t needs no covariance
