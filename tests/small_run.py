"""A run of the small analysis to its end in seconds, without figures: few events, few epochs, no toys."""

from pathlib import Path

import pytest

from toy_analysis import write_analysis
from verax.analysis import load
from verax.pipeline import measure

SMALL = {
    "learn": {"folds": 3, "members": 2, "width": 4, "depth": 1, "epochs": 2},
    "check": {"toys": 0},
    "systematics": [
        {"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02, "group": "detector"},
        {"name": "lumi", "effect": "normalisation", "width": 0.02, "group": "luminosity"},
    ],
}


def small_run(folder: Path, n: int = 300, *, until: str = "report", **changes: object) -> Path:
    """The run folder, ``folder/run``; the analysis lies beside it."""
    with pytest.MonkeyPatch.context() as patch:
        (folder / "figure.txt").write_text("")
        patch.setattr("verax.report._html.save", lambda *_: (folder / "figure.txt", folder / "figure.txt"))
        measure(load(write_analysis(folder, n, **{**SMALL, **changes})), folder / "run", until=until)
    return folder / "run"
