"""A model of one's own, in folds: gradient-boosted trees that score each event by the one that never saw it."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier

import verax
from verax.analysis import parse
from verax.pipeline import measure, write_folds

FOLDS, rng = 3, np.random.default_rng(5)
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for process, mean in {"signal": 1.0, "background": 0.0}.items():
    x = rng.normal(mean, 1.0, (20_000, 2)).astype(np.float32)
    table = {"pt": x[:, 0], "mass": x[:, 1] ** 2 + 0.3 * x[:, 0], "event": np.arange(len(x)) + len(x) * (mean == 0)}
    pq.write_table(pa.table(table), folder / f"{process}.parquet")
given = {
    "name": "own_model",
    "title": "Trees of my own",
    "samples": [
        {"process": "signal", "files": ["signal.parquet"], "total": 200},
        {"process": "background", "files": ["background.parquet"], "total": 4000},
    ],
    "number": "event",
    "features": ["pt", "mass"],
    "poi": {"name": "mu", "processes": ["signal"]},
    "normalisations": [{"name": "norm_background", "processes": ["background"]}],
}

# all events in one table, with their folds: train a model of each fold on the others
measure(parse(given, "own_model", folder), folder / "run", until="simulate")
write_folds(folder / "run", FOLDS, folder / "training.parquet")
training = {name: np.array(column) for name, column in pq.read_table(folder / "training.parquet").to_pydict().items()}
x, label = np.stack([training["pt"], training["mass"]], axis=1), training["event_process"] == "signal"
models = [HistGradientBoostingClassifier(max_iter=30, random_state=1) for _ in range(FOLDS)]
for fold, model in enumerate(models):
    model.fit(x[training["fold"] != fold], label[training["fold"] != fold])


def score(x, fold):  # called with the events of one fold at a time
    return models[fold].predict_proba(x)[:, 1]


given["summary"] = {"kind": "function", "function": score, "folds": FOLDS, "label": "Score of the trees"}
measure(parse(given, "own_model", folder), folder / "run", until="infer")

# the way back: everything that the run left
run = verax.load(folder / "run")
print(run)
print(run.templates)
print(run.results["expected"].breakdowns[0])
temporary.cleanup()
