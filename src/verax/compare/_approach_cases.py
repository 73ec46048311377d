"""What approaches are compared on: problems with a known answer, their binning, the truths, the exact limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import pi
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from verax.choices import PROBLEMS
from verax.errors import check_known
from verax.parameters import Gaussian, Params
from verax.problems import (
    LAYOUT,
    AbstractDensityProblem,
    AbstractProblem,
    Collider,
    Mixture,
    Pivot,
    Rotating,
    draw_nuisances,
)


@dataclass(frozen=True)
class Limits:
    """What is exactly known of a case, in its unit; None where it is not.

    Parameters
    ----------
    exact : the limit of the density at each truth, by label
    optimal : of the exact classifier of nominal in the case's bins
    """

    exact: Mapping[str, float | None]
    optimal: float | None


@dataclass(frozen=True)
class Case:
    """A problem as it is compared.

    Parameters
    ----------
    name : also the key of the published figures
    problem : events and systematics
    bins : equal bins of a score, the same for each approach that gives one
    truths : where σ and coverage are evaluated, by label; the first is nominal
    unit : what σ is counted in
    draw : ``(key, n) → θ`` of experiments at random truths; by default from the priors
    strength : of an adversary
    missing : value of features that stands for "not there"
    steps : θ between which slopes at a truth are taken, for the expected σ there; None: those of the templates
    reach : how far truths lie from nominal, see :class:`verax.compare._response.Response`
    simulated : where the events of templates come from, if from more events of some processes; they then count with
        their simulation statistics
    areas : under the exact ROC curves at each truth, by the name of the classifier
    """

    name: str
    problem: AbstractProblem
    bins: int
    truths: Mapping[str, Params] = field(default_factory=dict)
    unit: str = "μ"
    draw: Callable[[PRNGKeyArray, int], Mapping[str, Any]] | None = None
    strength: float = 1.0
    missing: float | None = None
    steps: float | None = 0.05
    reach: Mapping[str, float] = field(default_factory=dict)
    simulated: AbstractProblem | None = None
    areas: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """σ in ``unit`` for σ_μ = 1."""
        return self.problem.poi_unit

    def limits(self, *, brief: bool = False) -> "Limits":
        """The exact limit at each truth (``brief``: the first), and the exact classifier's in the case's bins."""
        truths = list(self.truths.items())[: 1 if brief else None]
        return Limits({label: self.exact(params) for label, params in truths}, self.optimal())

    def exact(self, params: Params) -> float | None:
        """The exact limit on σ at ``params``, from the density; None where it is not known."""
        problem = self.problem
        return problem.uncertainty(problem.information(params)) if isinstance(problem, AbstractDensityProblem) else None

    def optimal(self) -> float | None:
        """σ at nominal of the exact classifier of the nominal densities in the case's bins; None where not known."""
        counts: Callable[..., object] | None = getattr(self.problem, "classifier_counts", None)
        if not isinstance(self.problem, AbstractDensityProblem) or counts is None:
            return None
        edges = np.linspace(0, 1, self.bins + 1)
        matrix = self.problem.counts_information(lambda params: counts(edges, params))  # type: ignore[arg-type, return-value]
        return self.problem.uncertainty(matrix)


def shifted(problem: AbstractProblem, free: float) -> dict[str, Params]:
    """Nominal, and each parameter shifted to either side: by its prior width, or by ``free`` where it has none."""
    truths: dict[str, Params] = {"nominal": {}}
    for s in problem.systematics:
        size = 1.0 if isinstance(s.parameter.constraint, Gaussian) else free
        truths |= {f"{s.name} = {side * size:+g}": {s.name: side * size} for side in (1, -1)}
    return truths


def cases(name: str) -> tuple[Case, ...]:
    """Make the cases of a problem by its name, or one of them: "mixture" are five, "mixture 2" is one.

    Raises
    ------
    InputError : for an unknown problem, with the nearest name
    """
    family, _, number = name.partition(" ")
    check_known([family], PROBLEMS, "compare", "problem")
    if number:
        table = {case.name: case for case in cases(family)}
        check_known([name], table, "compare", "case")
        return (table[name],)
    match name:
        case "mixture":
            problems = [Mixture(benchmark=b) for b in range(5)]
            unit = "signal events"
            return tuple(Case(f"mixture {p.benchmark}", p, 10, shifted(p, 0.25), unit, steps=0.2) for p in problems)
        case "rotating":
            problem = Rotating()
            truths = {
                "z = π/4": {},
                "z = π/2": {"z": Rotating.theta_of(pi / 2)},
                "z = 0": {"z": Rotating.theta_of(0.0)},
            }
            angles = (pi / 4, pi / 2, 0.0)
            areas = {
                "exact, of each truth": tuple(Rotating.auc(z, z) for z in angles),
                "exact, of nominal": tuple(Rotating.auc(pi / 4, z) for z in angles),
            }
            return (Case("rotating", problem, 100, truths, areas=areas),)
        case "pivot":
            return (Case("pivot", Pivot(), 20, shifted(Pivot(), 0.25), strength=20.0),)
        case _:
            events = Collider()
            return (
                Case(
                    "collider",
                    events,
                    25,
                    shifted(events, 0.25),
                    draw=draw_nuisances,
                    missing=LAYOUT.missing,
                    steps=None,
                    reach={"tes": 2.0, "jes": 2.0, "soft_met": 5.0},
                    simulated=Collider(shares=(1, 25, 2, 1)),
                ),
            )
