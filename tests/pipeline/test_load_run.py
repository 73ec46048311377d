"""The way back from a run folder, and how results show themselves."""

import json
import shutil

import numpy as np
import pytest

import verax
from likelihoods import realistic
from small_run import small_run
from verax.analysis import load
from verax.errors import InputError
from verax.infer import breakdown, fit, goodness_of_fit, interval, limit, profile, ranking, scan2d, significance
from verax.learn import fold_of
from verax.model import example_model
from verax.pipeline import TYPES, Measurement, measure
from verax.results import Interval, Status
from verax.run import Run, Stored, checksum_of, seal, unseal


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "run")


def test_all_parts_of_a_run_come_back_and_go_together(small):
    found = verax.load(small)
    assert found.stages == ("simulate", "learn", "summarise", "model", "infer", "check", "report")
    told = json.loads((small / "results.json").read_text())["results"]
    for kind in ("expected", "pseudo-experiment"):
        assert found.results[kind].interval.high == told[kind]["interval"]["high"]
        again = fit(found.likelihood, found.data[kind])
        assert again.nll == pytest.approx(found.results[kind].fit.nll, abs=1e-9)
    assert found.templates.channels == found.likelihood.channels == ("low", "high")
    assert found.networks.network.layers[0].weight.shape[:2] == (3, 2)
    assert found.coverage == {}


def test_the_score_is_that_of_the_networks_that_never_saw_the_event(small):
    found, (events,) = verax.load(small), list(verax.load(small).events())
    score = found.score(events)
    assert len(events) == 900
    assert ((score > 0) & (score < 1)).all()
    other = fold_of(events.number, 3) != 0
    changed = found.score(type(events)(**{**vars(events), "number": events.number * 0}))
    assert np.array_equal(changed[~other], score[~other])
    assert not np.array_equal(changed[other], score[other])
    # the templates are the histogram of these scores
    templates = found.templates
    low = np.asarray(events.column("pt")) < 45
    for i, process in enumerate(events.processes):
        mine = np.asarray(events.is_process([process])) & low
        filled, _ = np.histogram(score[mine], templates.edges[0], weights=events.weight[mine])
        assert filled == pytest.approx(templates.nominal[i, templates.slices()["low"]], rel=1e-5)


def test_nothing_is_written_or_imported_from_the_folder(copy):
    before = {p: p.stat().st_mtime_ns for p in copy.rglob("*")}
    found = verax.load(copy)
    repr(found), found.likelihood, found.networks, found.results, found.templates
    assert {p: p.stat().st_mtime_ns for p in copy.rglob("*")} == before
    path = copy / "stages" / "model" / "result.json"
    path.write_text(json.dumps({"type": "os.system", "fields": {"command": "touch x"}}))
    record = unseal(copy / "stages" / "model" / "stage.json")
    record["files"]["result.json"] = checksum_of(path)
    (copy / "stages" / "model" / "stage.json").write_bytes(seal(record))
    with pytest.raises(InputError, match=r"'model': got a result that cannot be read \(KeyError\)"):
        verax.load(copy).likelihood  # noqa: B018


@pytest.mark.parametrize(
    ("damage", "part", "message"),
    [
        (
            lambda f: shutil.rmtree(f / "stages/infer"),
            "results",
            "stage 'infer': got nothing; expected a stage that",
        ),
        (lambda f: (f / "stages/model/stage.json").write_text("{"), "likelihood", "'model': got a damaged record"),
        (lambda f: (f / "stages/learn/networks.eqx").unlink(), "networks", "networks.eqx, lost since it was written"),
        (
            lambda f: (f / "stages/infer/arrays.npz").write_bytes(b"x"),
            "data",
            "arrays.npz, changed since it was written",
        ),
        (
            lambda f: shutil.rmtree(f / "stages/summarise"),
            "likelihood",
            "'model': got a result made of another 'summarise' than is there now; expected stages of one run",
        ),
    ],
)
def test_an_unfinished_or_damaged_folder_is_one_line(copy, damage, part, message):
    damage(copy)
    found = verax.load(copy)
    assert "Run in" in repr(found)
    with pytest.raises(InputError, match=message) as caught:
        getattr(found, part)
    assert "\n" not in str(caught.value)


def test_networks_of_other_events_are_refused(small, copy):
    analysis = load(small.parent / "analysis.yaml")
    measure(analysis.model_copy(update={"title": "Another"}), copy, until="simulate")
    assert verax.load(copy).networks.folds == 3
    samples = [s.model_copy(update={"total": 201.0}) for s in analysis.samples]
    measure(analysis.model_copy(update={"samples": samples}), copy, until="simulate")
    with pytest.raises(
        InputError, match="got networks that learnt from other events than are there now; expected stages"
    ):
        verax.load(copy).networks  # noqa: B018


def test_stages_of_two_runs_are_not_mixed(tmp_path):
    """A run that was begun anew with other values: what was made of the earlier ones is refused."""
    for value in (1, 2):
        with Run(tmp_path / "run", types=TYPES) as work:
            first = work("first", lambda run, folder, value: (value,), value)
            if value == 1:
                work("second", lambda run, folder, result: (9,), first)
    stored = Stored(tmp_path / "run", TYPES)
    assert stored.result("first") == (2,)
    with pytest.raises(InputError, match="stage 'second': got a result made of another 'first' than is there now"):
        stored.result("second")


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_what_is_no_run_folder_is_one_line(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected the folder of a run; as `verax run` makes it"):
        verax.load(tmp_path / name)


def test_a_run_without_networks_says_so(tmp_path):
    column = {"kind": "column", "column": "x", "range": [-5, 5]}
    folder = small_run(tmp_path, 100, summary=column, until="learn")
    with pytest.raises(InputError, match="got a run without networks of its own; expected one of"):
        verax.load(folder).networks  # noqa: B018


MODEL, DATA = example_model()
BIG = realistic(systematics=40)
RESULTS = [
    MODEL,
    DATA,
    BIG,
    BIG.asimov({p.name: p.init for p in BIG.parameters}),
    fit(MODEL, DATA),
    interval(MODEL, DATA, "mu"),
    profile(MODEL, DATA, "mu", np.linspace(0, 2, 50)),
    breakdown(MODEL, DATA, "mu"),
    ranking(MODEL, DATA, "mu"),
    limit(MODEL, DATA, "mu"),
    significance(MODEL, DATA, "mu"),
    goodness_of_fit(MODEL, DATA),
    scan2d(MODEL, DATA, ("mu", "jes"), (np.linspace(0, 2, 3), np.linspace(-1, 1, 3))),
    Measurement("m", {"expected": interval(MODEL, DATA, "mu")}, (), ()),
]


@pytest.mark.parametrize("result", RESULTS, ids=[type(r).__name__ for r in RESULTS])
def test_results_show_themselves_in_a_few_lines(result):
    text, page = repr(result), result._repr_html_()
    assert len(text.splitlines()) <= 28
    assert max(map(len, text.splitlines())) <= 120
    assert page.startswith("<p>")
    assert page.count("<tr>") == page.count("</tr>") <= 26


def test_names_are_text_in_a_page():
    one = Interval("<b>mu</b>", 0.68, np.array(1.0), np.array(0.5), np.array(1.7), np.array(Status.OK))
    assert repr(one) == "<b>mu</b> = 1.00 +0.70 −0.50 (0.68 interval, OK)"
    assert "<b>" not in one._repr_html_()
