"""A variation split in two: how many events (a factor per process and channel), and where they are (a shape)."""

import numpy as np

from verax.arrays import Array, Float, Int, namespace

Factors = Float[Array, "systematic process channel"]
Varied = Float[Array, "systematic process bin"]


def normalisation_part(
    nominal: Float[Array, "process bin"], up: Varied, down: Varied, channel: Int[np.ndarray, " bin"]
) -> tuple[Factors, Factors]:
    """log(yield at ±1 / nominal yield) per systematic, process and channel.

    Zero where a yield is not positive or changes more than 100-fold: no factor can describe that, so all of the change
    is left to the shape.
    """
    xp = namespace(nominal, up, down)
    in_channel = np.eye(channel.max() + 1)[channel]
    yields, high, low = nominal @ in_channel, up @ in_channel, down @ in_channel
    sane = (yields > 0) & (xp.minimum(high, low) > 0.01 * yields) & (xp.maximum(high, low) < 100.0 * yields)
    safe = xp.where(sane, yields, 1.0)
    return xp.log(xp.where(sane, high, 1.0) / safe), xp.log(xp.where(sane, low, 1.0) / safe)


def shape_part(nominal: Float[Array, "process bin"], up: Varied, down: Varied) -> tuple[Varied, Varied]:
    """S = (up − down)/2 and A = (up + down)/2 − nominal, rounding errors of a pure normalisation set to zero."""
    xp = namespace(nominal, up, down)
    rounding = 1e-12 * xp.absolute(nominal)
    rise = xp.where(xp.absolute(up - nominal) > rounding, up - nominal, 0.0)
    fall = xp.where(xp.absolute(down - nominal) > rounding, down - nominal, 0.0)
    return (rise - fall) / 2, (rise + fall) / 2
