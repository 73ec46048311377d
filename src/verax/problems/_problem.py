"""What a problem is: events of any number at any parameter values, whose truth is known."""

import abc
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.parameters import Parameter, Params, by_name, check_value
from verax.systematics import Systematic, shift

POI = Parameter("mu", init=1.0, bounds=(-50.0, 50.0))
"""Signal strength: the signal's yield in units of the nominal one."""


class AbstractProblem(eqx.Module):
    """A measurement of a signal strength μ in the presence of systematics, from a simulation of its own.

    Parameters
    ----------
    features : columns that a network may read
    processes : names of all processes
    signal : names of those that μ multiplies
    yields : expected events of each process at the nominal parameters
    systematics : with a parameter each, in units of its prior width (or of a scale that the problem states, if free)
    """

    features: tuple[str, ...] = eqx.field(static=True)
    processes: tuple[str, ...] = eqx.field(static=True)
    signal: tuple[str, ...] = eqx.field(static=True)
    yields: tuple[float, ...] = eqx.field(static=True)
    systematics: tuple[Systematic, ...] = eqx.field(static=True)

    @abc.abstractmethod
    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        """Simulate events at the nominal parameters, weighted to each process's expected yield; works under ``jit``.

        Parameters
        ----------
        key : random key of the events
        n : events of each process
        """

    def select(self, events: Events) -> Events:
        """Keep what a measurement keeps, after every shift: events that are not selected have weight zero.

        Parameters
        ----------
        events : after a shift
        """
        return events

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """μ, then the parameters of the systematics."""
        return (POI, *(s.parameter for s in self.systematics))

    @property
    def poi_unit(self) -> float:
        """What μ = 1 stands for in the literature's unit of the problem (50 signal events, say): σ there is this × σ_μ."""
        return 1.0

    def sample(self, key: PRNGKeyArray, params: Params, n: int) -> Events:
        """Simulate events at any parameters, selected; a process's weights sum to its expected yield there.

        Values that are being traced are not checked.

        Parameters
        ----------
        key : random key of the events
        params : values by name; a systematic's may be one number or one per event
        n : events of each process

        Raises
        ------
        InputError : for an unknown parameter (nearest name given), one outside its bounds, or fewer than one event
        """
        if n < 1:
            raise InputError("sample", f"{n} events of each process", "at least one")
        self.check(params)
        thetas = {name: jnp.asarray(value, jnp.float32) for name, value in params.items() if name != POI.name}
        events = _selected(self, key, thetas, n)
        strength = jnp.where(events.is_process(self.signal), params.get(POI.name, POI.init), 1.0)
        return events.reweight(jnp.asarray(strength, events.weight.dtype))

    def check(self, params: Params) -> None:
        """Check that :meth:`sample` takes these values.

        Parameters
        ----------
        params : values by name

        Raises
        ------
        InputError : where it does not
        """
        known = by_name(self.parameters, params, type(self).__name__)
        for name, value in params.items():
            check_value(known[name], value, type(self).__name__)


@eqx.filter_jit
def _selected(problem: AbstractProblem, key: PRNGKeyArray, thetas: dict[str, jax.Array], n: int) -> Events:
    return problem.select(shift(problem.nominal(key, n), problem.systematics, thetas))


def assemble(
    key: PRNGKeyArray,
    x: Sequence[Float[jax.Array, "n column"]],
    *,
    columns: tuple[str, ...],
    processes: tuple[str, ...],
    yields: Sequence[float],
) -> Events:
    """Events from the same number ``n`` of each process, with equal weights that sum to the process's yield.

    The numbers are random, so that samples from different keys can be joined without sharing identities.
    """
    n = len(x[0])
    weight = jnp.repeat(jnp.asarray(yields, jnp.float32) / n, n)
    process = jnp.repeat(jnp.arange(len(x), dtype=jnp.int32), n)
    number = jax.random.bits(key, (n * len(x),), jnp.uint32)
    return Events(jnp.concatenate(x).astype(jnp.float32), weight, process, number, columns, processes)
