"""The uncertainty of one parameter by source, in two definitions that answer different questions.

"shifted-observables" (Pinto et al., EPJC 84 (2024) 593, arXiv:2307.04007): how much would the estimate spread if only
these data fluctuated? Counts are the statistical part, the global observables of a group its systematic part:
σ²_d = (dμ̂/dd)² spread(d)² for each datum d, by the implicit function theorem. The parts add in
quadrature to the total (on Asimov data exactly). Of the statistical part, the floating normalisations' share is
what their being unknown adds to the variance when all nuisances are known; the rest is "data only".

"freeze" (TRExFitter, Combine): how much smaller would the uncertainty be if these parameters were known?
impact = √(σ² − σ²_without). The parts do not add in quadrature, since correlated parameters share what they take away.
"""

from typing import NamedTuple

import numpy as np

from verax.errors import InputError
from verax.model import FLOATING, AbstractLikelihood, Data, DataSets
from verax.parameters import groups
from verax.results import Status

from ._evaluate import Limits, Values
from ._interval import ends
from ._newton import minimise
from ._profile import Fits, best_fits
from ._response import response
from ._results import Breakdown, Fit, Row

ONE_SIGMA = 0.6826894921370859


def breakdown(
    model: AbstractLikelihood,
    data: Data,
    poi: str,
    *,
    method: str = "shifted-observables",
    fixed: Values = None,
    best: Fit | None = None,
) -> Breakdown:
    """Split the uncertainty of one parameter by source, for one data set.

    Rows: total; statistical (data only, floating normalisations); systematics (each group of parameters in their order,
    then what the likelihood profiles by itself: uncorrelated shapes, simulation statistics). A group named "theory/top"
    becomes a row "top" nested in a row "theory". Fixed parameters are in no row.
    Sides differ for "freeze" (from the ends of the profile intervals); for "shifted-observables" they are symmetric.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    poi : name of the parameter
    method : "shifted-observables" or "freeze", see the head of this file
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again

    Raises
    ------
    InputError : a parameter that is unknown or fixed, an unknown method, a batch of data sets, or data that do not fit
        the model

    >>> from verax.model import example_model
    >>> model, data = example_model()
    >>> [(row.name, round(row.impact, 2)) for row in breakdown(model, data, "mu").rows if row.depth < 2]
    [('total', 0.58), ('statistical', 0.49), ('systematics', 0.32)]
    """
    methods = {"shifted-observables": _shifted, "freeze": _frozen}
    if method not in methods:
        raise InputError("breakdown method", f"'{method}'", " or ".join(f"'{m}'" for m in methods))
    fits = best_fits(model, data, poi, "breakdown", fixed, best, single=True)
    return Breakdown(poi, method, tuple(methods[method](fits)))


def _floating(model: AbstractLikelihood, index: int) -> list[int]:
    """Positions of the parameters without a constraint, other than the parameter of interest."""
    return [i for i, p in enumerate(model.parameters) if p.constraint is None and i != index]


def _constrained(model: AbstractLikelihood) -> list[int]:
    return [i for i, p in enumerate(model.parameters) if p.constraint is not None]


class Group(NamedTuple):
    """One row below "systematics": its parameters, and which of the profiled γ belong to it."""

    name: str
    depth: int
    members: list[int]
    gamma: np.ndarray


def _groups(model: AbstractLikelihood, limits: Limits) -> list[Group]:
    """Rows below "systematics", parents before their children."""
    moves = limits[0] < limits[1]
    table = groups([p for p, m in zip(model.parameters, moves, strict=True) if p.constraint is not None and m])
    profiled = model.profiled_groups()
    none = np.zeros(next((len(mask) for mask in profiled.values()), 0), bool)
    rows: dict[str, list[Group]] = {}
    for group in dict.fromkeys([*(g or "other" for g in table), *profiled]):
        parent, _, child = group.partition("/")
        members = [
            model.names.index(n) for n in [*table.get(group, ()), *(table.get("", ()) if group == "other" else ())]
        ]
        gamma = profiled.get(group, none)
        family = rows.setdefault(parent, [Group(parent, 2, [], none)])
        family[0] = Group(parent, 2, family[0].members + members, family[0].gamma | gamma)
        if child:
            family.append(Group(child, 3, members, gamma))
    return [row for family in rows.values() for row in family]


def _shifted(fits: Fits) -> list[Row]:
    model, best, index = fits.model, fits.best, fits.index
    theta, covariance = best.theta[0], best.covariance[0]
    params, data = dict(zip(model.names, theta, strict=True)), fits.batch.one()
    order, spread = _constrained(model), model.spread(params, data)
    moved = response(model, theta, data, covariance[index])
    counts, auxiliary = moved.observations * spread.counts, moved.auxiliary * spread.auxiliary
    own, profiled = auxiliary[: len(order)], auxiliary[len(order) :]
    statistical = _without(_known(fits).best.covariance[0], [i for i in order if i != index])
    alone = _without(statistical, _floating(model, index))
    floating = np.sqrt(max(statistical[index, index] - alone[index, index], 0.0))

    def row(name: str, depth: int, size: np.floating | float, note: str = "") -> Row:
        return Row(name, depth, float(size), float(size), float(size), note)

    norm = np.linalg.norm
    total = float(np.sqrt(covariance[index, index]))
    closure = float(np.hypot(norm(counts), norm(auxiliary)) / total) if total > 0 else 1.0
    why = "data differ from expectation" + (", and penalties do not fluctuate" if model.penalties else "")
    note = "" if abs(closure - 1) < 0.01 else f"parts add to {closure:.3f} of the total: {why}"
    return [
        row("total", 0, total, _status_note(best.status) or note),
        row("statistical", 1, norm(counts)),
        row("data only", 2, np.sqrt(max(norm(counts) ** 2 - floating**2, 0.0))),
        row(FLOATING, 2, floating),
        row("systematics", 1, norm(auxiliary)),
        *(
            row(
                g.name,
                g.depth,
                np.hypot(norm(own[[order.index(i) for i in g.members]]), norm(profiled[np.flatnonzero(g.gamma)])),
            )
            for g in _groups(model, fits.limits)
        ),
    ]


def _without(covariance: np.ndarray, known: list[int]) -> np.ndarray:
    """Covariance of the others when some parameters are known: rows of the Hessian removed (Schur complement)."""
    known = [i for i in known if covariance[i, i] > 0]
    cross = covariance[:, known]
    return covariance - cross @ np.linalg.solve(covariance[np.ix_(known, known)], cross.T) if known else covariance


def _frozen(fits: Fits) -> list[Row]:
    model, index = fits.model, fits.index
    floating, parts = _floating(model, index), _groups(model, fits.limits)
    constrained = [i for i in _constrained(model) if i != index]
    plain = [[i for i in g.members if i != index] for g in parts]
    with_all, without_floating, *rest = _sides(fits, [[], floating, *plain])
    without = [
        _sides(_known(fits, g.gamma), [members])[0] if g.gamma.any() else sides
        for g, members, sides in zip(parts, plain, rest, strict=True)
    ]
    statistical, data_only = _sides(_known(fits), [constrained, constrained + floating])

    def direct(name: str, depth: int, sides: np.ndarray, note: str = "") -> Row:
        impact, up, down = (float(side) for side in sides)
        return Row(name, depth, impact, up, down, note)

    def gain(name: str, depth: int, sides: np.ndarray) -> Row:
        wider = sides > with_all * (1 + 1e-6)
        raw = ", ".join(f"{w:.6g} against {t:.6g}" for w, t in zip(sides[wider], with_all[wider], strict=True))
        impact = np.sqrt(np.maximum(with_all**2 - sides**2, 0.0))
        return direct(name, depth, impact, f"wider when fixed: {raw}" if raw else "")

    return [
        direct("total", 0, with_all, _status_note(fits.best.status)),
        direct("statistical", 1, statistical),
        direct("data only", 2, data_only),
        gain(FLOATING, 2, without_floating),
        gain("systematics", 1, statistical),
        *(gain(g.name, g.depth, sides) for g, sides in zip(parts, without, strict=True)),
    ]


def _known(fits: Fits, which: np.ndarray | None = None) -> Fits:
    """The fit with each γ, or ``which``, fixed at γ̂: the minimum stays, the Hessian changes."""
    theta, limits = fits.best.theta, fits.limits
    params = dict(zip(fits.model.names, theta[0], strict=True))
    known, data = fits.model.freeze_profiled(params, fits.batch.one(), which)
    same = DataSets.of(data)
    best = minimise(known, same, theta, np.ones(theta.shape, bool), limits=limits, valleys=False)
    return Fits(known, same, limits, fits.index, best)


def _sides(fits: Fits, cases: list[list[int]]) -> np.ndarray:
    """σ from the Hessian, and the distances to the upper and lower end, when some parameters are known; [question, 3]."""
    fits = fits.take(np.zeros(len(cases), int))
    minima, index = fits.best, fits.index
    free = np.ones(minima.theta.shape, bool)
    for k, known in enumerate(cases):
        free[k, known] = False
        minima.covariance[k] = _without(minima.covariance[k], known)
    low, high, _ = ends(fits, ONE_SIGMA, free)
    hat = minima.theta[:, index]
    return np.stack([np.sqrt(minima.covariance[:, index, index]), high - hat, hat - low], axis=1)


def _status_note(status: np.ndarray) -> str:
    return "" if status[0] == Status.OK else f"fit ended with status {Status(int(status[0])).name}"
