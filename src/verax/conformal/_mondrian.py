"""Conformal quantiles by group, so that each group is covered (Vovk, Lindsay, Nouretdinov, Gammerman 2003: Mondrian)."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from verax.errors import InputError
from verax.given import PerPoint, PerTest, Weights, plain

from ._conformal import Level, Quantile, conformalize
from ._weights import checked_weight


@dataclass(frozen=True)
class Mondrian:
    """One quantile per group; ``groups`` are in increasing order."""

    groups: tuple[Hashable, ...]
    quantiles: tuple[Quantile, ...]

    @plain("mondrian", other="group")
    def index(self, group: Shaped[np.ndarray, " test"]) -> Int[np.ndarray, " test"]:
        """Position in ``groups`` of each new point's group.

        Raises
        ------
        InputError : for a group without calibration points, which has no guarantee
        """
        known = np.asarray(self.groups)
        where = np.minimum(np.searchsorted(known, group), known.size - 1)
        unseen = known[where] != group
        if unseen.any():
            names = ", ".join(str(g) for g in np.unique(group[unseen])[:5])
            got = f"group {names}, unseen in calibration ({int(unseen.sum())} of {len(group)} points)"
            action = "calibrate with points of it or merge it with another group"
            raise InputError("mondrian", got, "one of " + ", ".join(str(g) for g in self.groups[:20]), action)
        return np.asarray(where)

    @plain("mondrian", other="group")
    def values(self, group: Shaped[np.ndarray, " test"]) -> PerTest:
        """The quantile that each new point's group has."""
        return np.array([q.value for q in self.quantiles])[self.index(group)]

    @property
    def note(self) -> str:
        """The notes of all groups in one line."""
        return "; ".join(f"group {g}: {q.note}" for g, q in zip(self.groups, self.quantiles, strict=True) if q.note)


@plain("mondrian", other="scores group weight")
def mondrian(
    scores: PerPoint,
    group: Shaped[np.ndarray, " point"],
    *,
    level: Level,
    weight: Weights = None,
    negative: str = "error",
) -> Mondrian:
    """Find a conformal quantile for each group of calibration points, so that each group is covered.

    Parameters
    ----------
    scores : of calibration points that no model was trained on
    group : a label of each calibration point (number or string), known for new points too: a function of x, or the
        class in classification
    level : requested coverage; a decimal number is taken as written
    weight : event weights, one a point; by default 1
    negative : what negative weights mean: "error", "signed" or "abs", see :func:`checked_weight`

    Raises
    ------
    InputError : as :func:`conformalize`, and for a group whose total weight is not positive

    Source: Vovk, Lindsay, Nouretdinov, Gammerman 2003.

    >>> result = mondrian(np.arange(6.0), np.array([0, 0, 0, 1, 1, 1]), level=0.5)
    >>> result.values(np.array([1, 0]))
    array([4., 1.])
    """
    if not group.size:
        raise InputError("mondrian", "no calibration points", "at least one")
    if group.dtype.kind == "f" and np.isnan(group).any():
        raise InputError("mondrian", f"{int(np.isnan(group).sum())} groups of NaN", "a group for each point")
    w = checked_weight(weight, group.size, negative=negative, where="mondrian")
    names, inverse = np.unique(group, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    for name, i in zip(names, parts, strict=True):
        if not (total := float(w[i].sum())) > 0:
            raise InputError("mondrian", f"total weight {total:g} of group {name}", "a positive total weight of each")
    quantiles = [conformalize(scores[i], level=level, weight=w[i], negative=negative) for i in parts]
    return Mondrian(tuple(names.tolist()), tuple(quantiles))
