"""Where columns live: the whole line, or between two ends."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from verax.arrays import Array
from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import Frozen, standardise

_CLOSEST = 1e-6
"""Closest that a point comes to an end, as a share of the range: float32 tells no more near 1."""

_AT_END = 1e-3
"""Share of the events exactly at an end above which they are no rounding."""


class Support(Frozen):
    """Map of columns to the real line: standardised, or, for a column with ends, Φ⁻¹ of its place between them.

    A column that is uniform between its ends becomes a standard Gaussian, with tails as a flow wants them.

    Parameters
    ----------
    low, high : ends of the columns that have them
    centre, scale : of the others
    bounded : which are which
    """

    low: Float[Array, "*batch column"]
    high: Float[Array, "*batch column"]
    centre: Float[Array, "*batch column"]
    scale: Float[Array, "*batch column"]
    bounded: Bool[Array, "*batch column"]

    def __call__(self, x: Float[jax.Array, " column"]) -> tuple[Float[jax.Array, " column"], Float[jax.Array, ""]]:
        """The point on the line, and the log of the map's derivative: −∞ for a point outside the ends."""
        length = self.high - self.low
        place = jnp.clip((x - self.low) / length, _CLOSEST, 1 - _CLOSEST)
        line = jnp.where(self.bounded, jax.scipy.special.ndtri(place), (x - self.centre) / self.scale)
        inner = -jax.scipy.stats.norm.logpdf(jnp.where(self.bounded, line, 0.0)) - jnp.log(length)
        log_slope = jnp.sum(jnp.where(self.bounded, inner, -jnp.log(self.scale)))
        outside = jnp.any(self.bounded & ((x < self.low) | (x > self.high)))
        return line, jnp.where(outside, -jnp.inf, log_slope)

    def inverse(self, line: Float[jax.Array, " column"]) -> Float[jax.Array, " column"]:
        """The point in the columns' own units."""
        inside = self.low + (self.high - self.low) * jax.scipy.stats.norm.cdf(line)
        return jnp.where(self.bounded, jnp.clip(inside, self.low, self.high), self.centre + self.scale * line)


def support(events: Events, columns: Sequence[str], bounds: Mapping[str, tuple[float, float]]) -> Support:
    """The support of the columns, with centre and scale from ``events`` where no bounds are given.

    Raises
    ------
    InputError : for an unknown column, one with values that are not finite, or outside its bounds, or a share of them
        exactly at an end, or bounds that are not two finite numbers in order
    """
    check_known(bounds, columns, "bounds", "column")
    x = np.asarray(events.features(columns), np.float64)
    for name, values in zip(columns, x.T, strict=True):
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(f"column '{name}'", f"{bad} NaN or infinite values", "finite values", "drop those rows")
        if name not in bounds:
            continue
        low, high = bounds[name]
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InputError(f"bounds of '{name}'", f"({low:g}, {high:g})", "two finite numbers in order")
        outside = int(((values < np.float32(low)) | (values > np.float32(high))).sum())
        if outside:
            seen = f"{outside} values outside ({low:g}, {high:g})"
            raise InputError(f"column '{name}'", seen, "values within the bounds")
        for end in (low, high):
            there = int((values == np.float32(end)).sum())
            if there > max(2, _AT_END * values.size):
                seen = f"{there} of {values.size} values exactly at its end {end:g}"
                expected = "values between the ends: a density has no room for a share of the events at one value"
                raise InputError(f"column '{name}'", seen, expected, "model the share of these events by itself")
    unit = standardise(x, np.asarray(events.weight))
    ends = [[bounds.get(name, (0.0, 1.0))[i] for name in columns] for i in (0, 1)]
    lowest, highest = (jnp.asarray(end, jnp.float32) for end in ends)
    return Support(lowest, highest, unit.centre, unit.scale, jnp.asarray([name in bounds for name in columns]))
