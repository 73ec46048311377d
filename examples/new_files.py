"""Networks of a run score files that came later; what a change of the analysis would redo is said before."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import verax
from verax.analysis import parse
from verax.pipeline import foresee, measure, score_files

rng, temporary = np.random.default_rng(8), tempfile.TemporaryDirectory()
folder = Path(temporary.name)


def write(name, mean, first, n=3000):
    x = rng.normal(mean, 1.0, (n, 2))
    table = {"pt": np.exp(x[:, 0]), "eta": x[:, 1], "event": np.arange(first, first + n), "run": np.full(n, 7)}
    pq.write_table(pa.table(table), folder / f"{name}.parquet")


for i, (name, mean) in enumerate({"signal": 0.7, "background": 0.0, "new": 0.3}.items()):
    write(name, mean, 3000 * i)
given = {
    "name": "new_files",
    "title": "Networks for later",
    "samples": [{"process": p, "files": [f"{p}.parquet"], "total": 500} for p in ("signal", "background")],
    "number": "event",
    "derived": {"log_pt": "log(pt)"},
    "features": ["log_pt", "eta"],
    "poi": {"name": "mu", "processes": ["signal"]},
    "systematics": [{"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.05}],
    "unaffected": ["eta"],
    "learn": {"folds": 3, "members": 2, "width": 16, "epochs": 10},
    "check": {"toys": 0},
}
measure(parse(given, "new_files", folder), folder / "run")

files = [folder / "signal.parquet", folder / "new.parquet"]
found = score_files(folder / "run", files, folder / "scores.parquet", keep=["run", "log_pt"])
print(f"{found.events} events, {found.by_fold} of them of the simulation: by the fold that never saw them")
scores = {name: np.array(column) for name, column in pq.read_table(folder / "scores.parquet").to_pydict().items()}
run = verax.load(folder / "run")
own = np.concatenate([run.score(e)[np.asarray(e.is_process(["signal"]))] for e in run.events()])
print(f"the scores of the run's own file are those of the run: {np.array_equal(scores['score'][:3000], own)}")
print(f"mean score: signal {scores['score'][:3000].mean():.3f}, new file {scores['score'][3000:].mean():.3f}")

given["learn"] = {**given["learn"], "members": 3}
for stage in foresee(parse(given, "new_files", folder), folder / "run").stages:
    print(f"{stage.stage}: {', '.join(stage.why) or 'kept'}")
temporary.cleanup()
