"""From events to a measurement: the whole job in one screen. Read this first."""

import tempfile
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from verax import sources
from verax.config import Analysis
from verax.learning import learn
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
    with nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory(prefix="verax-") as place:
        inputs = partial(sources.inputs, analysis)
        last = "" if until == "report" else until
        with Run(
            place,
            inputs,
            seed=analysis.seed,
            until=last,
            progress=progress,
            executor=executor,
            owner=f"analysis '{analysis.name}'",
            types=TYPES,
        ) as run:
            given = sources.files(analysis)
            table = run("simulate", partial(simulate, analysis))
            learned = run(
                "learn", partial(learn, analysis), table, of=[] if sources.aware(analysis) else [table.material]
            )
            summarised = run("summarise", partial(summarise, analysis), table, learned)
            likelihood = run("model", partial(model, analysis), summarised)
            measured = run("infer", partial(infer, analysis), summarised, likelihood)
            checked = run("check", partial(check, analysis), likelihood, learned)
            done = (table, learned, summarised, likelihood, measured, checked)
            measurement = run("report", partial(report, analysis), *done)
            made = record(
                seeds={"analysis": analysis.seed},
                inputs=given,
                timings=run.seconds,
                failed=failures(measured, checked),
                notes=run.notes,
            )
            run.publish("report", {"record.json": to_json(made)})
            return measurement
    return None
