"""From events to a measurement: the whole job in one screen. Read this first."""

import tempfile
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path

from verax.analysis import Analysis, Scale, Stored, plan, written
from verax.check import Reliability
from verax.infer import Breakdown, Fit, Ranking, Row, Scan
from verax.learn import History
from verax.model import BinnedLikelihood, CellModifier, Data, Yields, code0, code1, code2, code4, code4p
from verax.parameters import Gaussian, Parameter, Poisson
from verax.report import Table as ReportTable
from verax.results import Coverage, Interval
from verax.run import Progress, Run, named, record, to_json
from verax.templates import Templates

from ._check import Checked, check
from ._infer import Measured, infer
from ._learn import Learned, learn, read_from
from ._model import model
from ._report import Measurement, report, told
from ._results_json import failures
from ._simulate import Table, Yield, simulate
from ._story import Story
from ._summarise import Summarised, summarise

TYPES = {
    **named(Yield, Scale, Stored, Table, Learned, History, Summarised, Templates, Parameter, Gaussian, Poisson),
    **named(BinnedLikelihood, Data, CellModifier, code0, code1, code2, code4, code4p),
    **named(Measured, Fit, Interval, Scan, Breakdown, Row, Ranking, Yields, Checked, Coverage, Reliability),
    "Measurement": Measurement,
    "ReportTable": ReportTable,
}
"""All that a stage's result may be made of, by the name in its file."""


def measure(
    analysis: Analysis,
    folder: str | Path | None = None,
    *,
    until: str = "report",
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Measurement | None:
    """Simulate → learn → summarise → model → infer → check → report.

    Parameters
    ----------
    analysis : what to measure, from :func:`verax.analysis.load` or written in Python
    folder : of the run; stages that are there and still hold are not done again (default: a temporary one)
    until : the last stage to do
    executor : fills templates, chunk by chunk; the results do not depend on it

    Returns
    -------
    Measurement, without what later stages say when ``until`` is "infer"; or None when it is another stage.

    Raises
    ------
    InputError : for any input that is not what it should be
    """
    with (
        nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory(prefix="verax-") as place,
        Run(
            place,
            until="" if until in ("infer", "report") else until,
            progress=progress,
            executor=executor,
            owner=f"analysis '{analysis.name}'",
            types=TYPES,
        ) as run,
    ):
        parts = plan(analysis)
        table = run("simulate", simulate, parts.reading)
        learned = run("learn", learn, parts.learning, table, of=read_from(parts.learning, table))
        summarised = run("summarise", summarise, parts.histograms, parts.treatment, parts.learning, table, learned)
        likelihood = run("model", model, parts.factors, parts.simulation_statistics, summarised)
        measured = run("infer", infer, parts.inference, summarised, likelihood)
        if until == "infer":
            return told(
                Story(parts.wording, parts.learning, table, learned, summarised, likelihood, measured, Checked({}))
            )
        checked = run("check", check, parts.campaign, parts.learning, table, learned, likelihood)
        done = (table, learned, summarised, likelihood, measured, checked)
        measurement = run("report", report, parts.wording, parts.learning, *done)
        made = record(
            seeds={"analysis": analysis.seed},
            inputs=parts.files,
            timings=run.seconds,
            failed=failures(measured, checked, learned),
            notes=run.notes,
        )
        run.publish("report", {"record.json": to_json(made), "analysis.yaml": written(analysis).encode()})
        return measurement
    return None
