"""Approaches compared on an analysis of one's own: the whole pipeline for each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verax import pipeline
from verax.analysis import load
from verax.aware import APPROACHES
from verax.compare.approaches import OWNER
from verax.compare.spread import spread
from verax.errors import check_known
from verax.folder import claim, publish
from verax.report.html import render
from verax.report.numbers import MISSING, number, with_error
from verax.report.record import to_json
from verax.report.section import Section
from verax.report.tables import Table
from verax.store import Progress

QUICK = {"learn": {"members": 1, "epochs": 10}, "check": {"toys": 300, "shifts": False}}


def compare(
    path: Path,
    folder: Path,
    *,
    seeds: int,
    seed: int,
    names: Sequence[str] | None,
    quick: bool,
    progress: Progress | None,
) -> tuple[Table, ...]:
    """Every approach, with each seed, through all stages: expected results, their parts, coverage. Blind throughout."""
    names = names or APPROACHES
    check_known(names, APPROACHES, "compare approaches", "approach")
    analysis = load(path)
    changes = {k: getattr(analysis, k).model_copy(update=v) for k, v in QUICK.items()} if quick else {}
    claim(folder, OWNER)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for i in range(seeds):
        for name in names:
            learn = changes.get("learn", analysis.learn).model_copy(update={"approach": name})
            one = analysis.model_copy(update={**changes, "learn": learn, "seed": seed + i, "blind": True})
            place = folder / f"{name}-{seed + i}"
            pipeline.measure(one, place, progress=progress)
            results = json.loads((place / "results.json").read_text(encoding="utf-8"))
            found[name].append({**results, "seconds": _seconds(place)})
    shown = table(analysis.title, analysis.poi.name, found)
    lead = [f"{len(names)} approaches, {seeds} seed{'s' * (seeds > 1)}; expected results (Asimov data)."]
    section = Section("Expected uncertainty", "Each approach has a report of its own in this folder.", tables=(shown,))
    page = render(analysis.title, lead, [section], {}).encode()
    kept = ("expected", "coverage", "seconds")
    content = {k: [{w: r["results"].get(w, r.get(w)) for w in kept} for r in v] for k, v in found.items()}
    files = {"comparison.html": page, "comparison.json": to_json(content)}
    publish(folder, files, (progress or Progress()).note)
    return (shown,)


def _seconds(place: Path) -> float:
    stage = json.loads((place / "stages" / "learn" / "stage.json").read_text(encoding="utf-8"))
    return float(stage["seconds"])


def table(title: str, poi: str, found: dict[str, list[dict[str, Any]]]) -> Table:
    """Total and its parts by shifted observables, width and coverage; median over seeds and its spread."""
    rows, parts = [], list[str]()
    for results in found.values():
        for r in results:
            parts += [row["name"] for row in _rows(r)[1:] if row["depth"] == 1 and row["name"] not in parts]
    for name, results in found.items():
        total, half = spread([_rows(r)[0]["impact"] for r in results])
        shares = [
            [x["impact"] for r in results for x in _rows(r) if x["name"] == part and x["depth"] == 1] for part in parts
        ]
        interval = [r["results"]["expected"]["interval"] for r in results]
        width = spread([i["high"] - i["low"] for i in interval])[0]
        cells = [c for r in results for c in r["coverage"].values()]
        worst = max(cells, key=lambda c: abs(c["fraction"] - c["level"]) / c["error"] if c["error"] else 0.0)
        rows.append(
            (
                name,
                f"{number(total, 3)} ± {number(half, 3)}",
                *(number(spread(s)[0], 3) if s else MISSING for s in shares),
                number(width, 3),
                with_error(worst["fraction"], worst["error"]),
                number(spread([r["seconds"] for r in results])[0], 1),
            )
        )
    columns = ("Approach", f"σ({poi})", *parts, "width", "coverage, worst truth", "training, s")
    return Table(
        title, columns, tuple(rows), "Median over seeds ± half the central 68 %. Parts by shifted observables."
    )


def _rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = results["results"]["expected"]["breakdown"]["shifted-observables"]
    return rows
