"""Published figures beside ours: of approaches on problems, and of methods on the same splits of the UCI sets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published number, its standard error (0: not given), and where it stands."""

    value: float
    error: float
    source: str


INFERNO = "arXiv:1806.04743, table 1"
OPTIMAL = "optimal classifier"
TOTAL = "σ"
"""The metric of approaches: expected uncertainty on the signal yield or strength."""

_INFERNO = {
    "mixture 0": {"propagate": 14.99, "inferno": 15.51, OPTIMAL: 14.97},
    "mixture 1": {"propagate": 18.94, "inferno": 16.79, OPTIMAL: 19.12},
    "mixture 2": {"propagate": 23.94, "inferno": 16.95, OPTIMAL: 24.93},
}

ADVERSARIAL, PLAIN = "deep ensemble", "deep ensemble, no adversaries"
"""Both stand beside the same figures."""

ENSEMBLE = "deep ensembles, arXiv:1612.01474, table 1"
DROPOUT = "dropout with grid search (2018), yaringal/DropoutUncertaintyExps 6eb4497"
EVIDENTIAL = "deep evidential regression, arXiv:1910.02600, table 1, on random splits of its own"
KOMPA = "Kompa et al., arXiv:2010.03039, stored results"

_NLL = {
    "boston": ((2.41, 0.0559), (2.4019, 0.0417)),
    "concrete": ((3.06, 0.0402), (2.9367, 0.0248)),
    "energy": ((1.38, 0.0492), (1.2115, 0.0053)),
    "power": ((2.79, 0.0089), (2.8078, 0.0086)),
    "wine": ((0.94, 0.0268), (0.9281, 0.0127)),
}
_RMSE = {
    "boston": ((3.28, 0.2236), (2.9036, 0.1768)),
    "concrete": ((6.03, 0.1297), (4.8265, 0.1605)),
    "energy": ((2.09, 0.0648), (0.5389, 0.0135)),
    "power": ((4.11, 0.0380), (4.0142, 0.0368)),
    "wine": ((0.64, 0.0089), (0.6218, 0.0080)),
}
_KOMPA_ROWS = (
    "Gaussian process",
    "linear regression",
    "variational",
    "ensemble, epistemic only",
    "dropout, epistemic only",
)
_COVERAGE = {
    "boston": ((0.9765, 0.00505), (0.9461, 0.00803), (0.9434, 0.00604), (0.5912, 0.02043), (0.602, 0.02355)),
    "concrete": ((0.967, 0.00302), (0.9437, 0.00383), (0.9581, 0.00361), (0.5854, 0.01493), (0.7282, 0.01682)),
    "energy": ((0.8857, 0.00696), (0.8957, 0.00667), (0.9773, 0.00302), (0.8669, 0.00753), (0.8013, 0.02863)),
    "power": ((0.9614, 0.00126), (0.9646, 0.00163), (0.9626, 0.00113), (0.4008, 0.01601), (0.432, 0.02104)),
    "wine": ((0.9472, 0.00328), (0.9425, 0.00333), (0.9059, 0.00819), (0.3919, 0.01691), (0.3566, 0.02628)),
}
_WIDTH = {
    "boston": ((1.8716, 0.01169), (2.0424, 0.00985), (1.301, 0.02562), (0.4432, 0.01121), (0.6882, 0.03135)),
    "concrete": ((2.0, 0.00332), (2.4562, 0.00318), (1.5116, 0.0172), (0.4776, 0.01293), (1.0342, 0.02567)),
    "energy": ((1.0773, 0.00264), (1.144, 0.00328), (0.8426, 0.01732), (0.2394, 0.00367), (0.5928, 0.01753)),
    "power": ((0.9768, 0.00096), (1.0475, 0.00102), (1.0035, 0.00188), (0.2494, 0.00962), (0.3385, 0.02423)),
    "wine": ((3.1629, 0.00407), (3.1573, 0.0026), (2.7469, 0.02721), (0.7763, 0.01877), (0.7841, 0.0417)),
}


_EVIDENTIAL = {
    "boston": ((2.35, 0.06), (3.06, 0.16)),
    "concrete": ((3.01, 0.02), (5.85, 0.15)),
    "energy": ((1.39, 0.06), (2.06, 0.10)),
    "power": ((2.81, 0.07), (4.23, 0.09)),
    "wine": ((0.89, 0.05), (0.61, 0.02)),
}


def _table() -> dict[tuple[str, str, str], Published]:
    found: dict[tuple[str, str, str], Published] = {}
    for name, values in _INFERNO.items():
        found |= {(name, row, TOTAL): Published(value, 0.0, INFERNO) for row, value in values.items()}
    for metric, table in (("nll", _NLL), ("rmse", _RMSE)):
        for name, pairs in table.items():
            ensemble, dropout = (Published(*p, s) for p, s in zip(pairs, (ENSEMBLE, DROPOUT), strict=True))
            found |= {(name, row, metric): ensemble for row in (ADVERSARIAL, PLAIN)}
            found[name, "MC dropout", metric] = dropout
    for name, figures in _EVIDENTIAL.items():
        for metric, pair in zip(("nll", "rmse"), figures, strict=True):
            found[name, "evidential network", metric] = Published(*pair, EVIDENTIAL)
    for metric, kompa in (("coverage 95", _COVERAGE), ("mean width 95", _WIDTH)):
        for name, all_rows in kompa.items():
            for row, pair in zip(_KOMPA_ROWS, all_rows, strict=True):
                found[name, row, metric] = Published(*pair, KOMPA)
    return found


PUBLISHED: dict[tuple[str, str, str], Published] = _table()
"""(subject, row, metric) → figure; widths in units of the target's standard deviation, NLL and RMSE in its own."""
