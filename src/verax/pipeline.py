"""From events to a measurement: the whole job in one screen. Read this first."""

import tempfile
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path

from verax.analysis import plan
from verax.config import Analysis
from verax.learning import learn, read_from
from verax.outcome import failures
from verax.report.record import record, to_json
from verax.report.tables import Table
from verax.stages import RESULTS, check, infer, model, simulate, summarise
from verax.store import Progress, Run
from verax.story import Measurement, report

TYPES = {**RESULTS, "Measurement": Measurement, "ReportTable": Table}
"""All that a stage's result may be made of."""


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
    analysis : what to measure, from :func:`verax.config.load` or written in Python
    folder : of the run; stages that are there and still hold are not done again (default: a temporary one)
    until : the last stage to do
    executor : fills templates, chunk by chunk; the results do not depend on it

    Returns
    -------
    Measurement, or None when ``until`` is an earlier stage.

    Raises
    ------
    InputError : for any input that is not what it should be
    """
    with (
        nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory(prefix="verax-") as place,
        Run(
            place,
            until="" if until == "report" else until,
            progress=progress,
            executor=executor,
            owner=f"analysis '{analysis.name}'",
            types=TYPES,
        ) as run,
    ):
        p = plan(analysis)
        table = run("simulate", simulate, p.reading)
        learned = run("learn", learn, p.learning, table, of=read_from(p.learning, table))
        summarised = run("summarise", summarise, p.filling, p.treatment, p.learning, table, learned)
        likelihood = run("model", model, p.factors, p.simulation_statistics, summarised)
        measured = run("infer", infer, p.asked, summarised, likelihood)
        checked = run("check", check, p.campaign, p.learning, table, learned, likelihood)
        done = (table, learned, summarised, likelihood, measured, checked)
        measurement = run("report", report, p.words, p.learning, *done)
        made = record(
            seeds={"analysis": analysis.seed},
            inputs=p.files,
            timings=run.seconds,
            failed=failures(measured, checked),
            notes=run.notes,
        )
        run.publish("report", {"record.json": to_json(made)})
        return measurement
    return None
