"""The results of a measurement as JSON: the content of ``results.json``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from verax.analysis import Wording
from verax.report import Section
from verax.report.tables import fitted
from verax.results import Status, good
from verax.run import in_words, plain
from verax.templates import Templates

from ._check import Checked
from ._infer import Measured
from ._learn import Learned
from ._simulate import Table

SCHEMA = 1
"""Version of the layout."""


def outcome(wording: Wording, table: Table, sections: Sequence[Section]) -> dict[str, Any]:
    """Join the contents of the report's sections; equal inputs and seeds give equal bytes on one type of processor."""
    content = {k: v for section in sections for k, v in section.content.items()}
    return {
        "schema": SCHEMA,
        "name": wording.name,
        "parameter_of_interest": wording.factors[0].name,
        "blind": wording.blind and table.observed is not None,
        **content,
    }


def templates_of(templates: Templates) -> dict[str, Any]:
    """Give the templates by name."""
    return {
        "channels": dict(zip(templates.channels, templates.edges, strict=True)),
        "processes": list(templates.processes),
        "nominal": templates.nominal,
        "variance": templates.variance,
        "systematics": {
            p.name: {"group": p.group, "up": templates.up[k], "down": templates.down[k]}
            for k, p in enumerate(templates.systematics)
        },
    }


def results_of(m: Measured) -> dict[str, Any]:
    """Give the results for one data set, by name."""
    return {
        "truth": m.truth,
        "interval": {k: v for k, v in in_words(plain(m.interval)).items() if k != "name"},
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
        "goodness_of_fit": m.goodness
        and dict(zip(("statistic", "ndf", "p_value", "p_error"), m.goodness, strict=True)),
        "counts": m.data.counts,
        "auxiliary": m.data.auxiliary,
    }


def failures(measured: tuple[Measured, ...], checked: Checked, learned: Learned) -> dict[str, int]:
    """Count failed fits, intervals and posteriors of networks per result, for the record."""
    found = {"posteriors": sum(not good(np.asarray(Status[status])) for status, _ in learned.ended)}
    found |= {f"{m.kind}: fit": int(not good(m.fit.status)) for m in measured}
    found |= {f"{m.kind}: interval": int(not good(m.interval.status)) for m in measured}
    found |= {f"{m.kind}: {f.interval.name}": int(not good(f.interval.status)) for m in measured for f in m.further}
    found |= {f"{m.kind}: scan": int((~good(m.scan.status)).sum()) for m in measured}
    return found | {f"coverage at {label}": c.failed for label, c in checked.coverage.items()}
