"""Factors of single bins as explicit parameters: free shapes, and bin errors that have no closed form."""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Array, Float, Int, add_at, namespace

Kappa = Float[Array, " cell"]
Cells = Float[Array, "process bin"]
Index = Int[Array, "factor process bin"]


@dataclass(frozen=True)
class CellModifier:
    """A modifier that acts bin by bin on one process in one channel, as the workspace had it.

    Parameters
    ----------
    kind : "shapefactor", "shapesys" or "staterror"
    channel, process : their places in the model
    data : absolute errors per bin; empty for ``shapefactor``
    first : number of its first explicit cell parameter; −1 where its γ are profiled
    """

    kind: str
    name: str
    channel: int
    process: int
    data: tuple[float, ...]
    first: int


def _padded(kappa: Kappa) -> Array:
    """With a last entry 1, the factor of a cell on which no parameter acts."""
    xp = namespace(kappa)
    return xp.concatenate([kappa, xp.ones(1, kappa.dtype)])


def cell_factor(kappa: Kappa, index: Index) -> Cells:
    """Product of the cell parameters that act on each process in each bin; ``index`` holds their numbers."""
    return namespace(kappa).prod(_padded(kappa)[index], axis=0)


def cell_slopes(kappa: Kappa, index: Index, rate: Cells, parts: list[Cells]) -> list[Float[Array, "cell bin"]]:
    """∂(Σ_process part · rate · factor)/∂κ in each bin, for each of the ``parts``; ``rate`` is without the factor."""
    factors, n = _padded(kappa)[index], kappa.shape[0]
    bins = np.broadcast_to(np.arange(rate.shape[1]), rate.shape)
    xp = namespace(kappa, rate)
    slopes = [xp.zeros((n + 1, rate.shape[1]), rate.dtype) for _ in parts]
    for s in range(index.shape[0]):
        change = rate * _product(factors, s)
        slopes = [add_at(slope, (index[s], bins), change * part) for slope, part in zip(slopes, parts, strict=True)]
    return [slope[:n] for slope in slopes]


def cell_curvature(
    kappa: Kappa, index: Index, rate: Cells, rate_slopes: Float[Array, "parameter process bin"], weight: Cells
) -> tuple[Float[Array, "parameter cell"], Float[Array, "cell cell"]]:
    """Σ weight · ∂∂(rate · factor): mixed with the other parameters, and among cell parameters."""
    factors, n = _padded(kappa)[index], kappa.shape[0]
    xp = namespace(kappa, rate)
    mixed: Array = xp.zeros((rate_slopes.shape[0], n + 1), rate.dtype)
    among: Array = xp.zeros((n + 1, n + 1), rate.dtype)
    for s in range(index.shape[0]):
        mixed = add_at(mixed, (slice(None), index[s]), rate_slopes * (weight * _product(factors, s)))
        for r in range(index.shape[0]):
            if r != s:
                among = add_at(among, (index[s], index[r]), weight * rate * _product(factors, s, r))
    return mixed[:, :n], among[:n, :n]


def _product(factors: Float[Array, "factor process bin"], *without: int) -> Array:
    keep = [k for k in range(factors.shape[0]) if k not in without]
    return namespace(factors).prod(factors[np.array(keep, int)], axis=0)
