"""Random damage to what verax keeps: the answer afterwards is the same, and a line says what was damaged."""

import json
import random
import shutil
from functools import partial

import jax
import numpy as np
import pytest

from likelihoods import realistic
from verax import questions
from verax.data import read_events, write_events
from verax.errors import InputError
from verax.events import make_events
from verax.learn import blank, save
from verax.pipeline import TYPES
from verax.results import Coverage, Interval, Status
from verax.run import Progress, Run, plain, to_json
from verax.workspace import to_pyhf


class Heard(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


# ------------------------------------------------------------------------------------------------------------- damages

TEXTS = (b"", b"{}", b"[]", b"null", b"\xff\xfe\x00{", b"0", b"[" * 50_000, b"PK\x05\x06" + bytes(18))


def damage(rng, folder, path):
    """One damage to a file; returns what was done."""
    content = path.read_bytes()
    digits = [i for i, c in enumerate(content) if chr(c).isdigit()]
    kind = rng.choice(("bit", "bit", "cut", "delete", "text", "link", "digit", "digit", "swap", "grow", "folder"))
    match kind:
        case "bit" if content:
            i = rng.randrange(len(content))
            path.write_bytes(content[:i] + bytes([content[i] ^ 1 << rng.randrange(8)]) + content[i + 1 :])
        case "digit" if digits:
            i = rng.choice(digits)
            path.write_bytes(content[:i] + str((int(chr(content[i])) + 1) % 10).encode() + content[i + 1 :])
        case "cut" if content:
            path.write_bytes(content[: rng.randrange(len(content))])
        case "text":
            path.write_bytes(rng.choice([t for t in TEXTS if t != content]))
        case "link":
            mine = folder.parent / "mine"
            for place in (mine, folder.parent / "as it was"):
                place.write_bytes(content)
            path.unlink()
            path.symlink_to(mine)
        case "swap":
            other = rng.choice([p for p in files(folder) if p.read_bytes() != content])
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        case "grow":
            path.write_bytes(content + rng.randbytes(3))
        case "folder":
            path.unlink()
            path.mkdir()
            (path / "inside").write_text("inside")
        case _:
            kind = "delete"
            path.unlink()
    return f"{kind} {path.relative_to(folder)}"


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and p.name != ".lock")


def same(one, other):
    """The same content; bytes of an archive of toys that belong to none of its arrays may differ."""
    if one.name.startswith("toys-"):
        with np.load(one) as a, np.load(other) as b:
            return all(np.array_equal(a[k], b[k]) for k in ("values", "status", "checksum"))
    return one.read_bytes() == other.read_bytes()


def survive(make, whole, tmp_path, seed, times):
    """Damage a copy of a whole folder again and again, ``times`` in all, and make it anew after each."""
    folder, done, answer = tmp_path / "folder", [], make(whole, Heard())
    for i in range(times):
        rng = random.Random(f"{seed} {i}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        what = [damage(rng, folder, rng.choice(files(folder))) for _ in range(rng.choice((1, 1, 1, 2)))]
        heard = Heard()
        for _ in range(4):
            try:
                found = make(folder, heard)
                break
            except InputError as error:  # one line, which says what to move away; nothing was harmed
                heard.notes.append(str(error))
                place = folder.parent / error.where
                place.rename(tmp_path / f"moved {i}") if not place.is_symlink() else place.unlink()
        assert found == answer, (what, heard.notes)
        assert heard.notes or all(same(p, folder / p.relative_to(whole)) for p in files(whole)), what
        assert all(len(line.splitlines()) == 1 for line in heard.notes)
        if any("link" in w for w in what):
            assert (tmp_path / "mine").read_bytes() == (tmp_path / "as it was").read_bytes(), what
        quiet = Heard()
        assert make(folder, quiet) == answer, what
        assert quiet.notes == [], (what, quiet.notes)
        done += what
    kinds = {w.split()[0] for w in done}
    assert len(kinds) >= 9, kinds


# ---------------------------------------------------------------------------------------------------------- run folder


def simulate(run, folder):
    x = np.linspace(0, 1, 60)
    columns = {"x": x, "y": x**2}
    chunk = make_events(columns, weight=1 + x, process=np.arange(60) % 2, number=np.arange(60), processes=("s", "b"))
    write_events(folder / "nominal.parquet", [chunk])
    return {"rows": 60, "sums": np.arange(5) / 3}


def learn(run, folder, table):
    network = blank(("x", "y"), width=4, depth=1, missing=None, axes=(2, 1), outputs=None)
    save(folder / "networks.eqx", jax.tree.map(lambda a: a + 0.5 if eqx_float(a) else a, network))
    return tuple(table["sums"].tolist())


def eqx_float(a):
    return isinstance(a, np.ndarray | jax.Array) and np.issubdtype(a.dtype, np.floating)


def model(run, folder, learned):
    return realistic()


def infer(run, folder, table, likelihood):
    rows = next(read_events(run.path("simulate") / "nominal.parquet", 100))
    value = np.asarray(rows.x).sum() + np.asarray(likelihood.nominal).sum()
    interval = Interval("mu", 0.6827, np.array(value), np.array(value - 1), np.array(np.inf), np.array(Status.OK))
    return interval, {"mu = 1": Coverage(0.68, 0.7, 0.01, 1.0, 0.1, 10, 0)}


def report(run, folder, found):
    (folder / "figures").mkdir()
    for name in ("scan", "scan_observed"):
        (folder / "figures" / f"{name}.png").write_bytes(b"png" + name.encode() * 9)
    (folder / "report.html").write_text("<p>page</p>")
    (folder / "results.json").write_bytes(to_json({"interval": found[0], "coverage": found[1]}))
    return float(found[0].value)


def measure(folder, heard):
    """All stages; the answer is what stands at the top, and what the stages gave."""
    with Run(folder, lambda stage: stage, owner="analysis 'a'", types=TYPES, progress=heard) as run:
        table = run("simulate", simulate)
        likelihood = run("model", model, run("learn", learn, table))
        found = run("infer", infer, table, likelihood)
        value = run("report", report, found)
        run.publish("report", {"record.json": b"{}"})
    top = {str(p.relative_to(folder)): p.read_bytes() for p in files(folder) if "stages" not in p.parts}
    top.pop(".verax")
    return top, value, to_json([table["sums"], found, np.asarray(likelihood.odd)])


def test_a_damaged_run_folder_gives_the_same_answer_and_says_so(tmp_path):
    whole = tmp_path / "whole"
    survive(measure, whole, tmp_path, "run", 220)


# -------------------------------------------------------------------------------------------------------- toys' folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = tmp_path_factory.mktemp("workspace") / "workspace.json"
    likelihood = realistic()
    path.write_text(json.dumps(to_pyhf(likelihood, likelihood.asimov({"mu": 1.2}), poi="mu", name="measurement")))
    return path


def throw(workspace, folder, heard):
    found = questions.answer("toys", str(workspace), toys=96, batch=32, output=folder, progress=heard)
    return json.dumps(plain(found.content), sort_keys=True)


@pytest.mark.thorough
def test_a_damaged_folder_of_toys_gives_the_same_answer_and_says_so(workspace, tmp_path):
    whole = tmp_path / "whole"
    survive(partial(throw, workspace), whole, tmp_path, "toys", 80)
