"""A small analysis with files of every kind: a signal and two backgrounds in two features and a mass."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uproot
import yaml

SEED = 71


def draw(rng: np.random.Generator, n: int, mean: float, first: int) -> dict[str, np.ndarray]:
    """Columns of n events; ``number`` runs from ``first``."""
    x, y = rng.normal(mean, 1.0, n), rng.normal(-mean, 1.0, n)
    return {
        "x": x,
        "y": y,
        "pt": rng.exponential(30.0, n) + 20 + 10 * mean,
        "w": rng.uniform(0.5, 1.5, n),
        "number": np.arange(first, first + n),
    }


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Columns as text, every digit kept."""
    rows = zip(*(c.tolist() for c in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_analysis(folder: Path, n: int = 2000, **changes: object) -> Path:
    """Files and an analysis of them in ``folder``; ``changes`` replace its keys."""
    rng = np.random.default_rng(SEED)
    signal, top, other = (draw(rng, n, mean, first) for mean, first in ((0.8, 0), (-0.4, n), (0.0, 2 * n)))
    with uproot.recreate(folder / "signal.root") as file:
        file["events"] = signal
    pq.write_table(pa.table(top), folder / "top.parquet")
    write_csv(folder / "other.csv", other)
    moved = {**other, "x": other["x"] + 0.05}
    write_csv(folder / "other_up.csv", moved)
    data = {k: np.concatenate([v[: n // 20], other[k][: n // 4]]) for k, v in top.items()}
    pq.write_table(pa.table(data), folder / "data.parquet")
    (folder / "smear.py").write_text(
        "import numpy as np\n\n\ndef smear(events, theta):\n"
        "    x = np.asarray(events.column('y'))\n    return events.replace({'y': x + np.float32(0.1) * theta})\n"
    )
    analysis = {
        "name": "toy",
        "title": "Toy measurement",
        "seed": 5,
        "samples": [
            {"process": "signal", "files": ["signal.root"], "tree": "events", "weight": "w", "total": 200},
            {"process": "top", "files": ["top.parquet"], "weight": "w", "total": 800},
            {"process": "other", "files": ["other.csv"], "weight": "w * 0.5"},
        ],
        "poi": {"name": "mu", "processes": ["signal"]},
        "normalisations": [{"name": "norm_top", "processes": ["top"]}],
        "pseudo_experiment": {"truth": {"mu": 1.5}},
        "number": "number",
        "derived": {"log_pt": "log(pt)"},
        "features": ["x", "y", "log_pt"],
        "unaffected": {"scale": ["x", "y"], "smear": ["x"]},
        "channels": [{"name": "low", "select": "pt < 45"}, {"name": "high", "select": "pt >= 45"}],
        "systematics": [
            {"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02, "group": "detector"},
            {"name": "lumi", "effect": "normalisation", "width": 0.02, "group": "luminosity"},
            {"name": "shape", "effect": "weight", "up": "1 + 0.1 * x", "processes": ["other"], "group": "theory"},
            {
                "name": "model",
                "effect": "samples",
                "group": "theory",
                "up": [{"process": "other", "files": ["other_up.csv"], "weight": "w * 0.5"}],
            },
            {
                "name": "smear",
                "effect": "function",
                "function": "smear.py:smear",
                "changes": ["y"],
                "group": "detector",
            },
        ],
        "learn": {"folds": 2, "members": 2, "width": 16, "epochs": 8, "batch": 256},
        "binning": {"max_bins": 4, "fine_bins": 50},
        "check": {"toys": 200, "truths": [1.0], "shifts": False},
        **changes,
    }
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in analysis.items() if v is not None}, sort_keys=False))
    return path
