"""Laplace approximation: a Gaussian at the mode of the posterior, over the last layer's weights or over all of them.

Sources: MacKay 1992; Daxberger et al., "Laplace Redux", arXiv:2106.14806. The curvature is the generalised Gauss–Newton
matrix Σ_i J_iᵀ H_i J_i (J_i the Jacobian of the outputs, H_i the Hessian of an event's weighted loss in them), which is
the Hessian where outputs are linear in the weights; Fisher's, with the H_i expected where the network is right, which is
positive also far from the mode; or the Hessian itself. For a linear Gaussian model they are the same, and exact.

``which="all"`` keeps a full matrix over all weights: for up to some thousands. Its members are linear in the weights
(:class:`Linearised`, Immer et al., arXiv:2008.08400), as the Gauss–Newton matrix takes a network to be: networks with
drawn weights lie far from the posterior along its curved valleys, and predict badly. A last layer is linear anyway.

Where events leave a direction open (σ of noisy logits, a component of a mixture that is not needed) its variance is the
prior's, along a straight line of any length: outputs that enter as exponentials then mean nothing. Use another method.
"""

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.optimize import minimize_scalar

from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import Around, Loss, Make, Training, train_made
from verax.results import Status

from ._curvature import Surface, curvature_of, value_of
from ._posterior import Posterior, checked_members
from ._power_likelihood import double, observations, temper, weights

_MOST = 20_000  # weights: their matrix has 3.2 GB
_ENDS = (float(np.log(1e-6)), float(np.log(1e6)))  # of the logarithm of a precision that is searched


class Linearised(Around):
    """A network whose outputs change linearly with its weights: f(x; w) + ∇f(x; w)·change.

    Everything but the call is the network's own.

    Parameters
    ----------
    network : at the mode
    change : of the weights at ``where``, a tree with True at the leaves that change
    """

    change: Float[jax.Array, "*member weight"]
    where: Any

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Any:
        held = weights(self.network, self.where)
        output, slope = jax.jvp(lambda vector: held.network(vector)(x), (held.vector,), (self.change,))
        return jax.tree.map(jnp.add, output, slope)


@dataclass(frozen=True)
class Laplace(Posterior):
    """Gaussian over some or all weights of a network, made by :func:`laplace`.

    Its status is AT_BOUND when an end of the range of precisions, 10⁻⁶ … 10⁶, has as large an evidence as any, so that the
    range chose and not the events; MAX_STEPS when not at the mode; NOT_POSITIVE_DEFINITE when the curvature is negative
    along some direction, where the variance is then the prior's; NOT_FINITE.

    Parameters
    ----------
    network : with those weights at the mode
    which : "last" or "all"
    where : the network's tree, True at the leaves that the Gaussian is over
    mode : of those weights, in the order of ``jax.flatten_util.ravel_pytree``
    covariance : of those weights, in the same order
    precision : τ of the prior, given or of the largest evidence
    log_evidence : log marginal likelihood, up to constants of the likelihood
    offset : distance from the mode, in units of the posterior's width (Newton's decrement); near 0 at the mode
    steps : number of Newton steps
    """

    network: Any
    which: str
    where: Any
    mode: Float[np.ndarray, " weight"]
    covariance: Float[np.ndarray, "weight weight"]
    precision: float
    log_evidence: float
    offset: float
    steps: int

    @property
    def _as_trained(self) -> bool:
        return self.which == "last"

    @property
    def _left_out(self) -> str:
        if self.which == "all":
            return "a Gaussian at one mode: other modes, and what is not linear in the weights, are not in the spread"
        return "the spread is that of the last layer: what hidden units do not know is not in it"

    def members(self, key: PRNGKeyArray, n: int | None = None, *, linearised: bool | None = None) -> Any:
        """Draw ``n`` networks from the Gaussian, stacked along a leading axis ``member``.

        Parameters
        ----------
        key : random key of the draws
        n : how many, by default 50
        linearised : outputs linear in the weights, around the mode; by default where the Gaussian is over all weights.
            Without it (or for a network that is not called on a row) members are networks with drawn weights.

        Raises
        ------
        InputError : for fewer than one, or a Gaussian that is not finite
        """
        n = checked_members(n)
        if not np.isfinite(self.covariance).all():
            raise InputError("members", self.problem, "a posterior with finite numbers")
        values, vectors = np.linalg.eigh(self.covariance)
        noise = np.asarray(jax.random.normal(key, (n, len(self.mode))), np.float64)
        change = noise * np.sqrt(np.maximum(values, 0)) @ vectors.T  # Σ = VDVᵀ, so that V√D ε ~ N(0, Σ)
        held = weights(self.network, self.where)
        if (self.which == "all" and callable(self.network)) if linearised is None else linearised:
            mode = held.networks(jnp.tile(held.vector, (n, 1)))
            return Linearised(mode, jnp.asarray(change, jnp.float32), self.where)
        return held.networks(jnp.asarray(self.mode + change, jnp.float32))


def laplace(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(),
    validation: Events | None = None,
    which: str = "last",
    curvature: str = "gauss-newton",
    precision: float | None = None,
    power: str = "effective",
    negative: str = "signed",
    steps: int = 20,
    batch: int = 1024,
) -> Laplace:
    """Train a network, and take a Gaussian at the mode of the posterior of its weights, in float64.

    Parameters
    ----------
    key : random key of the start and the training
    make : ``(key, training events) → network``; Newton's method goes on from where its training ends
    loss : mean over rows of w·ℓ, with ℓ a negative log-likelihood; "gauss-newton" needs one that reads
        ``network(x)`` only
    events : training part; their weights count as ``power`` says
    training : epochs, batches, learning rate and the like; None where ``make`` gives a trained network
    validation : events that decide when its training stops
    which : "last": the last linear layer; "all": every trainable weight
    curvature : "gauss-newton" (positive where weights and second derivatives of losses are), "fisher" (positive where
        weights are; of a loss that knows it, such as that of a Gaussian) or "hessian" (any loss, small networks)
    precision : τ of the prior N(0, 1/τ) of these weights; None for the one of the largest evidence (MacKay) in
        10⁻⁶ … 10⁶, found in turn with the mode
    power : what the weights' sum counts as, see :func:`verax.epistemic.temper`
    negative : how negative weights count, see :func:`verax.epistemic.temper`
    steps : most Newton steps; 0 leaves the network where it is
    batch : rows at once in the sum of the first two matrices

    Raises
    ------
    InputError : for unknown names, bad weights, a network without linear layers, one with too many weights, a loss that
        is linear in ``network(x)`` (that of a flow, a log-density itself, needs "hessian") or knows no Fisher matrix

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0.3 * np.sin(9 * x)).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = laplace(jax.random.key(1), make, CrossEntropy(("s",)), table, training=None, precision=1.0)
    >>> found.status.name, found.covariance.shape  # 8 weights and an offset
    ('OK', (9, 9))
    """
    check_known([which], ["last", "all"], "laplace", "choice of weights")
    check_known([curvature], ["gauss-newton", "fisher", "hessian"], "laplace", "curvature")
    if curvature == "fisher" and not hasattr(loss, "fisher"):
        raise InputError("laplace", f"a loss without Fisher matrix, {type(loss).__name__}", "one such as GaussianNLL")
    if precision is not None and not (np.isfinite(precision) and precision > 0):
        raise InputError("prior precision", f"{precision:g}", "a positive number, or None for the largest evidence")
    if steps < 0 or batch < 1:
        raise InputError("steps, batch", f"{steps}, {batch}", "at least 0 steps, and 1 row of a batch")
    trained = train_made(key, make, loss, events, training, validation)
    network = trained.network
    where = last_layer(network) if which == "last" else jax.tree.map(lambda _: True, network)
    size = weights(network, where).vector.size
    if size > _MOST:
        raise InputError("laplace", f"{size} weights", f"at most {_MOST}", "choose which='last', or a smaller network")
    table = temper(events, power=power, negative=negative)
    with jax.enable_x64(True):
        surface = Surface(loss, double(table), double(network), where, curvature, min(batch, len(table)))
        point, made = _newton(surface, precision, steps)
    if point.finite and not point.eigenvalues.any():
        expected = "a loss that is not linear in network(x)"
        raise InputError("laplace", f"a {curvature} curvature of zero", expected, "choose curvature='hessian'")
    status, problem = _judge(point, made, searched=precision is None)
    covariance = (point.eigenvectors / point.posterior_precision) @ point.eigenvectors.T  # U (Λ + τ)⁻¹ Uᵀ
    at_mode = weights(network, where).network(jnp.asarray(point.vector, jnp.float32))
    evidence = point.log_evidence(point.precision)
    found = (at_mode, which, where, point.vector, covariance, point.precision, evidence, point.offset, made)
    judged: dict[str, Any] = {"status": status, "problem": problem, "observations": observations(table)}
    return Laplace(*found, histories=trained.histories, **judged)


def last_layer(network: Any) -> Any:
    """The network's tree with True at the weights of its last linear layer.

    Raises
    ------
    InputError : when it has none
    """
    nodes, structure = jax.tree.flatten(network, is_leaf=lambda node: isinstance(node, eqx.nn.Linear))
    layers = [i for i, node in enumerate(nodes) if isinstance(node, eqx.nn.Linear)]
    if not layers:
        raise InputError("last layer", "no eqx.nn.Linear in the network", "a linear layer", "choose which='all'")
    marked = [jax.tree.map(lambda _, here=i == layers[-1]: here, node) for i, node in enumerate(nodes)]
    return jax.tree.unflatten(structure, marked)


@dataclass(frozen=True)
class _Point:
    """−log likelihood at one place: value, gradient, eigenvalues and eigenvectors of its curvature; and the prior's τ."""

    vector: np.ndarray
    value: float
    gradient: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    precision: float

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.value) and np.isfinite(self.eigenvalues).all())

    @property
    def posterior_precision(self) -> np.ndarray:
        """Eigenvalues of the posterior's precision Λ + τ; where those of the likelihood are negative, τ alone."""
        return np.maximum(self.eigenvalues, 0) + self.precision

    @property
    def slope(self) -> np.ndarray:
        """Gradient of −log posterior, Uᵀ(∇L + τw), along the eigenvectors U."""
        return np.asarray(self.eigenvectors.T @ (self.gradient + self.precision * self.vector))

    @property
    def offset(self) -> float:
        """Newton's decrement, √(gᵀ(H + τ)⁻¹g)."""
        return float(np.sqrt(np.sum(self.slope**2 / self.posterior_precision)))

    def negative_log_posterior(self, vector: np.ndarray, value: float) -> float:
        """L + ½ τ |w|² at another place, where −log likelihood is ``value``."""
        return value + 0.5 * self.precision * float(vector @ vector)

    def log_evidence(self, precision: float) -> float:
        """Log marginal likelihood of a prior precision: ½ Σ_j ln τ/(λ_j + τ) − L − ½ τ |w|² (MacKay 1992)."""
        gain = 0.5 * np.sum(np.log(precision) - np.log(np.maximum(self.eigenvalues, 0) + precision))
        return float(gain - self.value - 0.5 * precision * float(self.vector @ self.vector))


def _at(surface: Surface, vector: np.ndarray, precision: float | None) -> _Point:
    """The surface at a place, with the prior precision given or that of the largest evidence in 10⁻⁶ … 10⁶."""
    value, gradient, matrix = (np.asarray(a, np.float64) for a in curvature_of(surface, jnp.asarray(vector)))
    if not (np.isfinite(matrix).all() and np.isfinite(gradient).all()):
        nan = np.full_like(matrix, np.nan)
        return _Point(vector, float(value), gradient, nan[0], nan, precision or np.nan)
    point = _Point(vector, float(value), gradient, *np.linalg.eigh(matrix), precision or 1.0)
    if precision is not None or not point.finite:
        return point
    best = minimize_scalar(lambda t: -point.log_evidence(np.exp(t)), bounds=_ENDS, method="bounded")
    return replace(point, precision=float(np.exp(best.x)))


def _newton(surface: Surface, precision: float | None, steps: int) -> tuple[_Point, int]:
    """Newton's method to the mode, w ← w − α (H + τ)⁻¹ ∇, with α = 1, ½, ¼, … until −log posterior falls."""
    here = _at(surface, np.asarray(surface.held().vector, np.float64), precision)
    for made in range(steps):
        if not here.finite or here.offset < 1e-4:
            return here, made
        along = here.slope / here.posterior_precision
        # Along a negative curvature there may be no mode: go one prior width 1/√τ at most.
        width = 1 / np.sqrt(here.precision)
        along = np.where(here.eigenvalues < 0, np.clip(along, -width, width), along)
        step = -here.eigenvectors @ along
        start = here.negative_log_posterior(here.vector, here.value)
        for share in 0.5 ** np.arange(12):
            there = here.vector + share * step
            if here.negative_log_posterior(there, float(value_of(surface, jnp.asarray(there)))) < start:
                break
        else:
            return here, made
        here = _at(surface, there, precision)
    return here, steps


def _judge(point: _Point, steps: int, *, searched: bool) -> tuple[Status, str]:
    if not point.finite:
        return Status.NOT_FINITE, "loss or curvature not finite; check features, weights and the network"
    wrong = int((point.eigenvalues < -1e-9 * np.abs(point.eigenvalues).max()).sum())
    if wrong:
        line = f"curvature below zero along {wrong} of {len(point.vector)} directions: their variance is the prior's"
        return Status.NOT_POSITIVE_DEFINITE, line
    if point.offset > 0.1:
        line = f"{point.offset:.2g} widths from the mode after {steps} Newton steps"
        return Status.MAX_STEPS, f"{line}; train longer, or allow more steps"
    best = point.log_evidence(point.precision)
    if searched and any(point.log_evidence(float(np.exp(end))) > best - 1e-3 for end in _ENDS):
        line = f"no prior precision has the largest evidence: {point.precision:.2g}, no better than the end"
        return Status.AT_BOUND, f"{line} of its range; these events do not determine it, give precision"
    return Status.OK, ""
