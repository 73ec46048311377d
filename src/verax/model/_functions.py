"""Normalisation factors that are functions of the parameters: their values, and the chain rule through them.

With ψ = (φ, h(θ), α, κ), where the functions h follow the free factors φ, derivatives in ψ become those in θ = (φ, α, κ) by

    ∂_θ = Jᵀ ∂_ψ,        ∂∂_θ = Jᵀ ∂∂_ψ J + Σ_j ∂h_j-derivative · ∂∂h_j,        J = ∂ψ/∂θ.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from verax.arrays import Array, Bool, Float, namespace

from ._penalty import derivatives

if TYPE_CHECKING:
    from ._binned import BinnedLikelihood


def factors(model: "BinnedLikelihood", theta: Float[Array, " parameter"]) -> Float[Array, " function"]:
    """Values of the functions."""
    place = {name: i for i, name in enumerate(model.names)}
    return namespace(theta).stack([f({n: theta[place[n]] for n in f.parameters}) for f in model.functions])


class Chain(NamedTuple):
    """The functions' derivatives in the parameters, and the number of free factors before them."""

    slope: Float[Array, "function parameter"]
    bend: Float[Array, "function parameter parameter"]
    first: int

    @classmethod
    def of(cls, model: "BinnedLikelihood", theta: Float[Array, " parameter"]) -> "Chain":
        """Of a model, at values of its parameters."""
        return cls(*derivatives(model.functions, theta, model.names)[1:], model.n_free)

    def _apart(self, rows: Array) -> tuple[Array, Array]:
        """Rows of the parameters, and of the functions."""
        end = self.first + len(self.slope)
        return namespace(rows).concatenate([rows[: self.first], rows[end:]]), rows[self.first : end]

    def slopes(self, rows: Float[Array, "psi *rest"]) -> Float[Array, "parameter *rest"]:
        """Derivatives in ψ as derivatives in the parameters."""
        plain, own = self._apart(rows)
        return plain + namespace(rows).tensordot(self.slope.T, own, 1)

    def curvature(
        self, slope: Float[Array, " psi"], second: Float[Array, "psi psi"]
    ) -> Float[Array, "parameter parameter"]:
        """Second derivatives, from first and second ones in ψ."""
        own = self._apart(slope)[1]
        return self.slopes(self.slopes(second).T).T + namespace(second).tensordot(own, self.bend, 1)


def bent_in(model: "BinnedLikelihood") -> set[str]:
    """Parameters in which rates may not be linear for a function of them, or a penalty not quadratic."""
    masks = np.asarray(model.normfactor_mask) > 0
    both = [(f, mask) for f, mask in zip(model.functions, masks[model.n_free :], strict=True)]
    alone = [f for p in model.penalties for f in p.formulas]
    names = {n for f in (*model.functions, *alone) for n in f.parameters}
    found = set()
    for name in names:
        own = [masks[i] for i in range(model.n_free) if model.names[i] == name]
        own += [mask for f, mask in both if name in f.parameters]
        cell = name in model.names[model.n_free + len(model.odd) :] and len(own) > 0
        linear = all(f.is_linear(name) for f in (*model.functions, *alone) if name in f.parameters)
        if not linear or cell or (np.sum(own, axis=0) > 1).any():
            found.add(name)
    return found


def through_functions(model: "BinnedLikelihood", acts: Bool[np.ndarray, "parameter process channel"]) -> np.ndarray:
    """Which processes in which channels each parameter acts on, itself or in a function."""
    found, masks = acts.copy(), np.asarray(model.normfactor_mask)[model.n_free :] > 0
    for f, mask in zip(model.functions, masks, strict=True):
        found[[model.names.index(name) for name in f.parameters]] |= mask
    return found
