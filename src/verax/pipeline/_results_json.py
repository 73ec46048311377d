"""The results of a measurement as JSON: the content of ``results.json``."""

from typing import Any

import numpy as np

from verax.analysis import Wording
from verax.model import Templates
from verax.pipeline._check import Checked
from verax.pipeline._infer import Measured
from verax.pipeline._learn import Learned
from verax.pipeline._simulate import Table
from verax.report.record import fitted
from verax.results import Status, good

SCHEMA = 1
"""Version of the layout."""


def outcome(
    wording: Wording,
    table: Table,
    templates: Templates,
    measured: tuple[Measured, ...],
    checked: Checked,
    learned: Learned,
    warnings: list[str],
) -> dict[str, Any]:
    """What is written; equal inputs and seeds give equal bytes."""
    blind = wording.blind and table.observed is not None
    return {
        "schema": SCHEMA,
        "name": wording.name,
        "parameter_of_interest": wording.factors[0].name,
        "blind": blind,
        "results": {m.kind: _answers(m) for m in measured},
        "coverage": checked.coverage,
        "reliability": checked.reliability,
        "posteriors": [{"status": status, "problem": problem} for status, problem in learned.ended],
        "templates": {
            "channels": dict(zip(templates.channels, templates.edges, strict=True)),
            "processes": list(templates.processes),
            "nominal": templates.nominal,
            "variance": templates.variance,
            "systematics": {
                p.name: {"group": p.group, "up": templates.up[k], "down": templates.down[k]}
                for k, p in enumerate(templates.systematics)
            },
        },
        "events": {k: v for k, v in vars(table).items() if k != "contents"} | ({"observed": None} if blind else {}),
        "warnings": warnings,
    }


def _answers(m: Measured) -> dict[str, Any]:
    """One data set's answers, by name."""
    return {
        "truth": m.truth,
        "interval": {
            "level": m.interval.level,
            "value": float(m.interval.value),
            "low": float(m.interval.low),
            "high": float(m.interval.high),
            "status": Status(int(m.interval.status)).name,
        },
        "fit": {
            "status": Status(int(m.fit.status)).name,
            "nll": float(m.fit.nll),
            **fitted(m.fit),
        },
        "breakdown": {b.method: b.rows for b in m.breakdowns},
        "ranking": {
            name: {
                "group": m.ranking.groups[i],
                "pull": m.ranking.pull[i],
                "pull_error": m.ranking.pull_error[i],
                "impact": [m.ranking.up[i], m.ranking.down[i]],
                "prefit_impact": [m.ranking.prefit_up[i], m.ranking.prefit_down[i]],
            }
            for i, name in enumerate(m.ranking.names)
        },
        "scan": {m.scan.name: m.scan.values, "t": m.scan.t, "statistical_t": m.statistical.t},
        "goodness_of_fit": m.goodness and dict(zip(("statistic", "ndf", "p_value"), m.goodness, strict=True)),
        "counts": m.data.counts,
        "auxiliary": m.data.auxiliary,
    }


def failures(measured: tuple[Measured, ...], checked: Checked, learned: Learned) -> dict[str, int]:
    """Number of failed fits, intervals and posteriors of networks per result, for the record."""
    found = {"posteriors": sum(not good(np.asarray(Status[status])) for status, _ in learned.ended)}
    found |= {f"{m.kind}: fit": int(not good(m.fit.status)) for m in measured}
    found |= {f"{m.kind}: interval": int(not good(m.interval.status)) for m in measured}
    found |= {f"{m.kind}: scan": int((~good(m.scan.status)).sum()) for m in measured}
    return found | {f"coverage at {label}": c.failed for label, c in checked.coverage.items()}
