"""Systematics known only from up and down samples of the same events: each event's columns are interpolated.

The values at θ = ±1 travel with the events, as further columns; so the effect is a function like any other, which can
be drawn from, differentiated and sent elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from verax.errors import InputError
from verax.events import Events, make_events
from verax.parameters import Parameter

from ._effect import Systematic, Theta, aslike

WEIGHT = "weight"


def pair(events: Events, systematic: Systematic, *, missing: float | None = None) -> tuple[Events, Systematic]:
    """Interpolate a systematic between what it does to each event at θ = ±1: the same events and it.

    For effects that JAX cannot trace. As :func:`interpolate`, of the events that ``systematic`` makes.

    Parameters
    ----------
    events : at the nominal values
    systematic : that JAX cannot trace
    missing : the value that stands for "not measured" (NaN is allowed)

    Raises
    ------
    InputError : as :func:`interpolate`
    """
    up, down = systematic(events, 1.0), systematic(events, -1.0)
    return interpolate(systematic.parameter, events, up, down, missing=missing)


def interpolate(
    parameter: Parameter, events: Events, up: Events, down: Events | None, *, missing: float | None = None
) -> tuple[Events, Systematic]:
    """Interpolate between samples: the events with what ``up`` and ``down`` say of them, and the systematic that reads it.

    A column goes through its three values as a parabola between θ = ±1 and straight on beyond; a weight as the
    exponential of one, where the ratios are positive. An event must be the same in all three, in the same row.

    Parameters
    ----------
    parameter : θ, in units of its prior width
    events : at the nominal values
    up : the events at θ = +1
    down : the events at θ = −1; without them, up is mirrored
    missing : the value that stands for "not measured" (NaN is allowed); an event's column that is missing in any of the
        three stays as it is nominally, since nothing lies between a momentum and none

    Raises
    ------
    InputError : when the samples hold other events than the nominal one
    """
    where = f"systematic '{parameter.name}'"
    for name, other in {"up": up, "down": down}.items():
        if other is None:
            continue
        same = len(other) == len(events) and np.array_equal(np.asarray(other.number), np.asarray(events.number))
        if not same or not np.array_equal(np.asarray(other.process), np.asarray(events.process)):
            seen = f"a sample '{name}' of {len(other)} events that are not the {len(events)} nominal ones"
            raise InputError(where, seen, "the same events in the same order", "interpolate templates instead")
    nominal, moved = np.asarray(events.x), list[str]()
    more: dict[str, np.ndarray] = {}
    for i, column in enumerate(events.columns):
        rise = _difference(np.asarray(up.column(column)), nominal[:, i], missing)
        fall = -rise if down is None else _difference(np.asarray(down.column(column)), nominal[:, i], missing)
        if missing is not None:
            whole = np.isfinite(rise) & np.isfinite(fall)
            rise, fall = np.where(whole, rise, 0), np.where(whole, fall, 0)
        if rise.any() or fall.any():
            moved.append(column)
            more |= {_column(column, parameter, side): x for side, x in {"up": rise, "down": fall}.items()}
    weight = np.asarray(events.weight, np.float64)
    rise = _log_ratio(np.asarray(up.weight), weight)
    fall = -rise if down is None else _log_ratio(np.asarray(down.weight), weight)
    if rise.any() or fall.any():
        moved.append(WEIGHT)
        more |= {_column(WEIGHT, parameter, side): x for side, x in {"up": rise, "down": fall}.items()}
    extended = make_events(
        {**dict(zip(events.columns, nominal.T, strict=True)), **more},
        weight=np.asarray(events.weight),
        process=np.asarray(events.process),
        number=np.asarray(events.number),
        processes=events.processes,
    )
    effect = Interpolated(parameter.name, tuple(moved))
    needs = (*(column for column in moved if column != WEIGHT), *more)
    return extended, Systematic(parameter, effect, changes=tuple(moved), needs=needs)


def _column(column: str, parameter: Parameter | str, side: str) -> str:
    return f"{column}|{parameter if isinstance(parameter, str) else parameter.name}|{side}"


def _difference(varied: np.ndarray, nominal: np.ndarray, missing: float | None) -> np.ndarray:
    """What is added to the nominal values; NaN where one of the two is missing."""
    if missing is None or np.isnan(missing):
        return varied - nominal
    return np.where((varied == missing) | (nominal == missing), np.nan, varied - nominal)


def _log_ratio(varied: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Log of the factor on each weight; 0 where the ratio is not positive (there is no factor then)."""
    ratio = np.divide(varied, weight, out=np.ones_like(weight), where=weight != 0)
    return np.log(np.where(ratio > 0, ratio, 1.0))


@dataclass(frozen=True)
class Interpolated:
    """Columns of the parameter ``name``'s up and down values, interpolated at θ."""

    name: str
    columns: tuple[str, ...]

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events at ``theta``."""
        changed = {}
        for column in self.columns:
            rise, fall = (events.column(_column(column, self.name, side)) for side in ("up", "down"))
            value = aslike(theta, rise)
            odd, even = (rise - fall) / 2, (rise + fall) / 2
            bent = jnp.where(jnp.abs(value) < 1, value**2, 2 * jnp.abs(value) - 1)
            changed[column] = odd * value + even * bent
        factor = jnp.exp(changed.pop(WEIGHT)) if WEIGHT in changed else None
        moved = events.replace({column: events.column(column) + change for column, change in changed.items()})
        return moved if factor is None else moved.reweight(factor)


def interpolable(
    events: Events, systematics: Sequence[Systematic], *, missing: float | None = None
) -> tuple[Events, tuple[Systematic, ...]]:
    """Replace systematics that JAX cannot trace by their interpolation, event by event: the events and all systematics.

    Parameters
    ----------
    events : at the nominal values
    systematics : traceable or not
    missing : the value that stands for "not measured" (NaN is allowed)

    Raises
    ------
    InputError : as :func:`interpolate`
    """
    found = []
    for systematic in systematics:
        if not systematic.traceable:
            events, systematic = pair(events, systematic, missing=missing)
        found.append(systematic)
    return events, tuple(found)
