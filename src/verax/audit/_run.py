"""What only a run of an analysis knows: its networks, toys and treated templates, and whether its result is this one."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from verax.arrays import Float
from verax.errors import InputError
from verax.model import BinnedLikelihood
from verax.report import number, with_error

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, not_made

AGREES = 1e-3
"""Difference of the estimates of run and workspace, in σ, that rounding makes."""

ERRORS = 3.0
"""Binomial errors from nominal, as in the report of a run."""


def verdicts_of_run(results: Mapping[str, Any], record: Mapping[str, Any], subject: Subject) -> Iterator[Verdict]:
    """All that the files of a run, ``results.json`` and ``record.json``, tell beside its workspace."""
    try:
        yield same_result(results, subject)
        yield trainings(results)
        yield training_seeds(results)
        yield failed_fits(record)
        yield coverage_of_run(results)
        yield treated_templates(results)
        yield warnings_of_run(results)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        seen = f"content that no run writes ({type(error).__name__}: {error})"
        raise InputError("results.json, record.json", seen, "the files of a run", "run the analysis again") from error


def variance_of_run(results: Mapping[str, Any], model: BinnedLikelihood) -> Float[np.ndarray, "process bin"] | None:
    """Σw² behind each template, as the run filled it; None where its templates are not those of the likelihood."""
    try:
        filled = results["templates"]
        order = [filled["processes"].index(p) for p in model.processes]
        nominal, variance = (np.asarray(filled[k], np.float64)[order] for k in ("nominal", "variance"))
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    same = nominal.shape == variance.shape == model.nominal.shape
    return variance if same and np.allclose(nominal, model.nominal, rtol=1e-6) else None


def expected_at(results: Mapping[str, Any]) -> dict[str, float]:
    """Look up where the expected data of a run (Asimov, EPJC 71 (2011) 1554) are: as fitted, where some bins are blind.

    Parameters
    ----------
    results : content of ``results.json``

    >>> expected_at({"results": {"expected": {"truth": {"norm": 1.2}}}}), expected_at({})
    ({'norm': 1.2}, {})
    """
    try:
        return {str(name): float(value) for name, value in results["results"]["expected"]["truth"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def same_result(results: Mapping[str, Any], subject: Subject) -> Verdict:
    """Whether the fit of the workspace is the result of the run."""
    name, poi = "result of the run", subject.poi
    kinds = results.get("results", {})
    kind = "observed" if "observed" in kinds else "expected"
    if poi not in kinds.get(kind, {}).get("fit", {}).get("parameters", {}):
        return not_made(name, f"results.json has no fit of '{poi}' to compare with")
    i = subject.best.names.index(poi)
    here, error = float(subject.best.value[i]), float(subject.best.error[i]) or 1.0
    there = float(kinds[kind]["fit"]["parameters"][poi])
    found = []
    if not abs(here - there) < AGREES * error:
        text = f"results.json has {number(there, 4)}, workspace.json gives {number(here, 4)}"
        found = [Finding(Place(poi), text, Severity.FAILURE, {"run": there, "workspace": here})]
    text = f"{kind}: {poi} = {number(there, 4)} in results.json, {number(here, 4)} from workspace.json"
    return judged(
        name, text, found, f"{AGREES:g} σ", "run the analysis again: one of the files was changed or exchanged"
    )


def trainings(results: Mapping[str, Any]) -> Verdict:
    """Statuses of the trainings, or posteriors, of each fold."""
    folds = results.get("posteriors", [])
    if not folds:
        return not_made("trainings", "no network was trained in this run")
    found = [
        Finding(Place(f"fold {i + 1}"), f"{f['status']}: {f['problem']}", Severity.WARNING)
        for i, f in enumerate(folds)
        if f["status"] != "OK" or f["problem"]
    ]
    how = results.get("learn", {})
    text = f"{len(found)} of {len(folds)} folds did not end by themselves ({how.get('members', '?')} members each, "
    text += f"{how.get('epistemic', '?')})"
    action = "allow more epochs: what is lost is precision, not correctness, while the network makes the summary alone"
    return judged("trainings", text, found, "status OK of each", action)


def training_seeds(results: Mapping[str, Any]) -> Verdict:
    """The spread over training seeds, which one run does not have."""
    if not results.get("posteriors"):
        return not_made("training seeds", "no network was trained in this run")
    why = "one seed was trained: how far the result moves with another is not known"
    return not_made(
        "training seeds", why, "run again with --set seed=N and -o another folder, and compare the intervals"
    )


def failed_fits(record: Mapping[str, Any]) -> Verdict:
    """Fits, intervals, scans and toys of the run that failed."""
    failed = {k: int(v) for k, v in record.get("failed", {}).items() if k != "posteriors"}
    if not failed:
        return not_made("failed fits", "record.json counts none")
    found = [Finding(Place(k), f"{v} failed", Severity.WARNING, {"failed": float(v)}) for k, v in failed.items() if v]
    text = f"{sum(failed.values())} in {len(failed)} results"
    return judged("failed fits", text, found, "none", "see the status of each in results.json", "failed")


def coverage_of_run(results: Mapping[str, Any]) -> Verdict:
    """Coverage at the truths that the run tested."""
    tested, found = results.get("coverage", {}), list[Finding]()
    if not tested:
        return not_made("coverage in the run", "no toys were asked for", "set check: {toys: 2000} in the analysis")
    for label, c in tested.items():
        pull = (c["fraction"] - c["level"]) / c["error"] if c["error"] else 0.0
        if abs(pull) > ERRORS:
            text = f"{with_error(c['fraction'], c['error'])} in place of {c['level']:.3f}"
            severity = Severity.WARNING if pull < 0 else Severity.NOTE
            found.append(Finding(Place(label), text, severity, {"pull": pull, **c}))
    text = "; ".join(f"{label}: {with_error(c['fraction'], c['error'])}" for label, c in list(tested.items())[:4])
    action = "are all systematics in the model that the toys vary? see the section Coverage of the report"
    return judged("coverage in the run", text, found, f"{ERRORS:g} binomial errors from nominal", action, "pull")


def treated_templates(results: Mapping[str, Any]) -> Verdict:
    """What was symmetrised, smoothed or pruned before the fit."""
    lines = results.get("treated")
    if lines is None:
        return not_made("treated templates", "results.json does not say, it was written by an earlier version")
    found = [Finding(Place(), line) for line in lines]
    text = f"{len(lines)} templates were symmetrised, smoothed or pruned"
    return judged("treated templates", text, found, "any", "does the note of the analysis say so?")


def warnings_of_run(results: Mapping[str, Any]) -> Verdict:
    """Warnings that the run gave, those about trainings apart."""
    told = [str(f["problem"]) for f in results.get("posteriors", []) if f["problem"]]
    lines = [line for line in results.get("warnings", []) if not any(problem in line for problem in told)]
    found = [Finding(Place(), line) for line in lines]
    return judged(
        "warnings of the run",
        f"{len(lines)} in the report, beside those of trainings",
        found,
        "any",
        "see the report's last section",
    )
