"""CLs of a signal (Read, J. Phys. G 28 (2002) 2693) with q̃_μ, asymptotic (Cowan et al., EPJC 71 (2011) 1554) and by toys.

CLs(μ) = P(q ≥ q_obs | μ) / P(q ≥ q_obs | 0). Asymptotically all follows from q_obs and q_A, the statistic of the Asimov
data set without signal at the nuisance parameters' conditional fit to the data.
"""

from dataclasses import dataclass, replace

import numpy as np

from verax.arrays import Array, Float, PRNGKeyArray, log_ndtr, ndtr
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data
from verax.parameters import movable
from verax.results import Status, good

from ._batch import Minima
from ._evaluate import Values
from ._fit import as_batch, best_fit, one_or_many
from ._newton import minimise
from ._profile import Fits, points_of
from ._results import CLs
from ._statistic import expectation, physical_bounds, polished, q_tilde, reported_status
from ._toys import Progress, sample_toys

BANDS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
"""Fluctuations of the background, in σ, of the five expected values; in the order of growing limits."""

BOOTSTRAPS = 100
"""Resamplings of the toys, for their Monte Carlo error."""


def cls(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    values: Float[Array, " point"],
    *,
    method: str = "asymptotic",
    key: PRNGKeyArray | None = None,
    n_toys: int = 1000,
    fixed: Values = None,
    beyond: bool = False,
    progress: Progress | None = None,
) -> CLs:
    """Compute CLs of one parameter at given values, observed and expected without signal.

    Toys are drawn at the nuisance parameters' conditional fits to the data. The same random numbers serve all values.

    Parameters
    ----------
    model : the likelihood
    data : one data set; or a batch with a leading ``toy`` axis, for the asymptotic method only
    poi : name of the parameter
    values : its values [point], not negative: q̃ is defined for those only
    method : "asymptotic" or "toys"
    key : random key of the toys
    n_toys : toys of each hypothesis at each value
    fixed : parameters held at these values
    beyond : whether the parameter's upper bound is a range of search, see :func:`verax.infer.limit`
    progress : called with the numbers of toys done, in total and failed

    Raises
    ------
    InputError : a parameter that is unknown, fixed or cannot be above zero, negative values, an unknown method, toys
        without a key or for a batch, or data that do not fit the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> cls(model, data, "mu", np.array([1.0, 3.0])).observed.round(3).tolist()
    [0.45, 0.001]
    """
    values = points_of(values, "cls", 0.0)
    inputs = prepare(model, data, poi, method, key, "cls", fixed, n_toys, beyond)
    n, points = len(inputs.data.batch), len(values)
    toy, where = np.repeat(np.arange(n), points), np.tile(values, n)
    if method == "toys" and key is not None:
        return run_toys(key, inputs, values, n_toys, progress).curve(key, poi)
    q, status = q_tilde(inputs.data, toy, where)
    q_asimov, _ = inputs.expected.ratio(toy, where)
    shape = (n, points)
    expected = np.moveaxis(expected_cls(q_asimov).reshape(*shape, 5), -1, 1)
    observed = observed_cls(q, q_asimov)
    status = np.where(np.isfinite(observed), status, np.maximum(status, int(Status.NOT_FINITE)))
    arrays = {
        "observed": observed.reshape(shape),
        "expected": expected,
        "observed_error": np.zeros(shape),
        "expected_error": np.zeros(expected.shape),
        "status": status.reshape(shape),
        "q": q.reshape(shape),
    }
    found = dict(zip(arrays, one_or_many(data, *arrays.values()), strict=True))
    return CLs(name=poi, method=method, toys=0, failed=0, values=values, **found)


def observed_cls(q: np.ndarray, q_asimov: np.ndarray) -> np.ndarray:
    """CLs from q̃ of the data and of the Asimov data (eq. 64–66 of the paper, for p_s+b and p_b).

    >>> float(observed_cls(np.array(3.0), np.array(3.0)).round(4))  # the median: Φ(−√3) / Φ(0)
    0.0833
    """
    root, width = np.sqrt(q), np.maximum(np.sqrt(q_asimov), 1e-9)
    shift = np.where(root <= width, root - width, (q - width**2) / (2 * width))
    return np.asarray(np.exp(log_ndtr(-shift - width) - log_ndtr(-shift)))


def expected_cls(q_asimov: np.ndarray) -> np.ndarray:
    """The five expected CLs, on a new last axis."""
    width = np.sqrt(q_asimov)[..., None]
    return np.asarray(np.exp(log_ndtr(BANDS - width) - log_ndtr(BANDS)))


@dataclass(frozen=True)
class TestInputs:
    """Best fits of the data (μ ≥ 0), their fits without signal, and the best fits of the Asimov data without signal."""

    data: Fits
    background: Minima
    expected: Fits


def prepare(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    method: str,
    key: PRNGKeyArray | None,
    where: str,
    fixed: Values,
    n_toys: int,
    beyond: bool = False,
) -> TestInputs:
    """Check the arguments, fit the data with and without signal, and prepare the Asimov data."""
    movable(model.parameters, [poi], where, fixed)
    if method not in ("asymptotic", "toys"):
        raise InputError(f"{where} method", f"'{method}'", "'asymptotic' or 'toys'")
    check_count(n_toys, 1, f"{where}, n_toys")
    index = model.names.index(poi)
    batch, limits = as_batch(model, data), physical_bounds(model, index, fixed)
    if method == "toys" and (key is None or data.is_batch):
        raise InputError(where, "toys without a key, or for a batch", "key=..., and one data set")
    if limits[1][index] <= 0:
        raise InputError(where, f"'{poi}' up to {limits[1][index]:g}", "a parameter that can be above zero")
    fits = Fits(model, batch, limits, index, best_fit(model, batch, limits))
    if beyond:
        fits = fits.searched()
        limits = fits.limits
    background = fits.conditional(np.arange(len(batch)), np.zeros(len(batch)))
    held = np.tile(limits[0] < limits[1], (len(batch), 1))
    held[:, index] = False
    background = replace(background, theta=polished(model, batch, background.theta, held, limits))
    expected = expectation(model, batch, background.theta)
    # Its best fit is known. With μ's own bound away the covariance there is that of an ordinary minimum.
    limits_off = limits[0].copy(), limits[1]
    limits_off[0][index] = -np.inf
    free = np.ones(background.theta.shape, bool)
    at_minimum = minimise(model, expected, background.theta, free, limits=limits_off)
    return TestInputs(fits, background, Fits(model, expected, limits, index, at_minimum))


@dataclass(frozen=True)
class ToyStatistics:
    """q̃ of one data set and of its toys, at each of the ``values``; failed toys are NaN."""

    values: np.ndarray
    q: np.ndarray
    signal: np.ndarray
    background: np.ndarray
    status: np.ndarray

    @property
    def failed(self) -> int:
        """Toys that were left out, at the value where most were."""
        return int((np.isnan(self.signal).sum(1) + np.isnan(self.background).sum(1)).max())

    def tails(self) -> tuple[np.ndarray, np.ndarray]:
        """CLs observed [point] and expected [5, point]."""
        return _tails(self.q, self.signal, self.background)

    def curve(self, key: PRNGKeyArray, name: str) -> CLs:
        """CLs with its Monte Carlo errors."""
        observed, expected = self.tails()
        error, expected_error = (e.std(axis=0) for e in self.bootstrap(key))
        return CLs(
            name=name,
            method="toys",
            toys=self.signal.shape[1],
            failed=self.failed,
            observed=observed,
            expected=expected,
            observed_error=error,
            expected_error=expected_error,
            status=self.status,
            values=self.values,
            q=self.q,
        )

    def bootstrap(self, key: PRNGKeyArray) -> tuple[np.ndarray, np.ndarray]:
        """CLs of toys resampled with replacement, on a new first axis: their spread is the Monte Carlo error."""
        import jax

        rng, n = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel()), self.signal.shape[1]
        draws = [rng.integers(0, n, (2, n)) for _ in range(BOOTSTRAPS)]
        parts = [_tails(self.q, self.signal[:, one], self.background[:, two]) for one, two in draws]
        observed, expected = (np.stack(x) for x in zip(*parts, strict=True))
        return observed, expected


def run_toys(
    key: PRNGKeyArray, inputs: TestInputs, values: np.ndarray, n: int, progress: Progress | None = None
) -> ToyStatistics:
    """q̃ of ``n`` toys with signal at each value, and of ``n`` toys without, tested at all values."""
    import jax

    failed, total = 0, n * (1 + len(values))

    def counted(done: int, q: np.ndarray) -> np.ndarray:
        nonlocal failed
        failed += int(np.isnan(q).any(axis=0).sum())
        if progress is not None:
            progress(done * n, total, failed)
        return q

    one = np.zeros(len(values), int)
    q, status = q_tilde(inputs.data, one, values)
    key_signal, key_background = jax.random.split(key)
    background = counted(1, _toy_q(key_background, inputs, inputs.background.theta[0], values, n))
    _, there = inputs.data.ratio(one, values)
    signal = [
        counted(2 + k, _toy_q(key_signal, inputs, theta, values[k : k + 1], n))[0]
        for k, theta in enumerate(there.theta)
    ]
    status = np.maximum(status, reported_status(inputs.data)[0])
    return ToyStatistics(values, q, np.stack(signal), background, status)


def _toy_q(key: PRNGKeyArray, inputs: TestInputs, theta: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """q̃ of toys drawn at ``theta``; [point, toy]."""
    model, data = inputs.data.model, inputs.data.batch.one()
    params = dict(zip(model.names, theta, strict=True))
    toys, which = sample_toys(key, model, params, n, profiled=model.profiled(params, data)).distinct()
    rows, where = np.tile(np.arange(len(toys)), len(values)), np.repeat(values, len(toys))
    q, status = q_tilde(inputs.data.of(toys), rows, where)
    status = np.where(status == Status.NOT_POSITIVE_DEFINITE, Status.OK, status)  # q̃ needs no covariance
    return np.where(good(status), q, np.nan).reshape(len(values), -1)[:, which]


def _tails(q: np.ndarray, signal: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    band = np.nanquantile(background, ndtr(-BANDS), axis=1, method="higher")  # 5 point
    threshold = np.concatenate([q[None], band])[:, :, None] - 1e-6  # equal up to the precision of the fits is equal
    with np.errstate(invalid="ignore"):
        above_signal = np.sum(signal >= threshold, axis=2) / np.sum(np.isfinite(signal), axis=1)
        above_background = np.sum(background >= threshold, axis=2) / np.sum(np.isfinite(background), axis=1)
        ratio_of_tails = above_signal / above_background
    return ratio_of_tails[0], ratio_of_tails[1:]
