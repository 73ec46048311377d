"""One page of verdicts: what needs a decision, what to know, what is in order, and what could not be checked."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verax.audit import Severity, Verdict, audit, expected_at, is_expected
from verax.errors import InputError
from verax.report import Section, Table
from verax.workspace import read_json

from . import _options as options
from ._ask import Query, figure, respond

TOYS = 500
"""Toys unless a number is given: the binomial error of coverage is 2 %."""

LARGE = 15_000
"""Work of one evaluation of the likelihood from which on toys take minutes: none are made unless a number is given."""

SHOWN = 5
"""Findings of a verdict in a table; all with --json."""

NAME, WIDTH = 36, 92
"""Characters of a line, of both columns."""


@respond.register
def answer_audit(question: options.Audit, query: Query) -> Section:
    """Check the measurement, and order the verdicts by what they ask for."""
    model, data, folder = query.model, query.data, query.folder
    poi = query.poi if query.poi in {p.name for p in model.parameters if not p.fixed} else ""
    large = model.work(data) > LARGE
    toys = (0 if large or not poi else TOYS) if question.toys is None else question.toys
    results, record = (read_json(folder / f"{n}.json") for n in ("results", "record")) if folder else (None, None)
    expected = is_expected(model, data, expected_at(results or {}))
    if results and results.get("blind") and not expected:
        where, seen = f"run '{folder}', which is blind", "data other than the expected (Asimov) ones"
        raise InputError(where, seen, "those alone while it is blind", "set `blind: false` in the analysis, and run it")
    verdicts = audit(
        model,
        data,
        poi,
        key=_key(question.seed) if toys else None,
        n_toys=toys,
        results=results,
        record=record,
        progress=query.count_toys,
    )
    about = _about(results, expected)
    ordered = sorted(verdicts, key=lambda v: -v.severity)
    decide = [v for v in ordered if v.severity >= Severity.WARNING]
    warnings = list[str]()
    if toys == 0 and question.toys is None and poi:
        warnings.append(f"no toys by default of a model of this size ({len(model.parameters)} parameters): --toys N")
    lines = {s: sum(v.severity == s for v in verdicts) for s in reversed(Severity)}
    summary = ", ".join(f"{n} {s.word}{'s' * (n > 1 and s >= Severity.NOTE)}" for s, n in lines.items() if n)
    parts = (
        _table(decide, "Needs a decision"),
        _table([v for v in verdicts if v.severity == Severity.NOTE], "To know"),
        _table([v for v in verdicts if v.severity == Severity.NOT_MADE], "Not checked"),
        _table([v for v in verdicts if v.severity == Severity.OK], "Checked, and in order"),
    )
    content = {
        "about": about,
        "worst": max(v.severity for v in verdicts),
        "count": {s.name: n for s, n in lines.items()},
        "verdicts": verdicts,
    }
    drawn = [(v.severity.word, v.name, [v.found, *_worst(v)]) for v in ordered]
    figures = {"verdicts": (f"Verdicts: {summary}.", figure("verdicts", drawn, title=f"Audit: {about}"))}
    shown = [p for p in parts if p.rows]
    shown[0] = replace(shown[0], title=f"{shown[0].title}: {about}")
    shown[-1] = replace(shown[-1], note=f"{len(verdicts)} checks: {summary}.")
    unmet = f"{len(decide)} verdicts need a decision: {', '.join(v.name for v in decide)}" if decide else ""
    return Section("Audit", summary, figures, shown, content, warnings, unmet * question.strict)


def _key(seed: int) -> Any:
    """The random key of the toys."""
    import jax

    return jax.random.key(seed)


def _about(results: Mapping[str, Any] | None, expected: bool) -> str:
    """Say which data the verdicts are about."""
    data = "expected (Asimov) data" if expected else "the data given"
    if results is None:
        return data
    return f"run '{results.get('name', '?')}', {'blind, ' * bool(results.get('blind'))}{data}"


def _worst(verdict: Verdict) -> list[str]:
    """The worst finding of a verdict that needs a decision."""
    some = verdict.findings[:1] if verdict.severity >= Severity.WARNING else ()
    return [": ".join(part for part in (str(f.place), f.found) if part) for f in some]


def _table(verdicts: Sequence[Verdict], title: str) -> Table:
    """Tabulate verdicts: what was found, the worst findings, the threshold and what to do."""
    rows, depth = list[tuple[str, str]](), list[int]()
    for v in verdicts:
        shown = v.severity >= Severity.NOTE
        lines = [(f"{v.severity.word}: {v.name}" if v.severity >= Severity.WARNING else v.name, v.found, 0)]
        some = v.findings[:SHOWN] if shown else ()
        lines += [(str(f.place), f.found, 1) for f in some]
        if len(v.findings) > len(some) > 0:
            lines.append(("…", f"and {len(v.findings) - len(some)} more: --json", 1))
        lines += [(label, text, 1) for label, text in (("threshold", v.threshold), ("do", v.action)) if text]
        for label, text, indent in lines:
            names, parts = textwrap.wrap(label, NAME) or [""], textwrap.wrap(text, WIDTH) or [""]
            for i in range(max(len(names), len(parts))):
                rows.append((names[i] if i < len(names) else "", parts[i] if i < len(parts) else ""))
                depth.append(indent)
    return Table(title, ("Check", "Found"), tuple(rows), depth=tuple(depth))
