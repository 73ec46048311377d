"""A long campaign of pseudo-experiments: in batches, with bounded memory, counted, resumable.

Random numbers are a function of key and toy (counter-based: Salmon et al., Proc. SC11 (2011) 16), so toys have no order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verax.arrays import Float, Int, PRNGKeyArray, Shaped
from verax.errors import InputError
from verax.model import AbstractLikelihood, Data
from verax.parameters import Params, check_values
from verax.results import Status, good

from ._evaluate import Values
from ._fit import fit
from ._interval import check_level, ends
from ._newton import BATCHED_FROM
from ._profile import best_fits
from ._toys import Progress, sample_toys

BATCH = 2048
"""Toys of a test in memory at a time."""

EQUAL = 1e-6
"""Relative difference of statistics, of absolute ones below 1, that fits do not resolve."""

Statistic = Callable[[AbstractLikelihood, Data], tuple[Shaped[np.ndarray, "toy ..."], Int[np.ndarray, " toy"]]]
"""What is kept of each toy, and a status each."""


@dataclass(frozen=True)
class Campaign:
    """The statistic of toys 0 … n − 1 of ``total``; ``status`` is a :class:`verax.results.Status` each."""

    total: int
    values: Shaped[np.ndarray, "toy ..."]
    status: Int[np.ndarray, " toy"]

    @property
    def n(self) -> int:
        """Toys that are done."""
        return len(self.status)

    @property
    def failed(self) -> int:
        """Toys whose status is a failure; they keep their place in ``values``."""
        return int((~good(self.status)).sum())

    @property
    def good(self) -> Shaped[np.ndarray, "toy ..."]:
        """The values of the toys that did not fail."""
        return np.asarray(self.values[good(self.status)])


def fitted(model: AbstractLikelihood, data: Data) -> tuple[Float[np.ndarray, "toy parameter"], Int[np.ndarray, " toy"]]:
    """Fit each toy: the best-fit values of all parameters, without covariances."""
    best = fit(model, data, covariance=False)
    return best.value, best.status


@dataclass(frozen=True)
class Estimate:
    """Statistic: estimate of one parameter, its σ, and the ends of its interval at ``level``: [toy, 4].

    An end at a bound is the end of the allowed values inside the interval; the toy's status is then AT_BOUND.
    """

    name: str
    level: float = 0.6827
    fixed: Values = None

    def __post_init__(self) -> None:
        check_level(self.level, "toys")

    def __call__(
        self, model: AbstractLikelihood, data: Data
    ) -> tuple[Float[np.ndarray, "toy 4"], Int[np.ndarray, " toy"]]:
        fits = best_fits(model, data, self.name, "toys", self.fixed)
        low, high, status = ends(fits, self.level)
        best, index, (lower, upper) = fits.best, fits.index, fits.limits
        at_bound = (status == Status.END_NOT_FOUND) & ((low == lower[index]) | (high == upper[index]))
        with np.errstate(invalid="ignore"):
            sigma = np.sqrt(best.covariance[:, index, index])
        values = np.stack([best.theta[:, index], sigma, low, high], axis=1)
        return values, np.where(at_bound, int(Status.AT_BOUND), status)


def campaign(
    key: PRNGKeyArray,
    model: AbstractLikelihood,
    params: Params,
    n: int,
    statistic: Statistic = fitted,
    *,
    batch: int = 8192,
    profiled: Any = None,
    done: Campaign | None = None,
    progress: Callable[[Campaign], None] | None = None,
) -> Campaign:
    """Compute a statistic of ``n`` toys at ``params``; only one batch of toys is in memory at a time.

    Toy i depends on the key and i alone, so neither the size of the batches nor a stop in between changes the answer.

    Parameters
    ----------
    key : random key
    model : the likelihood
    params : true values by name; others are at their initial values
    n : number of toys
    statistic : what is kept of each toy, from the model and a batch; by default the best-fit values of all parameters
    batch : toys at a time
    profiled : as in :func:`verax.infer.sample_toys`
    done : what an earlier, shorter campaign with the same key returned, or its last progress: it is continued
    progress : called with the campaign so far after each batch; may save it, print it, or raise to stop

    Raises
    ------
    InputError : an unknown parameter (nearest name given), or less than one toy

    >>> import jax
    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> total = lambda model, toys: (toys.counts.sum(1), np.zeros(len(toys), int))  # events of each toy; no failures
    >>> found = campaign(jax.random.key(1), model, {"mu": 1.0}, 4000, total)
    >>> found.n, found.failed, bool(abs(found.values.mean() - 110) < 1)  # 5 + 15 + 50 + 40 expected
    (4000, 0, True)
    """
    check_values(model.parameters, params, "campaign")
    if batch < 1 or n < 1:
        raise InputError("campaign", f"{n} toys in batches of {batch}", "at least one of each")
    if done is not None and done.n >= n:
        return Campaign(n, done.values[:n], done.status[:n])
    parts, first = ([], 0) if done is None else ([done], done.n)
    while first < n:
        size = min(batch, n - first)
        # Few data sets and many are fitted in different ways: a short rest is made longer, to be fitted like the others.
        drawn = sample_toys(key, model, params, max(size, BATCHED_FROM), first=first, profiled=profiled)
        values, status = statistic(model, drawn)
        parts.append(Campaign(n, np.asarray(values)[:size], np.asarray(status)[:size]))
        first += size
        if progress is not None:
            parts = [_joined(parts, n)]
            progress(parts[0])
    return _joined(parts, n)


def tail(
    key: PRNGKeyArray,
    model: AbstractLikelihood,
    theta: np.ndarray,
    data: Data,
    n: int,
    statistic: Statistic,
    observed: np.ndarray,
    progress: Progress | None,
) -> tuple[np.ndarray, np.ndarray, Campaign]:
    """The fraction of toys at ``theta`` with a statistic [toy, ...] as large as ``observed`` [...], its error, and the toys.

    What the likelihood profiles is at its fit to ``data``. Equal up to the precision of the fits is as large.
    """
    params = dict(zip(model.names, theta, strict=True))
    report = None if progress is None else lambda c: progress(c.n, n, c.failed)
    profiled = model.profiled(params, data)
    done = campaign(key, model, params, n, statistic, batch=BATCH, profiled=profiled, progress=report)
    fine = done.good
    larger = (fine >= observed - EQUAL * np.maximum(1.0, abs(observed))).sum(0)
    none = np.full(larger.shape, np.nan)
    return (larger / len(fine), binomial_error(larger, len(fine)), done) if len(fine) else (none, none, done)


def binomial_error(passed: int | np.ndarray, n: int) -> Any:
    """Standard error of passed/n, with one success and one failure added so that it is never zero."""
    p = (passed + 1) / (n + 2)
    return np.sqrt(p * (1 - p) / n)


def _joined(parts: list[Campaign], total: int) -> Campaign:
    if len(parts) == 1:
        return replace(parts[0], total=total)
    return Campaign(total, np.concatenate([p.values for p in parts]), np.concatenate([p.status for p in parts]))
