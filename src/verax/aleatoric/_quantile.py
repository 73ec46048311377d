"""Quantile regression: several quantiles of one target at once, which never cross (Koenker and Bassett, 1978)."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.stats import norm

from verax.errors import InputError
from verax.events import Events
from verax.learn import classifier

from ._head import Head, MakeBody, outputs, target_scale


class Quantiles(Head):
    """Network ``x[feature] → quantiles[level]`` of the target, in its units, never decreasing; made by :func:`quantiles`.

    The quantile nearest the median is free, the others are sums of positive steps from it: no penalty and no sorting is
    needed. They start as those of a Gaussian with the target's mean and width.

    Parameters
    ----------
    levels : probabilities below each quantile
    """

    levels: tuple[float, ...] = eqx.field(static=True)

    def __call__(
        self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None
    ) -> Float[jax.Array, " level"]:
        raw = self.raw(x, key)
        z = norm.ppf(self.levels).astype(np.float32)
        middle = int(np.argmin(np.abs(z)))
        steps = np.diff(z) * jax.nn.softplus(raw[1:]) / np.log(2).astype(np.float32)
        above = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
        centre, scale = self.units()
        return centre + scale * (raw[0] + z[middle] + above - above[middle])


def quantiles(
    key: PRNGKeyArray,
    events: Events,
    *,
    features: Sequence[str],
    target: str,
    levels: Sequence[float] = (0.05, 0.16, 0.5, 0.84, 0.95),
    make: MakeBody = classifier,
) -> Quantiles:
    """Make a fresh network of quantiles, standardised to ``events``; train it on :class:`Pinball` with the same levels.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    features : columns that it reads
    target : column that it predicts
    levels : probabilities below each quantile, in (0, 1)
    make : ``(key, events, features=…, outputs=len(levels)) → network``

    Raises
    ------
    InputError : for levels that do not increase strictly within (0, 1), an unknown column, a target that is a feature,
        or one that is not finite

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = quantiles(jax.random.key(0), table, features=("x",), target="y", levels=(0.1, 0.9))
    >>> jax.eval_shape(network, jnp.zeros(1)).shape
    (2,)
    """
    levels = check_levels(levels)
    scale = target_scale(events, target, features)
    body = make(key, events, features=tuple(features), outputs=len(levels))
    return Quantiles(body, scale, target, levels)


class Pinball(eqx.Module):
    """Weighted pinball loss, the mean over levels τ and rows: w·max(τ (y − q), (τ − 1)(y − q)), in units of the target.

    Its minimum is the quantile of the weighted events. Signed weights are kept signed: unbiased, and without lower bound
    where a region's total weight is negative (see :class:`verax.learn.CrossEntropy`).

    Parameters
    ----------
    target : column that the network predicts
    levels : τ of each quantile, in (0, 1)

    Raises
    ------
    InputError : for levels out of order or outside (0, 1), and (in use) for a network of another number of outputs

    >>> from verax.events import make_events
    >>> table = make_events({"y": np.array([-1.0, 1.0])})
    >>> float(Pinball("y", (0.5,))(lambda x: jnp.zeros(1), table, jax.random.key(0)))  # ½ |y|
    0.5
    """

    target: str = eqx.field(static=True)
    levels: tuple[float, ...] = eqx.field(static=True, default=(0.05, 0.16, 0.5, 0.84, 0.95))

    def __check_init__(self) -> None:
        check_levels(self.levels)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        found = outputs(network, events, key, (len(self.levels),), "Pinball")
        above = jnp.asarray(events.column(self.target))[:, None] - found
        level = jnp.asarray(self.levels, found.dtype)
        return jnp.mean(events.weight[:, None] * jnp.maximum(level * above, (level - 1) * above))


class QuantileMoments(eqx.Module):
    """Mean and variance from quantiles: the ``moments`` for :func:`verax.learn`.

    Between levels the quantile is interpolated linearly in z = Φ⁻¹(τ), and beyond the last ones extended with the same
    slope. Both integrals over z are then closed forms, and exact for a Gaussian; for other tails the variance is as good
    as the extension.

    Parameters
    ----------
    levels : probabilities below each quantile

    Raises
    ------
    InputError : for fewer than two levels, or levels out of order or outside (0, 1)

    >>> levels = (0.16, 0.5, 0.84)
    >>> [round(float(v), 4) for v in QuantileMoments(levels)(jnp.asarray(norm.ppf(levels), jnp.float32))]
    [0.0, 1.0]
    """

    levels: tuple[float, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        if len(check_levels(self.levels)) < 2:
            expected = "at least two: one says nothing of a variance"
            raise InputError("quantile moments", f"levels {self.levels}", expected)

    def __call__(self, output: Float[jax.Array, " level"]) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
        z = norm.ppf(self.levels)
        ends = np.concatenate([[-np.inf], z[1:-1], [np.inf]])  # one piece between each pair of levels
        share = np.diff(norm.cdf(ends))
        first = -np.diff(norm.pdf(ends))  # ∫ z φ
        edge = np.where(np.isfinite(ends), ends, 0) * norm.pdf(ends)
        second = share - np.diff(edge)  # ∫ z² φ
        middle = output[len(self.levels) // 2]
        here = output - middle  # small numbers, so that the variance is no difference of large ones
        slope = jnp.diff(here) / np.diff(z)
        start = here[:-1] - slope * z[:-1]
        # q(z) = start + slope·z on each piece: E[q] = Σ (start ∫φ + slope ∫zφ), and E[q²] likewise
        mean = jnp.sum(start * share + slope * first)
        square = jnp.sum(start**2 * share + 2 * start * slope * first + slope**2 * second)
        return (middle + mean).astype(output.dtype), jnp.maximum(square - mean**2, 0.0).astype(output.dtype)


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Check that levels increase strictly within (0, 1), and give them as a tuple.

    Raises
    ------
    InputError : when they do not
    """
    found = tuple(float(level) for level in levels)
    if not found or not all(0 < level < 1 for level in found):
        raise InputError("quantile levels", f"{found}", "numbers inside (0, 1)")
    if any(b <= a for a, b in zip(found, found[1:], strict=False)):
        raise InputError("quantile levels", f"{found}", "strictly increasing numbers", "sort them, and name each once")
    return found
