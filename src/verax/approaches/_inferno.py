"""INFERNO: a summary trained to make the expected uncertainty of the measurement small (arXiv:1806.04743).

The network's outputs are softly sorted into bins; the bins' expected events, and their derivatives with respect to the
nuisance parameters through the systematics themselves, make a likelihood: the same one that fits, with constraint
terms. Its expected uncertainty on the parameter of interest is the loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.optimize import linear_sum_assignment

from verax.errors import InputError, check_known
from verax.events import Events
from verax.infer import expected_error
from verax.learn import Network, inputs, member
from verax.model import binned_likelihood
from verax.systematics import Systematic, shift
from verax.templates import Templates

Free = tuple[tuple[str, tuple[str, ...]], ...]


class Inferno(eqx.Module):
    """Log of the expected uncertainty on the parameter of interest from the soft histogram of a batch.

    Made by :func:`inferno`. A network with K outputs fills K bins, each event shared by softmax(outputs / temperature);
    a batch is scaled to each process's expected events. Signed weights count signed: bins of a batch that come out
    below ``floor`` of their process's mean bin are lifted to it.

    Parameters
    ----------
    systematics : nuisance parameters of the measurement, and what they do to events
    free : normalisation factors and the processes that they multiply; the first is the parameter of interest
    yields : expected events of each process at the nominal parameters, in the events' order of processes
    temperature : of the softmax; smaller is nearer to hard bins
    floor : least content of a bin, in units of its process's mean bin
    """

    systematics: tuple[Systematic, ...]
    free: Free = eqx.field(static=True)
    yields: tuple[float, ...] = eqx.field(static=True)
    temperature: float = eqx.field(static=True, default=0.1)
    floor: float = eqx.field(static=True, default=1e-3)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        names = [s.name for s in self.systematics]
        process = jax.nn.one_hot(events.process, len(self.yields), axis=0)
        total = jnp.sum(process * events.weight, axis=1)
        scale = jnp.asarray(self.yields, jnp.float32) / jnp.where(jnp.abs(total) > 0, total, 1.0)

        def rates(theta: jax.Array) -> jax.Array:
            moved = shift(events, self.systematics, dict(zip(names, theta, strict=True)))
            outputs = jax.vmap(network)(inputs(network, moved))
            # Expected events of process p in bin k: ν_pk(θ) = (yield_p/Σw) Σ_i w_i(θ) softmax_k(f(x_i(θ))/temperature)
            share = jax.nn.softmax(outputs / self.temperature, axis=1)
            return scale[:, None] * ((process * moved.weight) @ share)

        nominal, slopes = _with_slopes(rates, len(names))
        least = self.floor * nominal.sum(axis=1, keepdims=True) / nominal.shape[1]
        nominal = jnp.maximum(nominal, least)
        contents = nominal, jnp.zeros_like(nominal), nominal + slopes, nominal - slopes
        edges = tuple(float(i) for i in range(nominal.shape[1] + 1))
        parameters = tuple(s.parameter for s in self.systematics)
        templates = Templates(*contents, ("soft",), (edges,), events.processes, parameters)
        model = binned_likelihood(templates, free=dict(self.free), simulation_statistics=False)
        return jnp.log(expected_error(model, self.free[0][0]))


def inferno(
    events: Events, systematics: Sequence[Systematic], free: Mapping[str, Sequence[str]], *, temperature: float = 0.1
) -> Inferno:
    """Make the loss for a measurement, whose expected events are those of the whole table of ``events``.

    Parameters
    ----------
    events : the whole training table, with expected weights
    systematics : nuisance parameters of the measurement, and what they do to events
    free : normalisation factors and the processes that they multiply; the first is the parameter of interest
    temperature : of the softmax over bins

    Raises
    ------
    InputError : for a systematic that JAX cannot differentiate (it is named), an unknown process, or a process
        whose weights do not sum to a positive number

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(3)}, process=np.array([0, 0, 1]), processes=("b", "s"))
    >>> inferno(table, (), {"mu": ("s",)}).yields
    (2.0, 1.0)
    """
    for systematic in systematics:
        systematic.check_differentiable(events, "INFERNO")
    for name, processes in free.items():
        check_known(processes, events.processes, f"normalisation factor '{name}'", "process")
    if not temperature > 0:
        raise InputError("temperature", f"{temperature:g}", "a value above zero")
    weight, process = np.asarray(events.weight, np.float64), np.asarray(events.process)
    yields = np.bincount(process, weight, len(events.processes))
    for name, value in zip(events.processes, yields, strict=True):
        if not value > 0:
            raise InputError(f"process '{name}'", f"weights that sum to {value:g}", "a positive sum")
    factors = tuple((name, tuple(processes)) for name, processes in free.items())
    return Inferno(tuple(systematics), factors, tuple(yields.tolist()), temperature)


def _with_slopes(rates: Any, n: int) -> tuple[jax.Array, jax.Array]:
    """The rates at nominal, and their derivatives [systematic, process, bin]."""
    if n == 0:
        nominal = rates(jnp.zeros(0))
        return nominal, jnp.zeros((0, *nominal.shape))
    nominal, along = jax.linearize(rates, jnp.zeros(n, jnp.float32))
    return nominal, jax.vmap(along)(jnp.eye(n, dtype=jnp.float32))


def align(networks: Any, events: Events, signal: Sequence[str]) -> Any:
    """Put the bins of networks in one order: that of the first network's signal purity.

    Bins have no order of their own, so two networks number them differently; here each network's bins are matched to the
    first one's by the events that they share. Then the members of an ensemble can be averaged, and the folds filled into
    one histogram.

    Parameters
    ----------
    networks : networks of K outputs, stacked along one or more leading axes
    events : by which bins are matched
    signal : names of the signal's processes

    >>> from verax.events import make_events
    >>> from verax.learn import blank
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> align(blank(("x",), width=8, depth=1, axes=(2,), outputs=3), table, ("s",)).layers[-1].weight.shape
    (2, 3, 8)
    """
    axes = networks.layers[-1].bias.shape[:-1]
    count = int(np.prod(axes, dtype=int))
    flat = jax.tree.map(lambda a: a.reshape(count, *a.shape[len(axes) :]) if eqx.is_array(a) else a, networks)
    one_hot = np.stack([_one_hot(member(flat, i), events) for i in range(count)])
    size = np.abs(np.asarray(events.weight, np.float64))
    is_signal = np.isin(np.asarray(events.process), [events.processes.index(p) for p in signal])
    inside, beside = (size[mask] @ one_hot[0][mask] for mask in (is_signal, ~is_signal))
    first = np.argsort(inside / np.maximum(inside + beside, 1e-300), kind="stable")
    # Both classes count alike: few signal events must not be outvoted when bins are matched.
    balanced = size / np.where(is_signal, size[is_signal].sum(), size[~is_signal].sum())
    target = one_hot[0][:, first]
    orders = [linear_sum_assignment(-(target * balanced[:, None]).T @ other)[1] for other in one_hot]
    order = jnp.asarray(np.stack(orders).reshape(*axes, -1))
    last = networks.layers[-1]
    weight = jnp.take_along_axis(last.weight, order[..., None], axis=-2)
    layer = eqx.tree_at(lambda m: (m.weight, m.bias), last, (weight, jnp.take_along_axis(last.bias, order, axis=-1)))
    return Network(networks.features, networks.standardise, (*networks.layers[:-1], layer))


@eqx.filter_jit
def _outputs(network: Any, x: jax.Array) -> jax.Array:
    return jax.vmap(network)(x)


def _one_hot(network: Any, events: Events) -> np.ndarray:
    outputs = np.asarray(_outputs(network, jnp.asarray(inputs(network, events))))
    return np.eye(outputs.shape[1])[outputs.argmax(axis=1)]


def softmax(temperature: float = 0.1) -> "Shares":
    """Make the moments of the bin that an event falls into, shares p and variances p(1 − p), for ``score`` and ``predict``.

    Parameters
    ----------
    temperature : of the softmax over bins

    >>> [v.tolist() for v in softmax()(jnp.zeros(2))]
    [[0.5, 0.5], [0.25, 0.25]]
    """
    return Shares(temperature)


class Shares(eqx.Module):
    """Callable of :func:`softmax`; compares by value."""

    temperature: float = eqx.field(static=True)

    def __call__(self, outputs: Float[jax.Array, " bin"]) -> tuple[Float[jax.Array, " bin"], Float[jax.Array, " bin"]]:
        share = jax.nn.softmax(outputs / self.temperature)
        return share, share * (1 - share)
