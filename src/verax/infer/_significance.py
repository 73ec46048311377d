"""Significance of a signal: the discovery test q₀ (Cowan et al., EPJC 71 (2011) 1554, eq. 12 and 52–53)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr

from verax.model import AbstractLikelihood, Data
from verax.parameters import movable

from ._evaluate import bounds
from ._fit import as_batch, best_fit, one_or_many
from ._profile import ratio


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
    fixed: Mapping[str, float] | None = None,
) -> Significance:
    """Test the value ``null`` of one parameter against larger ones; of Asimov data this is the median expected significance.

    Parameters
    ----------
    model : the likelihood
    data : one data set, or a batch with a leading ``toy`` axis
    poi : name of the parameter
    null : its value under the null hypothesis
    fixed : parameters held at these values

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> float(significance(model, data, "mu").z.round(2))  # √t(0) = √2.66
    1.63
    """
    movable(model.parameters, [poi], "significance", fixed)
    batch, index, limits = as_batch(model, data), model.names.index(poi), bounds(model, fixed)
    best = best_fit(model, batch, limits)
    toys = len(batch)
    t, there = ratio(model, batch, best, np.arange(toys), index, np.full(toys, float(null)), limits)
    value = best.theta[:, index]
    z = np.sign(value - null) * np.sqrt(t)
    arrays = (value, np.where(z > 0, t, 0.0), z, ndtr(-z), np.maximum(best.status, there.status))
    return Significance(poi, float(null), *one_or_many(data, *arrays))
