"""Normalising flows: a density of several columns, given others or not, that can be evaluated and sampled.

Autoregressive: column i is moved by a monotone map whose parameters a masked network makes of columns 1 … i − 1 and the
condition (MADE, arXiv:1502.03509; MAF, arXiv:1705.07057), a rational-quadratic spline (neural spline flow,
arXiv:1906.04032) or an affine map. Several such layers, each with the order of columns reversed, take the data to a
standard Gaussian. Source for the whole: Papamakarios et al., arXiv:1912.02762.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError, check_least
from verax.events import Events
from verax.learn import Standardise

from ._head import Condition, check_columns, check_total, condition_of, condition_scale, outputs
from ._made import Masked
from ._spline import affine, affine_inverse, spline, spline_inverse
from ._support import Support, support

Kind = Literal["spline", "affine"]

_ROWS = 1 << 15
"""Events that are evaluated at once: what bounds the memory."""

PerColumn = Float[jax.Array, " column"]


class Flow(eqx.Module):
    """Density of ``columns`` given ``condition``, made by :func:`flow`; arrays have the columns in this order.

    Called with a point (columns, then condition) it gives the log-density there, so that :func:`verax.learn` with
    ``moments=density`` gives the mean density over members and its epistemic variance.

    Parameters
    ----------
    columns : what it is a density of
    condition : what it is given (may be none)
    kind : the monotone maps, "spline" or "affine"
    support : fixed map of the columns to the real line
    given : fixed map of the condition to unit scale
    layers : the trainable part
    """

    columns: tuple[str, ...] = eqx.field(static=True)
    condition: tuple[str, ...] = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)
    support: Support
    given: Standardise
    layers: tuple[Masked, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that a call reads: those of the density, then the condition."""
        return self.columns + self.condition

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Float[jax.Array, ""]:
        n = len(self.columns)
        return self._log_prob(x[:n], self.given(x[n:]))

    def log_prob(self, x: Float[Array, "event column"], condition: Condition = None) -> Float[jax.Array, " event"]:
        """Evaluate the log-density of each row, per unit of the columns; −∞ outside the bounds.

        Rows are streamed: beside them it needs memory for 32,768 at a time.

        Parameters
        ----------
        x : values of the columns, in their units
        condition : of each row, ``[event, condition]``, or one for all of them; None where there is none

        Raises
        ------
        InputError : for another number of columns, or a condition that is missing, or is not expected
        """
        c = condition_of(condition, self.condition, len(x), "flow")
        if x.shape[1] != len(self.columns):
            raise InputError("flow", f"{x.shape[1]} columns", f"{len(self.columns)}: {', '.join(self.columns)}")
        return _evaluate(self, jnp.asarray(x, jnp.float32), c)

    def sample(self, key: PRNGKeyArray, n: int, condition: Condition = None) -> Float[jax.Array, "event column"]:
        """Draw ``n`` rows of the columns.

        Parameters
        ----------
        key : random key of the draws
        n : number of draws
        condition : of each draw, ``[n, condition]``, or one for all of them; None where there is none

        Raises
        ------
        InputError : for fewer than one draw, or a condition that is missing, has another shape or is not expected
        """
        if n < 1:
            raise InputError("sample", f"{n} draws", "at least one")
        return _draw(self, key, n, condition_of(condition, self.condition, n, "flow"))

    def to_base(self, x: PerColumn, condition: Float[jax.Array, " condition"]) -> PerColumn:
        """Find a point's image in the base, which has a standard Gaussian density if the flow is right.

        Parameters
        ----------
        x : values of the columns, in their units
        condition : of the point
        """
        z, _ = self._forward(self.support(x)[0], self.given(condition))
        return z

    def from_base(self, z: PerColumn, condition: Float[jax.Array, " condition"]) -> PerColumn:
        """Find the point whose image is ``z``.

        Parameters
        ----------
        z : a point of the base, in units of a standard Gaussian
        condition : of the point
        """
        given, inverse = self.given(condition), spline_inverse if self.kind == "spline" else affine_inverse
        for layer in reversed(self.layers):
            z = z[::-1]  # each layer leaves its columns in reversed order

            def step(x: jax.Array, _: None, layer: Masked = layer, z: jax.Array = z) -> tuple[jax.Array, None]:
                # After i passes the first i columns are right, and with them the map of the next one.
                return jax.vmap(inverse)(z, layer(x, given)), None

            z, _ = jax.lax.scan(step, jnp.zeros_like(z), None, length=len(self.columns))
        return self.support.inverse(z)

    def _forward(self, x: jax.Array, given: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_det, forward = jnp.zeros(()), spline if self.kind == "spline" else affine
        for layer in self.layers:
            # z_i = τ(x_i; h_i(x_{<i}, condition)): the Jacobian is triangular, and ln |det| = Σ_i ln ∂z_i/∂x_i
            x, log_slope = jax.vmap(forward)(x, layer(x, given))
            x, log_det = x[::-1], log_det + jnp.sum(log_slope)
        return x, log_det

    def _log_prob(self, x: jax.Array, given: jax.Array) -> jax.Array:
        line, log_slope = self.support(x)
        z, log_det = self._forward(line, given)
        # ln p(x) = ln φ(z) + ln |det ∂z/∂x| (arXiv:1912.02762, section 2.1)
        return jnp.sum(jax.scipy.stats.norm.logpdf(z)) + log_det + log_slope


@eqx.filter_jit
def _evaluate(flow: Flow, x: jax.Array, condition: jax.Array) -> jax.Array:
    return jax.lax.map(lambda row: flow._log_prob(row[0], flow.given(row[1])), (x, condition), batch_size=_ROWS)


@eqx.filter_jit
def _draw(flow: Flow, key: PRNGKeyArray, n: int, condition: jax.Array) -> jax.Array:
    z = jax.random.normal(key, (n, len(flow.columns)), jnp.float32)
    return jax.lax.map(lambda row: flow.from_base(row[0], row[1]), (z, condition), batch_size=_ROWS)


def flow(
    key: PRNGKeyArray,
    events: Events,
    columns: Sequence[str],
    *,
    condition: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    kind: Kind = "spline",
    layers: int = 2,
    bins: int = 12,
    width: int = 64,
    depth: int = 2,
) -> Flow:
    """Make a fresh flow, standardised to ``events``; train it on :class:`FlowNLL`.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    columns : what it is a density of
    condition : columns that the density is conditional on
    bounds : lower and upper end of columns that have them: all of the density is then between them
    kind : "spline", or "affine", which is smoother and less able: a single layer of it is Gaussian in each column
    layers : number of autoregressive layers
    bins : number of bins of a spline
    width : units of a hidden layer, of each layer's network
    depth : number of hidden layers, of each layer's network

    Raises
    ------
    InputError : for an unknown name, a column that is also a condition, no column, bounds that do not hold the events,
        values that are not finite, or weights that do not sum to a positive number

    >>> import numpy as np
    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> made = flow(jax.random.key(0), table, ("y",), condition=("x",), kind="affine", layers=1, width=8, depth=1)
    >>> made.log_prob(np.zeros((3, 1)), np.zeros(1)).shape
    (3,)
    """
    if kind not in ("spline", "affine"):
        raise InputError("flow", f"kind '{kind}'", "'spline' or 'affine'")
    check_columns(columns, condition, "flow")
    for name, value in {"layers": layers, "bins": bins, "width": width}.items():
        check_least(value, 1, name)
    check_total(events)
    per_column = 3 * bins - 1 if kind == "spline" else 2
    keys = jax.random.split(key, layers)
    made = tuple(Masked.make(k, len(columns), len(condition), per_column, width=width, depth=depth) for k in keys)
    scales = support(events, columns, bounds or {}), condition_scale(events, condition)
    return Flow(tuple(columns), tuple(condition), kind, *scales, made)


class FlowNLL(eqx.Module):
    """Weighted maximum likelihood: −(1/n) Σ w ln p(x | condition), for a :class:`Flow`.

    Signed weights are kept signed: unbiased, but where the total weight of a region is negative the density falls
    towards zero there without end, and the loss with it. Early stopping on a validation part is what ends that.

    >>> import numpy as np
    >>> from verax.events import make_events
    >>> table = make_events({"x": np.array([1.0, 2.0])})
    >>> float(FlowNLL()(lambda x: -x[0], table, jax.random.key(0)))  # of a log-density −x
    1.5
    """

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        return -jnp.mean(events.weight * outputs(network, events, key, (), "FlowNLL"))


def density(log_prob: Float[jax.Array, ""]) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Turn a log-density into the density, with no variance of its own: ``moments`` whose spread over members is epistemic.

    Parameters
    ----------
    log_prob : of a :class:`Flow` at one point

    >>> [float(v) for v in density(jnp.zeros(()))]
    [1.0, 0.0]
    """
    return jnp.exp(log_prob), jnp.zeros_like(log_prob)
