"""Significance of a signal: the discovery test q₀ (Cowan et al., EPJC 71 (2011) 1554, eq. 12 and 52–53)."""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int, ndtr
from verax.model import AbstractLikelihood, Data

from ._evaluate import Values
from ._fit import one_or_many
from ._profile import best_fits, points_of
from ._results import Fit


@dataclass(frozen=True)
class Significance:
    """How far data are from ``name`` = ``null``, in favour of larger values.

    Parameters
    ----------
    value : best fit
    q0 : t(null) where the best fit lies above it, else 0
    z : √t(null) with the sign of (best fit − null); in units of a normal distribution's σ
    p_value : 1 − Φ(z); above one half for a deficit
    status : worst :class:`verax.results.Status` of the two fits
    """

    name: str
    null: float
    value: Float[np.ndarray, "*toy"]
    q0: Float[np.ndarray, "*toy"]
    z: Float[np.ndarray, "*toy"]
    p_value: Float[np.ndarray, "*toy"]
    status: Int[np.ndarray, "*toy"]


def significance(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    *,
    null: float = 0.0,
    fixed: Values = None,
    best: Fit | None = None,
) -> Significance:
    """Test the value ``null`` of one parameter against larger ones; of Asimov data this is the median expected significance.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    poi : name of the parameter
    null : its value under the null hypothesis
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> float(significance(model, data, "mu").z.round(2))  # √t(0) = √2.66
    1.63
    """
    (null,) = points_of([null], "significance, null")
    fits = best_fits(model, data, poi, "significance", fixed, best)
    toys = len(fits.batch)
    t, there = fits.ratio(np.arange(toys), np.full(toys, float(null)))
    value = fits.best.theta[:, fits.index]
    z = np.sign(value - null) * np.sqrt(t)
    arrays = (value, np.where(z > 0, t, 0.0), z, ndtr(-z), np.maximum(fits.best.status, there.status))
    return Significance(poi, float(null), *one_or_many(data, *arrays))
