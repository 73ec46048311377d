"""Systematics of every kind, each with what its contract needs to know: a new one is one line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from verax.events import Events, make_events
from verax.parameters import nuisance
from verax.problems import Mixture, OnOff, Pivot, Rotating
from verax.systematics import (
    FAIR_UNIVERSE,
    Systematic,
    derive_compiled,
    interpolable,
    jet_energy_scale,
    lepton_energy_scale,
    normalisation,
    reweight,
    scale_columns,
    soft_met,
    tau_energy_scale,
)

PROCESSES = ("signal", "background", "control")
ONE = ("background",)


def table() -> Events:
    """Collisions with 0, 1 and 2 jets beside plain columns; weights of both signs and 0; numbers in no order."""
    rng, n, layout = np.random.default_rng(3), 24, FAIR_UNIVERSE
    jets = np.arange(n) % 3
    columns = {layout.n_jets: jets.astype(float), layout.met: rng.exponential(30, n), layout.jet_sum: 70.0 * jets}
    columns |= {layout.met_phi: rng.uniform(-3, 3, n)}
    objects = {layout.lepton: 0, layout.tau: 0, layout.leading: 1, layout.subleading: 2}
    for particle, least in objects.items():
        values = 30 + rng.exponential(20, n), rng.normal(size=n), rng.uniform(-3, 3, n)
        for name, value in zip((particle.pt, particle.eta, particle.phi), values, strict=True):
            columns[name] = np.where(jets >= least, value, layout.missing)
    columns |= {name: np.zeros(n) for name in layout.recomputed}
    columns |= {"x0": rng.normal(size=n), "x1": rng.normal(size=n), "x2": rng.exponential(size=n)}
    weight = np.where(np.arange(n) % 4, 1.5, -0.5) * (np.arange(n) != 5)
    number = rng.integers(2**31, size=n)
    process = (np.arange(n) // 4) % 3
    return derive_compiled(
        make_events(columns, weight=weight, process=process, number=number, processes=PROCESSES), layout
    )


def tilt(events: Events, theta: object) -> object:
    """A user's weight, 1 at θ = 0."""
    return 1 + 0.1 * theta * events.column("x2")


@dataclass(frozen=True)
class NumPyScale:
    """x0 times 1 + θ/10, in a way that JAX cannot trace."""

    def __call__(self, events: Events, theta: object) -> Events:
        return events.replace({"x0": np.asarray(events.column("x0")) * (1 + 0.1 * float(theta))})


def interpolated(events: Events) -> tuple[Events, Systematic]:
    """Known from its up and down samples alone."""
    plain = Systematic(nuisance("numpy", "g"), NumPyScale(), traceable=False, changes=("x0",), needs=("x0",))
    extended, (found,) = interpolable(events, (plain,), missing=FAIR_UNIVERSE.missing)
    return extended, found


@dataclass(frozen=True)
class Kind:
    """``make()`` gives the systematic, of the ``processes`` (() for all); ``extend``, where columns are added, both."""

    make: Callable[[], Systematic] | None
    processes: tuple[str, ...] = ()
    extend: Callable[[Events], tuple[Events, Systematic]] | None = None

    def __call__(self) -> tuple[Events, Systematic]:
        return self.extend(table()) if self.extend else (table(), self.make())


def of_problem(problem: Callable[[], object], index: int) -> Systematic:
    """One systematic of a problem with a known answer, by its column or weight."""
    return problem().systematics[index]


layout = FAIR_UNIVERSE
SYSTEMATICS = {
    "normalisation": Kind(partial(normalisation, "lumi", 0.02)),
    "normalisation of one process": Kind(partial(normalisation, "norm", 0.5, ONE), ONE),
    "a user's weight": Kind(partial(reweight, "tilt", tilt, needs=("x2",))),
    "a user's weight of one process": Kind(partial(reweight, "tilt", tilt, processes=ONE, needs=("x2",)), ONE),
    "scale of columns": Kind(partial(scale_columns, "scale", 0.1, ("x0", "x1"))),
    "scale of columns of one process": Kind(partial(scale_columns, "scale", 0.1, ("x0",), processes=ONE), ONE),
    "tau energy scale": Kind(partial(tau_energy_scale, layout, 0.03)),
    "lepton energy scale": Kind(partial(lepton_energy_scale, layout, 0.03)),
    "jet energy scale": Kind(partial(jet_energy_scale, layout, 0.03)),
    "jet energy scale of one process": Kind(partial(jet_energy_scale, layout, 0.03, processes=ONE), ONE),
    "soft missing E_T": Kind(partial(soft_met, layout, 3.0)),
    "interpolated": Kind(None, extend=interpolated),
    "shifted column": Kind(partial(of_problem, Pivot, 0), ("signal",)),
    "rescaled rate": Kind(partial(of_problem, partial(Mixture, 4), 1), ONE),
    "linear weight": Kind(partial(of_problem, OnOff, 0), ("background", "control")),
    "rotation": Kind(partial(of_problem, Rotating, 0)),
}


def with_value(events: Events, column: str, row: int, value: float) -> Events:
    """The events with one value of one column replaced."""
    x = np.array(events.x)
    x[row, events.index([column])[0]] = value
    return replace(events, x=x)
