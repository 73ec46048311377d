"""A systematic is a function ``Events, θ → Events`` with a parameter; ``shift`` applies any set of them."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.arrays import Array, Scalar
from verax.errors import InputError, check_known
from verax.events import Events
from verax.parameters import Parameter, Params, by_name, check_value

Theta: TypeAlias = Scalar | Float[Array, " event"]
"""A nuisance parameter in units of its prior width: one value for all events, or one per event."""

Effect: TypeAlias = Callable[[Events, Theta], Events]
Recompute: TypeAlias = Callable[[Events], Events]


class StagedEffect(abc.ABC):
    """An effect in two stages, so that several of them need the second once only: move columns, then recompute."""

    @property
    @abc.abstractmethod
    def recompute(self) -> Recompute:
        """Brings the columns that depend on the moved ones up to date; equal ones are interchangeable."""

    @abc.abstractmethod
    def move(self, events: Events, theta: Theta) -> Events:
        """Move the columns that the effect acts on; dependent ones are still the old ones.

        Parameters
        ----------
        events : at the nominal values
        theta : θ in units of its prior width, one number or one per event
        """

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events at ``theta``."""
        return self.recompute(self.move(events, theta))


class Systematic(eqx.Module):
    """One source of systematic uncertainty: its parameter, and what it does to events.

    Effects that are frozen dataclasses (all those of this package) compare by value: two equal systematics share one
    compiled function, and they can be sent to other processes.

    Parameters
    ----------
    parameter : θ in units of the prior width, nominal at 0 (see :func:`verax.parameters.nuisance`)
    effect : ``Events, θ → Events``; at θ = 0 the same events; recomputes all that depends on what it changes
    one_sided : θ and −θ have the same effect on average (a resolution, say): up and down lie on one side
    traceable : made of JAX operations, so that it works under ``jit``, ``grad`` and ``vmap``
    changes : columns that it changes before anything is recomputed; ``"weight"`` stands for the weights
    needs : columns that it reads
    """

    parameter: Parameter = eqx.field(static=True)
    effect: Effect
    one_sided: bool = eqx.field(default=False, static=True)
    traceable: bool = eqx.field(default=True, static=True)
    changes: tuple[str, ...] = eqx.field(default=(), static=True)
    needs: tuple[str, ...] = eqx.field(default=(), static=True)

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name

    def __call__(self, events: Events, theta: Theta) -> Events:
        """The events at ``theta``.

        Raises
        ------
        InputError : when the events lack a column that the effect reads; for θ outside the parameter's bounds; when an
            effect that JAX cannot trace is called inside ``jit``, ``grad`` or ``vmap``
        """
        self.check(events, theta)
        return self.act(self.effect, events, theta)

    def act(self, effect: Effect, events: Events, theta: Theta) -> Events:
        """Apply the effect (or its first stage); one that JAX cannot trace, unlike what it says, is named.

        Parameters
        ----------
        effect : of this systematic, or its first stage
        events : at the nominal values
        theta : θ in units of its prior width, one number or one per event

        Raises
        ------
        InputError : for an effect that JAX cannot trace, inside ``jit``, ``grad`` or ``vmap``
        """
        try:
            return effect(events, theta)
        except jax.errors.JAXTypeError:
            self._refuse("an effect that JAX cannot trace", "jit, grad or vmap")

    def check(self, events: Events, theta: Theta) -> None:
        """Check that a call would not raise.

        Parameters
        ----------
        events : at the nominal values
        theta : θ in units of its prior width, one number or one per event

        Raises
        ------
        InputError : where a call would
        """
        check_known(self.needs, events.columns, f"systematic '{self.name}'", "column")
        check_value(self.parameter, theta, "shift")
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((events, theta))):
            self.check_traceable("jit, grad or vmap")

    def check_traceable(self, where: str) -> None:
        """Check that the effect is made of JAX operations.

        Parameters
        ----------
        where : what needs it, for the message

        Raises
        ------
        InputError : where it is not, naming it and ``where``
        """
        if not self.traceable:
            self._refuse("an effect that JAX cannot trace", where)

    def check_differentiable(self, events: Events, where: str) -> None:
        """Check that the effect has a derivative, also where it only says that JAX can trace it.

        One that moves these events (up to 512 of them are tried) though its derivative in θ is zero has none, such as
        rounded columns or cuts on θ.

        Parameters
        ----------
        events : that it is tried on
        where : what needs it, for the message

        Raises
        ------
        InputError : where it has none, naming it and ``where``
        """
        self.check_traceable(where)
        some = events.take(np.linspace(0, len(events) - 1, min(len(events), 512)).astype(np.int64))

        def moved(theta: Array) -> tuple[Array, Array]:
            found = self(some, theta)
            return jnp.asarray(found.x), jnp.asarray(found.weight)

        jax.eval_shape(self, some, jnp.float32(0.0))
        points = [jax.jvp(moved, (jnp.float32(t),), (jnp.float32(1.0),)) for t in (-0.7, 0.4)]
        (low, slopes), (high, more) = points
        moves = any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(low, high, strict=True))
        if moves and not any(np.any(np.asarray(s)) for s in (*slopes, *more)):
            self._refuse("an effect whose derivative in θ is zero, though it moves events", where)

    def _refuse(self, seen: str, where: str) -> NoReturn:
        action = (
            "write it with jax.numpy, or interpolate it between θ = +1 and −1 (verax.systematics.interpolable; 'jax: "
        )
        action += "false' in an analysis file)"
        raise InputError(f"systematic '{self.name}' in {where}", seen, "one that can be differentiated", action)


def shift(events: Events, systematics: Sequence[Systematic], params: Params) -> Events:
    """Move events to the nuisance parameters' values, effects applied in the order of ``systematics``.

    What neighbouring effects recompute alike is recomputed once.

    Parameters
    ----------
    events : at the nominal values
    systematics : in the order in which they act
    params : values by name, one number or one per event, in units of prior widths; those not given are nominal, 0

    Raises
    ------
    InputError : for a name that no systematic has, with the nearest one that exists; and as the systematics themselves
    """
    by_name([s.parameter for s in systematics], params, "shift")
    pending: Recompute | None = None
    for systematic in systematics:
        theta = params.get(systematic.name)
        if theta is None or _is_nominal(theta):
            continue
        systematic.check(events, theta)
        effect = systematic.effect
        following = effect.recompute if isinstance(effect, StagedEffect) else None
        if pending is not None and pending != following:  # this effect may read what is out of date
            events = pending(events)
        events = systematic.act(effect.move if isinstance(effect, StagedEffect) else effect, events, theta)
        pending = following
    return events if pending is None else pending(events)


def _is_nominal(theta: Theta) -> bool:
    """True for a plain 0, which no derivative is taken of: nothing to compute, and the rows stay as they are."""
    return isinstance(theta, int | float) and theta == 0


def limited(events: Events, varied: Events, processes: tuple[str, ...]) -> Events:
    """Take the ``varied`` events where they belong to ``processes``, the given ones elsewhere.

    Parameters
    ----------
    events : before an effect
    varied : the same events after it
    processes : names; () stands for all

    Raises
    ------
    InputError : for an unknown process, with the nearest name
    """
    if not processes:
        return varied
    chosen = events.is_process(processes)
    x = jnp.where(chosen[:, None], varied.x, events.x)
    weight = jnp.where(chosen, varied.weight, events.weight)
    return Events(x, weight, events.process, events.number, events.columns, events.processes)


def aslike(theta: Theta, values: Array) -> jax.Array:
    """Convert θ to the precision of the ``values`` that it acts on, whatever the caller's.

    Parameters
    ----------
    theta : θ in units of its prior width, one number or one per event
    values : columns or weights of events

    >>> aslike(1.0, np.zeros(3, np.float32)).dtype.name
    'float32'
    """
    return jnp.asarray(theta, values.dtype)


def checked_width(width: float, name: str) -> float:
    """The prior width, after checking that it is one.

    Raises
    ------
    InputError : when it is zero, negative or not finite
    """
    if not (math.isfinite(width) and width > 0):
        raise InputError(f"systematic '{name}'", f"prior width {width}", "a finite width above zero", "drop it instead")
    return float(width)
