"""Problems with a known answer, each with what its contract needs to know: a new one is one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from verax.problems import AbstractDensityProblem, AbstractProblem, Collider, Mixture, OnOff, Pivot, Rotating, ThreeJets


@dataclass(frozen=True)
class Known:
    """``make()`` gives the problem; ``params`` are values off the nominal ones, of all its parameters.

    ``yields`` are the expected events of each process at ``params``, where the problem has no density that says so.
    ``selected``: a measurement keeps only a part of the events. ``sizes`` are numbers to sample: a single one where the
    program takes long to compile, so that it has one shape.
    """

    make: Callable[[], AbstractProblem]
    params: Mapping[str, float]
    yields: tuple[float, ...] = ()
    selected: bool = False
    sizes: tuple[int, ...] = (1, 7)

    def expected(self) -> np.ndarray:
        problem = self.make()
        return np.asarray(self.yields or problem.expected(self.params), np.float64)


DRIFT = {"tes": 1.0, "jes": -1.0, "soft_met": 2.0, "ttbar_scale": 1.0, "diboson_scale": -2.0, "bkg_scale": 1.0}
PROBLEMS = {
    "mixture without nuisance": Known(Mixture, {"mu": 2.0}),
    "mixture": Known(partial(Mixture, 4), {"mu": 2.0, "r": 1.5, "lambda": -0.5, "b": 1.0}),
    "pivot": Known(Pivot, {"mu": 0.5, "z": -1.5}),
    "rotating": Known(Rotating, {"mu": 3.0, "z": 1.2}),
    "three jets": Known(ThreeJets, {"mu": 1.1}),
    "on/off": Known(OnOff, {"mu": 2.0, "nu": 1.0}, (30.0, 70 + np.sqrt(70), 70 + np.sqrt(70))),
    "collider": Known(Collider, {"mu": 1.5, **DRIFT}, selected=True, sizes=(40,)),
}
DENSITIES = {name: known for name, known in PROBLEMS.items() if isinstance(known.make(), AbstractDensityProblem)}
