"""Questions about a workspace on the command line: what is printed is what the verbs answer."""

import io
import json
from dataclasses import fields, replace
from math import factorial

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress as Bars

from likelihoods import realistic
from verax import questions
from verax.choices import DECORRELATE_BY
from verax.cli import _main as cli
from verax.cli._terminal import ProgressBars, save_figures, show_answer
from verax.errors import InputError
from verax.infer import breakdown, fit, goodness_of_fit, interval, limit
from verax.model import hold
from verax.questions._ask import load_query, respond
from verax.questions._options import Question
from verax.questions._toys import Kept
from verax.report import Section, plots
from verax.results import Status
from verax.run import Progress
from verax.workspace import edit, from_pyhf, to_pyhf
from workspaces import EXAMPLES, as_hs3, sample
from workspaces import MU as SIGNAL
from workspaces import workspace as small_workspace


@pytest.fixture(scope="module")
def model():
    return realistic()


@pytest.fixture(scope="module")
def workspace(model, tmp_path_factory):
    """A workspace whose data are an Asimov set at μ = 1.2, in a file."""
    path = tmp_path_factory.mktemp("workspace") / "workspace.json"
    path.write_text(json.dumps(to_pyhf(model, model.asimov({"mu": 1.2}), poi="mu", name="measurement")))
    return path


def ask(capsys, *arguments):
    """What is printed, as JSON."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, arguments), "--json"])
    assert stopped.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_fit_finds_what_the_data_were_made_of(model, workspace, capsys):
    found = ask(capsys, "fit", workspace)
    assert found["status"] == "OK"
    assert found["parameters"]["mu"] == pytest.approx(1.2, abs=1e-4)
    data = model.asimov({"mu": 1.2})
    best, ends = fit(model, data), interval(model, data, "mu")
    assert found["errors"]["mu"] == pytest.approx(best.error[0], rel=1e-3)
    assert found["interval"]["high"] == pytest.approx(float(ends.high), rel=1e-3)


def statuses(node):
    """Every status of an answer, at any depth."""
    if isinstance(node, list):
        return [s for item in node for s in statuses(item)]
    if not isinstance(node, dict):
        return []
    own = [v for k, v in node.items() if k.endswith("status") and not isinstance(v, dict)]
    return [s for v in own for s in np.ravel(v).tolist()] + [s for v in node.values() for s in statuses(v)]


VERBS = (("fit",), ("interval",), ("scan", "--points", 5), ("scan", "--against", "norm"), ("ranking",), ("limit",))
VERBS += (("gof",), ("yields",), ("toys", "-n", 20), ("interval", "--method", "upper", "--toys", 20))


@pytest.mark.thorough
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(map(str, verb)))
def test_a_status_is_a_word_at_every_depth(verb, workspace, capsys):
    found = statuses(ask(capsys, verb[0], workspace, *verb[1:]))
    assert found or verb[0] == "toys"
    assert set(found) <= set(Status.__members__)


def test_covariance_errors_and_parameters_have_one_order(model, workspace, capsys):
    found = ask(capsys, "fit", workspace)
    assert found["names"] == list(found["parameters"]) == list(found["errors"]) == sorted(model.names)
    errors = np.sqrt(np.diag(found["covariance"]))
    np.testing.assert_allclose(errors, list(found["errors"].values()), rtol=1e-12)
    best = fit(model, model.asimov({"mu": 1.2}))
    i, j = (found["names"].index(n) for n in ("mu", "norm"))
    k, m = (best.names.index(n) for n in ("mu", "norm"))
    assert found["covariance"][i][j] == pytest.approx(best.covariance[k, m], rel=1e-3)


def test_parameters_can_be_held_and_data_exchanged(workspace, capsys, tmp_path):
    held = ask(capsys, "fit", workspace, "--fixed", "norm=1.1", "--data", "asimov")
    assert held["parameters"]["norm"] == 1.1
    assert ask(capsys, "fit", workspace, "--data", "asimov")["parameters"]["mu"] == pytest.approx(1.0, abs=1e-4)
    counts = tmp_path / "counts.json"
    spec = json.loads(workspace.read_text())
    counts.write_text(json.dumps({o["name"]: o["data"] for o in spec["observations"]}))
    assert ask(capsys, "fit", workspace, "--data", counts)["parameters"]["mu"] == pytest.approx(1.2, abs=1e-4)


def test_parameters_are_held_by_pattern(model, workspace, capsys):
    """All that match are, at their initial values or the one given; later settings prevail, "!" lets go again."""

    def held(*settings):
        given = [x for s in settings for x in ("--fixed", s)]
        errors = ask(capsys, "fit", workspace, *given)["errors"]
        return {n for n, e in errors.items() if e == 0}

    thetas = {n for n in model.names if n.startswith("theta")}
    assert len(thetas) > 1
    assert held("theta*") == thetas
    assert held("*", "!mu", "!norm") == thetas
    assert held("theta*", "!theta0", "theta0=0.5") == thetas
    assert ask(capsys, "fit", workspace, "--fixed", "theta*=0.5", "--fixed", "theta0")["parameters"]["theta0"] == 0.0
    assert ask(capsys, "fit", workspace, "--fixed", "theta*=0.5")["parameters"]["theta1"] == 0.5


def test_the_default_of_several_measurements_is_named(workspace, capsys, tmp_path):
    spec = json.loads(workspace.read_text())
    first = spec["measurements"][0]
    spec["measurements"] += [first | {"name": f"m{i}"} for i in range(8)]
    (tmp_path / "several.json").write_text(json.dumps(spec))
    line = f"measurement '{first['name']}', the default; --measurement takes another one: m0, m1, m2, m3, m4 and 3 more"
    assert ask(capsys, "gof", tmp_path / "several.json")["warnings"][0] == line
    for arguments in ((workspace,), (tmp_path / "several.json", "--measurement", "m3")):
        assert not [w for w in ask(capsys, "gof", *arguments)["warnings"] if "--measurement" in w]


def test_what_an_hs3_file_does_not_say_is_asked_by_the_option(tmp_path, capsys):
    spec = as_hs3(EXAMPLES["shapesys"], relative=True)
    path = tmp_path / "hs3.json"
    path.write_text(json.dumps(spec))
    with pytest.raises(SystemExit, match="2"):
        cli.main(["gof", str(path)])
    assert "expected --shape-errors relative (as ROOT writes) or --shape-errors absolute" in capsys.readouterr().err
    assert "statistic" in json.dumps(ask(capsys, "gof", path, "--shape-errors", "relative"))
    del spec["distributions"][0]["samples"][1]["modifiers"][0]["constraint"]
    path.write_text(json.dumps(spec))
    with pytest.raises(SystemExit, match="2"):
        cli.main(["gof", str(path), "--shape-errors", "relative"])
    assert "expected --bin-constraint gauss or --bin-constraint poisson" in capsys.readouterr().err
    both = ("--shape-errors", "relative", "--bin-constraint", "poisson")
    assert "statistic" in json.dumps(ask(capsys, "gof", path, *both))


def test_standard_input_is_read(workspace, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(workspace.read_bytes())))
    assert ask(capsys, "fit", "-")["status"] == "OK"


def test_a_limit_is_the_verbs_limit(model, workspace, capsys):
    found = ask(capsys, "limit", workspace)["limit"]
    expected = limit(model, model.asimov({"mu": 1.2}), "mu")
    assert found["observed"] == pytest.approx(float(expected.observed), rel=1e-3)
    assert np.allclose(found["expected"], expected.expected, rtol=1e-3)
    assert np.all(np.diff(found["expected"]) > 0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("verb", "options", "files"),
    [
        ("fit", [], ["figure_correlation.png", "figure_pulls.png"]),
        ("scan", ["--points", "9"], ["figure.png"]),
        ("breakdown", [], ["figure.png"]),
        ("ranking", [], ["figure.png"]),
        ("gof", [], ["figure.png"]),
        ("yields", ["--channel", "channel1"], ["figure.png"]),
        ("templates", ["--systematic", "theta0", "--channel", "channel1", "--sample", "signal"], ["figure.png"]),
    ],
)
def test_figures_are_drawn(verb, options, files, workspace, capsys, tmp_path):
    found = ask(capsys, verb, workspace, *options, "--plot", tmp_path / "figure.png")
    assert found
    assert sorted(p.name for p in tmp_path.iterdir()) == files
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in files)


@pytest.mark.thorough
def test_several_figures_are_pages_of_one_pdf(workspace, capsys, tmp_path):
    ask(capsys, "templates", workspace, "--channel", "channel1", "--sample", "signal", "--plot", tmp_path / "all.pdf")
    assert (tmp_path / "all.pdf").read_bytes().count(b"/Type /Page ") == 4  # one for each systematic


@pytest.mark.thorough
def test_a_limit_by_toys_is_drawn_with_the_toys_own_band(workspace, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "limit_bands", lambda *a, **k: drawn.append(a) or Figure())
    found = questions.answer("limit", str(workspace), toys=50)
    limit, curve = found.content["limit"], found.content["limit"].curve
    found.figures["limit"][1]()
    assert limit.method == curve.method == "toys"
    for shown, thrown in zip(drawn[0], (curve.values, curve.observed, curve.expected), strict=True):
        np.testing.assert_array_equal(shown, thrown)
    assert curve.values[0] < limit.observed < curve.values[-1]
    assert np.interp(limit.observed, curve.values, curve.observed) == pytest.approx(0.05, abs=0.03)


def test_rows_of_a_breakdown_that_a_workspace_cannot_keep(model, workspace, capsys):
    """The groups of the model that it was written from, by patterns; the last that matches counts."""
    given = ["--group", "experiment/leptons=theta*", "--group", "experiment/jets=theta1", "--group", "theory=theta3"]
    rows = {r["name"]: r["impact"] for r in ask(capsys, "breakdown", workspace, *given)["freeze"]}
    expected = {r.name: r.impact for r in breakdown(model, model.asimov({"mu": 1.2}), "mu", method="freeze").rows}
    assert rows.keys() == expected.keys() >= {"experiment", "leptons", "jets", "theory"}
    assert rows == pytest.approx(expected, rel=1e-3)
    wrong_ones = {
        "mine": "ROW=PATTERN",
        "mine=mu": "a pattern of constrained parameters; known: theta0",
        "@none": "No such file",
        "@/dev/zero": "a device; expected a file",
    }
    for wrong, line in wrong_ones.items():
        with pytest.raises(InputError, match=line):
            questions.answer("breakdown", str(workspace), groups=[wrong])


@pytest.mark.thorough
def test_held_parameters_hold_for_every_question(model, workspace, capsys):
    held = hold(model, {"theta0": 0.5, "norm": 1.05})
    data, fixed = model.asimov({"mu": 1.2}), ["--fixed", "theta0=0.5", "--fixed", "norm=1.05"]
    assert ask(capsys, "fit", workspace, *fixed)["errors"]["mu"] == pytest.approx(fit(held, data).error[0], rel=1e-4)
    rows = {r["name"]: r["impact"] for r in ask(capsys, "breakdown", workspace, *fixed)["freeze"]}
    expected = {r.name: r.impact for r in breakdown(held, data, "mu", method="freeze").rows}
    assert rows["total"] == pytest.approx(expected["total"], rel=1e-3)
    assert rows["floating normalisations"] == 0.0
    assert "theta0" not in ask(capsys, "ranking", workspace, *fixed)["ranking"]["names"]
    assert ask(capsys, "gof", workspace, *fixed)["goodness_of_fit"]["ndf"] == 7 - 1
    assert ask(capsys, "limit", workspace, *fixed)["limit"]["observed"] == pytest.approx(
        float(limit(held, data, "mu").observed), rel=1e-3
    )


def test_two_parameters_are_scanned_together(workspace, capsys, tmp_path):
    found = ask(capsys, "scan", workspace, "--against", "norm", "--plot", tmp_path / "contours.png")["scan2d"]
    assert found["names"] == ["mu", "norm"]
    assert found["best"] == pytest.approx([1.2, 1.0], abs=1e-3)
    i, j = (int(np.argmin(abs(np.array(found[k]) - at))) for k, at in (("first", 1.2), ("second", 1.0)))
    assert found["t"][i][j] == np.min(found["t"])
    assert (tmp_path / "contours.png").exists()


@pytest.mark.thorough
def test_an_interval_by_toys_is_the_profile_interval_where_counts_are_many(workspace, capsys, tmp_path):
    profile = ask(capsys, "interval", workspace)["interval"]
    plot = tmp_path / "belt.png"
    found = ask(capsys, "interval", workspace, "--method", "feldman-cousins", "--toys", "200", "--plot", plot)
    for end in ("low", "high"):
        assert found["interval"][end] == pytest.approx(profile[end], abs=4 * found["belt"][f"{end}_error"])
    assert plot.exists()


def test_toys_cover_and_are_drawn(workspace, capsys, tmp_path):
    found = ask(capsys, "toys", workspace, "-n", "300", "--seed", "4", "--plot", tmp_path / "toys.png")
    covered = found["coverage"]
    assert covered["n"] + covered["failed"] == 300 == found["toys"]
    assert abs(covered["fraction"] - 0.6827) < 4 * covered["error"]
    mean, error = found["moments"]["pull"]
    assert abs(mean) < 4 * error
    assert (tmp_path / "toys.png").exists()


def test_toys_are_drawn_at_the_truth_that_was_asked_for(workspace, capsys):
    found = ask(capsys, "toys", workspace, "-n", "200", "--truth", "mu=2.5", "--truth", "theta0=1")
    assert (found["truth"]["mu"], found["truth"]["theta0"]) == (2.5, 1.0)
    mean, error = found["moments"]["mean"]
    assert abs(mean - 2.5) < 4 * error
    fitted = ask(capsys, "toys", workspace, "-n", "50", "--truth", "fit")
    assert fitted["truth"]["mu"] == pytest.approx(1.2, abs=1e-3)


def test_estimates_and_intervals_at_a_bound_are_counted_apart(tmp_path, capsys):
    """One bin of 4 expected events: μ̂ is at 0 for n ≤ 3, has no σ for n ≤ 2, and t(0) ≤ 1 for n ≤ 4."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one_bin(signal=4.0, background=3.0)))
    found = ask(capsys, "toys", path, "-n", 2000, "--truth", "mu=1")
    few = np.cumsum([2000 * np.exp(-7) * 7.0**n / factorial(n) for n in range(5)])
    counts = found["without_pull"], found["estimates_at_bound"], found["interval_status"]["AT_BOUND"]
    for count, expected in zip(counts, few[2:], strict=True):
        assert count == pytest.approx(expected, abs=4 * np.sqrt(expected))
    mean, error = found["moments"]["mean"]  # of max(n, 3): those at the bound are part of it
    values = sum(max(n - 3, 0) / 4 * np.exp(-7) * 7.0**n / factorial(n) for n in range(60))
    assert abs(mean - values) < 4 * error
    with pytest.raises(SystemExit):
        cli.main(["toys", str(path), "-n", "100", "-q"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "estimates at a bound of mu" in shown
    assert "intervals that ended AT_BOUND" in shown
    assert "The pulls leave out" in shown


def test_a_truth_that_no_fit_can_reach_is_said(workspace, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one_bin(signal=4.0, background=3.0)))
    with pytest.raises(InputError, match=r"--truth, parameter 'mu': got 25; expected a finite value in \[0, 10\]"):
        questions.answer("toys", str(path), truth=["mu=25"])
    with pytest.raises(InputError, match=r"--truth, parameter 'theta0': got 9"):
        questions.answer("toys", str(workspace), truth=["theta0=9"])
    held = {"toys": 20, "fixed": ["theta0=0"]}
    assert questions.answer("toys", str(workspace), truth=["theta0=1"], **held).warnings == [
        "--truth theta0=1: held at 0, where no fit can reach it"
    ]
    assert questions.answer("toys", str(workspace), **held).warnings == []


def one_bin(signal, background):
    """A workspace of one bin, in which μ scales the signal, with an Asimov set of μ = 1."""
    samples = [
        {"name": "s", "data": [signal], "modifiers": [MU]},
        {"name": "b", "data": [background], "modifiers": []},
    ]
    measurement = {"name": "m", "config": {"poi": "mu", "parameters": []}}
    return {
        "channels": [{"name": "a", "samples": samples}],
        "observations": [{"name": "a", "data": [signal + background]}],
        "measurements": [measurement],
        "version": "1.0.0",
    }


def test_toys_that_were_stopped_continue_to_the_same_bits(workspace, capsys, tmp_path, monkeypatch):
    command = ["toys", workspace, "-n", "200", "--batch", "64"]
    straight = ask(capsys, *command)
    write, written = Kept.write, []

    def stop(self, so_far):
        write(self, so_far)
        written.append(so_far.n)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Kept, "write", stop)
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, command), "--output", str(tmp_path / "kept"), "--quiet"])
    assert stopped.value.code == 130
    assert "the same command continues" in capsys.readouterr().err
    assert written == [64, 128]
    assert ask(capsys, *command, "--output", tmp_path / "kept") == straight
    assert written == [64, 128, 192, 200]
    assert ask(capsys, *command, "--output", tmp_path / "kept") == straight  # nothing left to do
    assert len(written) == 4
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, command), "--output", str(tmp_path / "kept"), "--seed", "1"])
    assert stopped.value.code == 2
    assert "choose another folder" in capsys.readouterr().err


@pytest.mark.thorough
def test_toys_of_another_folder_or_place_are_not_believed(workspace, tmp_path):
    """Batches swapped, scaled, taken from toys of another seed, or links."""

    def throw(folder, seed=0):
        heard = Listening()
        found = questions.answer("toys", str(workspace), toys=96, batch=32, seed=seed, output=folder, progress=heard)
        return found.content["moments"], heard.notes

    straight, notes = throw(tmp_path / "a")
    assert notes == []
    throw(tmp_path / "b", seed=1)
    batches = sorted((tmp_path / "a").glob("toys-*.npz"))
    assert len(batches) == 3
    contents = [b.read_bytes() for b in batches]
    with np.load(batches[1]) as stored:
        scaled = {k: 1.1 * stored[k] if k == "values" else stored[k] for k in stored}

    def swap():
        batches[0].write_bytes(contents[1])
        batches[1].write_bytes(contents[0])

    def other():
        batches[2].write_bytes((tmp_path / "b" / batches[2].name).read_bytes())

    def scale():
        np.savez(batches[1], **scaled)

    def link():
        (tmp_path / "mine").write_bytes(contents[0])
        batches[0].unlink()
        batches[0].symlink_to(tmp_path / "mine")

    def gap():
        batches[1].unlink()

    for harm, first in ((swap, 0), (other, 2), (scale, 1), (link, 0), (gap, 1)):
        harm()
        found, notes = throw(tmp_path / "a")
        assert found == straight
        assert len(notes) == 1
        assert f"{batches[first].name}: damaged or lost" in notes[0]
        assert [b.read_bytes() for b in batches] == contents
    assert (tmp_path / "mine").read_bytes() == contents[0]
    assert not batches[0].is_symlink()


def test_toys_of_a_workspace_with_other_bins_are_not_taken_for_its_own(tmp_path):
    """The same numbers in the same order: in 1 + 4 bins, and in 4 + 1."""
    for folder, first in (("w1", 1), ("w2", 4)):
        parts = [slice(None, first), slice(first, None)]
        samples = {"s": ([3.0, 4.0, 5.0, 6.0, 7.0], MU), "b": ([10.0, 20.0, 30.0, 40.0, 50.0], JES)}
        channels = [
            {"name": n, "samples": [{"name": k, "data": d[p], "modifiers": [m]} for k, (d, m) in samples.items()]}
            for n, p in zip("ab", parts, strict=True)
        ]
        observed = [{"name": n, "data": [10.0, 20.0, 30.0, 40.0, 50.0][p]} for n, p in zip("ab", parts, strict=True)]
        measurement = {"name": "m", "config": {"poi": "mu", "parameters": []}}
        spec = {"channels": channels, "observations": observed, "measurements": [measurement], "version": "1.0.0"}
        (tmp_path / folder).with_suffix(".json").write_text(json.dumps(spec))
    kept = {"toys": 20, "output": tmp_path / "toys"}
    questions.answer("toys", str(tmp_path / "w1.json"), **kept)
    with pytest.raises(InputError, match="toys of another model"):
        questions.answer("toys", str(tmp_path / "w2.json"), **kept)
    with pytest.raises(InputError, match="toys of another model"):
        questions.answer("toys", str(tmp_path / "w1.json"), **kept, poi="mu", fixed=["jes=0"])


MU = {"name": "mu", "type": "normfactor", "data": None}
JES = {"name": "jes", "type": "normsys", "data": {"hi": 1.3, "lo": 0.75}}


def test_figures_with_names_that_look_alike_have_files_of_their_own(tmp_path):
    labels = ["SR 1", "SR/1", ("a_b", "c"), ("a", "b_c"), "../evil"]
    answer = Section("", figures=dict.fromkeys(labels, ("", Figure)))
    written = save_figures(answer, tmp_path / "in.png")
    assert len({p.name.lower() for p in written}) == len(labels)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in written}


@pytest.mark.parametrize("as_json", [True, False])
def test_warnings_of_an_answer_are_shown(as_json, capsys):
    show_answer(Section("", content={"a": 1}, warnings=("one", "two")), as_json=as_json, plot=None)
    shown = capsys.readouterr()
    assert shown.err == "one\ntwo\n"
    assert shown.out == ('{"a": 1, "warnings": ["one", "two"]}\n' if as_json else "")


class Listening(Progress):
    def __init__(self):
        self.told, self.notes = [], []

    def note(self, text):
        self.notes.append(text)

    def step(self, task, done, total, failed=0):
        self.told.append((task, done, total, failed))


def test_progress_of_toys_is_told(workspace):
    heard = Listening()
    questions.answer("toys", str(workspace), toys=100, batch=64, progress=heard)
    assert heard.told == [("toys", 64, 100, 0), ("toys", 100, 100, 0)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("verb", "options", "steps"), [("gof", {}, 1), ("interval", {"method": "feldman-cousins"}, 25), ("limit", {}, 16)]
)
def test_all_that_throws_toys_tells_how_many_are_done_and_failed(verb, options, steps, workspace):
    heard = Listening()
    questions.answer(verb, str(workspace), toys=40, progress=heard, **options)
    assert [done for _, done, _, _ in heard.told] == [40 * (i + 1) for i in range(steps)]
    assert {(task, total, failed) for task, _, total, failed in heard.told} == {("toys", 40 * steps, 0)}


def test_a_bar_says_which_fraction_failed():
    shown = io.StringIO()
    with Bars(console=Console(file=shown, force_terminal=True, width=80)) as bars:
        progress = ProgressBars(bars)
        for failed in (0, 5):
            progress.step("toys", 1000, 2000, failed)
        assert [t.description for t in bars.tasks] == ["toys, 0.50 % failed"]


def test_yields_add_up_and_are_as_well_known_as_the_data(model, workspace, capsys):
    found = ask(capsys, "yields", workspace)
    data = model.asimov({"mu": 1.2})
    for c, channel in enumerate(model.channels):
        counts = data.counts[model.layout.channel == c].sum()
        total, error = found[channel]["post-fit"]["total"]
        assert found[channel]["data"] == pytest.approx(counts)
        assert total == pytest.approx(counts, rel=1e-4)
        assert 0 < error < 1.02 * np.sqrt(counts)
        before = found[channel]["pre-fit"]
        nominal = model.expected({})[model.layout.channel == c].sum()
        assert sum(before[p][0] for p in model.processes) == pytest.approx(nominal)
    assert "post-fit" not in ask(capsys, "yields", workspace, "--prefit")["channel0"]


def test_variations_are_those_of_the_templates(model, workspace, capsys):
    found = ask(capsys, "templates", workspace, "--systematic", "theta1")["variations"]
    assert {(v["channel"], v["process"]) for v in found} == {(c, p) for c in model.channels for p in model.processes}
    for sign, side in ((1.0, "up"), (-1.0, "down")):
        varied = model.expected_by_process({"theta1": sign})
        for v in found:
            here = model.layout.channel == model.channels.index(v["channel"])
            np.testing.assert_allclose(v[side], varied[model.processes.index(v["process"]), here], rtol=1e-9)


def test_goodness_of_fit(workspace, capsys, tmp_path):
    fitted = ask(capsys, "gof", workspace)["goodness_of_fit"]
    assert fitted["p_value"] > 0.5  # Asimov data fit well
    plot = tmp_path / "gof.png"
    found = ask(capsys, "gof", workspace, "--toys", "64", "--plot", plot)["goodness_of_fit"]
    assert plot.exists()
    assert len(found["toy_statistics"]) + found["failed"] == 64


def made(capsys, *arguments):
    """The workspace that a command writes to standard output, and what it says on standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["workspace", *map(str, arguments)])
    assert stopped.value.code == 0
    told = capsys.readouterr()
    return json.loads(told.out), told.err


def test_workspaces_are_rearranged(workspace, capsys, tmp_path):
    spec = json.loads(workspace.read_text())
    left, _ = made(capsys, "mask", workspace, "--channel", "channel1")
    assert left == edit.drop(spec, channels=["channel1"])
    (tmp_path / "left.json").write_text(json.dumps(left))
    with pytest.raises(SystemExit):
        cli.main(["workspace", "mask", str(workspace), "--channel", "channel0", "-o", str(tmp_path / "right.json")])
    both, _ = made(capsys, "combine", tmp_path / "left.json", tmp_path / "right.json")
    assert from_pyhf(both).model.log_prob({"mu": 1.3}, from_pyhf(both).data) == pytest.approx(
        float(from_pyhf(spec).model.log_prob({"mu": 1.3}, from_pyhf(spec).data)), rel=1e-12
    )
    renamed, _ = made(capsys, "rename", workspace, "--modifier", "theta0=jes", "--sample", "signal=higgs")
    assert "jes" in from_pyhf(renamed).model.names
    assert "higgs" in from_pyhf(renamed).model.processes
    spread, _ = made(capsys, "decorrelate", workspace, "theta0")
    (tmp_path / "spread.json").write_text(json.dumps(spread))
    assert {"theta0_channel0", "theta0_channel1"} <= set(from_pyhf(spread).model.names)
    again, _ = made(
        capsys, "correlate", tmp_path / "spread.json", "theta0_channel0", "theta0_channel1", "--to", "theta0"
    )
    assert sorted(from_pyhf(again).model.names) == sorted(from_pyhf(spec).model.names)
    pruned, told = made(capsys, "prune", workspace, "--modifier", "theta1", "--normalisation", "0.5")
    assert set(from_pyhf(pruned).model.names) < set(from_pyhf(spec).model.names)
    assert "theta1" in told
    assert "normalisation" in told


def change(path, value):
    """A workspace with one entry changed, or taken away (None)."""

    def apply(spec):
        node = spec
        for key in path[:-1]:
            node = node[key]
        if value is None:
            del node[path[-1]]
        else:
            node[path[-1]] = value
        return json.dumps(spec)

    return apply


CHANNEL = ("channels", 1, "samples", 0)
BAD_WORKSPACES = {
    "modifier of no known type": (
        change((*CHANNEL, "modifiers", 0, "type"), "normfactr"),
        ("channel 'channel1'", "sample 'signal'", "modifier 'mu'", "did you mean 'normfactor'"),
    ),
    "bins that differ": (change((*CHANNEL, "data"), [1.0, 2.0]), ("channel 'channel1'", "sample", "one for each bin")),
    "no observation": (change(("observations", 1), None), ("observations", "channel 'channel1'")),
    "NaN": (change((*CHANNEL, "data"), [1.0, float("nan"), 1.0]), ("channel1", "signal", "entry 1", "a finite number")),
    "negative": (
        change((*CHANNEL, "data"), [-1e5, 1.0, 1.0]),
        ("channel 'channel1', bin 0", "expected events at the start"),
    ),
    "unknown interest": (change(("measurements", 0, "config", "poi"), "muu"), ("did you mean 'mu'",)),
    "fixed interest": (
        change(("measurements", 0, "config", "parameters", 0, "fixed"), True),
        ("'mu' fixed", "a free parameter of interest"),
    ),
    "no interest": (change(("measurements", 0, "config", "poi"), ""), ("name it with --poi",)),
    "truncated": (lambda spec: json.dumps(spec)[:500], ("JSON", "cut short")),
    "empty": (lambda spec: "", ("an empty file",)),
}


@pytest.mark.parametrize("case", BAD_WORKSPACES)
def test_a_bad_workspace_is_one_line_that_says_where(case, workspace, capsys, tmp_path):
    spoil, parts = BAD_WORKSPACES[case]
    path = tmp_path / "bad.json"
    path.write_text(spoil(json.loads(workspace.read_text())))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["scan", str(path)])
    assert stopped.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1
    for part in parts:
        assert part in told.err


OPTIONS = [
    (verb, f)
    for verb, kind in questions.QUESTIONS.items()
    for f in (*fields(kind), *fields(questions.Common))
    if f.name not in kind.without
]


def test_every_question_has_a_function_that_answers_it(workspace):
    with pytest.raises(NotImplementedError, match="no function answers Question"):
        respond(Question(), load_query(str(workspace), questions.Common()))
    unanswered = respond.dispatch(Question)
    assert [verb for verb, kind in questions.QUESTIONS.items() if respond.dispatch(kind) is unanswered] == []


def test_impossible_expectations_are_said(tmp_path, capsys):
    """μ held at −5 expects −17 events, where 7 were seen."""
    path = tmp_path / "one.json"
    spec = one_bin(signal=4.0, background=3.0)
    spec["measurements"][0]["config"]["parameters"] = [{"name": "mu", "bounds": [[-10.0, 10.0]]}]
    path.write_text(json.dumps(spec))
    yields = questions.answer("yields", str(path), fixed=["mu=-5"])
    assert yields.content["a"]["post-fit"]["total"][0] == -17
    below = "fewer than 0 events expected in 1 of 1 bins of a, which is impossible"
    assert yields.warnings[-2:] == [f"Pre-fit: {below}", f"Post-fit: {below}"]
    assert questions.answer("yields", str(path)).warnings == []


def test_goodness_of_a_fit_that_failed_is_no_number(tmp_path, monkeypatch):
    def failed(*given, **options):
        found = goodness_of_fit(*given, **options)
        return replace(
            found, statistic=np.asarray(np.inf), p_value=np.asarray(0.0), status=np.asarray(Status.NOT_FINITE)
        )

    monkeypatch.setattr("verax.questions._hypotheses.goodness_of_fit", failed)
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one_bin(signal=4.0, background=3.0)))
    found = questions.answer("gof", str(path))
    assert np.isnan(found.content["goodness_of_fit"].p_value)
    assert found.warnings == ["the fit ended with status NOT_FINITE: the data are compared with no model"]
    assert found.tables[0].rows[0] == ("status of the fit", "NOT_FINITE")
    assert found.figures["goodness"][1]().axes


@pytest.mark.parametrize("name", ["x.jpg", "x.txt", "x", "nowhere/x.png"])
def test_a_figure_that_cannot_be_is_refused_before_the_work(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["toys", "no.json", "--plot", name])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("verax: --plot: got")


SILENT = [  # options that no number of the answer would depend on
    ("interval", {"toys": 5}, "--toys: got 5; expected --method feldman-cousins or upper beside it"),
    ("interval", {"seed": 5}, "--seed: got 5; expected --method"),
    ("limit", {"seed": 5}, "--seed: got 5; expected --toys"),
    ("gof", {"seed": 5}, "--seed: got 5; expected --toys"),
    ("toys", {"data": "asimov"}, "--data: got 'asimov'; expected --truth fit"),
    ("fit", {"patchname": "a"}, "--patchname: got 'a'; expected --patch"),
    ("fit", {"shape_errors": "relative"}, "--shape-errors: got 'relative'; expected an HS3 file"),
    ("gof", {"poi": "mu"}, "gof: got the option 'poi'"),
    ("templates", {"poi": "mu"}, "templates: got the option 'poi'"),
    ("templates", {"data": "asimov"}, "templates: got the option 'data'"),
    ("templates", {"fixed": ["norm=1"]}, "templates: got the option 'fixed'"),
]


@pytest.mark.parametrize(("verb", "options", "message"), SILENT)
def test_no_option_is_ignored_silently(verb, options, message, workspace):
    with pytest.raises(InputError, match=message):
        questions.answer(verb, str(workspace), **options)


@pytest.mark.parametrize(
    ("verb", "options"), [("templates", ("--poi", "--data", "--fixed", "--level")), ("gof", ("--poi",))]
)
def test_what_a_question_does_not_read_is_not_offered(verb, options, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    shown = capsys.readouterr().out
    assert not any(f"{option} " in shown for option in options)


def test_contours_are_at_the_level_and_points_that_were_asked_for(model, workspace, capsys):
    found = questions.answer("scan", str(workspace), against="norm", points=9, level=0.9).content
    scan, ends = found["scan2d"], found["intervals"]
    assert scan.t.shape == (9, 9)
    assert found["levels"] == (0.9,)
    assert [e.level for e in ends] == [0.9, 0.9]
    edge = np.concatenate([scan.t[0], scan.t[-1], scan.t[:, 0], scan.t[:, -1]])
    assert edge.min() > scan.threshold(0.9)  # the whole contour is inside
    plain = questions.answer("scan", str(workspace), points=5).content
    assert len(plain["scan"].values) == 5
    assert plain["interval"].level == 0.6827


@pytest.mark.parametrize("verb", questions.QUESTIONS)
def test_help_has_every_option_of_a_question(verb, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for mine, option in OPTIONS:
        if mine == verb:
            assert all(name in shown for name in option.metadata["names"])
            assert option.metadata["shown"]["help"] in shown


CHOICES = {f.metadata["names"][0]: (verb, "WORKSPACE") for verb, f in OPTIONS if f.metadata["choices"]}
CHOICES["--by"] = ("workspace", "decorrelate", "WORKSPACE", "theta0")
LISTS = {f.metadata["names"][0]: f.metadata["choices"] for _, f in OPTIONS} | {"--by": DECORRELATE_BY}


@pytest.mark.parametrize("option", CHOICES)
def test_help_and_error_name_the_same_choices(option, workspace, capsys):
    given, choices = [str(workspace) if a == "WORKSPACE" else a for a in CHOICES[option]], LISTS[option]
    with pytest.raises(SystemExit):
        cli.main([*given, "--help"])
    assert f"{option} {'|'.join(choices)}" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit) as stopped:
        cli.main([*given, option, choices[0] + "s"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert f"did you mean '{choices[0]}'? known: {', '.join(choices)}" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "profil"}, "did you mean 'profile'"),
        ({"shape_errors": "absolut"}, "did you mean 'absolute'"),
        ({"level": 0.0}, "--level: got 0; expected a number between 0 and 1"),
        ({"level": 1.0}, "--level: got 1; expected"),
        ({"method": "upper", "seed": 2**32}, "--seed: got 4294967296; expected a whole number, .* at most 4294967295"),
        ({"method": "upper", "seed": -1}, "--seed: got -1"),
        ({"method": "upper", "toys": 10**12}, "--toys: got 1000000000000; .* at most 1000000000"),
        ({"method": "upper", "toys": 0}, "--toys: got 0; expected a whole number, at least 1"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_read(options, message):
    with pytest.raises(InputError, match=r"--level: got 0\.5; expected a number between 0\.5 and 1"):
        questions.answer("limit", "no.json", level=0.5)
    with pytest.raises(InputError, match=r"--points: got 1000000000; .* at most 10000"):
        questions.answer("scan", "no.json", points=10**9)
    with pytest.raises(InputError, match=r"--points, with --against: got 501; .* at most 500"):
        questions.answer("scan", "no.json", points=501, against="norm")
    with pytest.raises(InputError, match=message):
        questions.answer("interval", "no.json", **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "no.json"), "no.json"),
        (("scan", "WORKSPACE", "--poi", "muu"), "did you mean 'mu'"),
        (("scan", "WORKSPACE", "--against", "nrm"), "did you mean 'norm'"),
        (("fit", "WORKSPACE", "--fixed", "nrm=1"), "did you mean 'norm'"),
        (("toys", "WORKSPACE", "--truth", "nrm=1"), "did you mean 'norm'"),
        (("fit", "WORKSPACE", "--fixed", "norm=x"), "NAME=NUMBER"),
        (
            ("fit", "WORKSPACE", "--fixed", "thta*"),
            "got 'thta*'; expected a known parameter, or a pattern of some; did you",
        ),
        (("fit", "WORKSPACE", "--fixed", "!theta*=1"), "got '!theta*=1'; expected !NAME without a value"),
        (
            ("ranking", "WORKSPACE", "--fixed", "*"),
            "the parameter of interest 'mu'; expected others; add --fixed '!mu'",
        ),
        (("fit", "WORKSPACE", "--bin-constraint", "gauss"), "--bin-constraint: got 'gauss'; expected an HS3 file"),
        (
            ("fit", "WORKSPACE", "--fixed", "norm=1e9"),
            "--fixed, parameter 'norm': got 1e+09; expected a finite value",
        ),
        (("fit", "WORKSPACE", "--patch", ""), "file ''"),
        (("fit", "WORKSPACE", "--patchname", ""), "expected --patch beside it"),
        (("toys", "WORKSPACE", "-o", "a\x1b[31m"), r"--output: got 'a\x1b[31m'; expected the name of a folder"),
        (
            ("workspace", "mask", "WORKSPACE", "--channel", "channel1", "-o", "LINK"),
            "LINK', a link; expected",
        ),
        (("ranking", "WORKSPACE", "--fixed", "mu=1"), "the parameter of interest 'mu'"),
        (("interval", "WORKSPACE", "--method", "feldman"), "did you mean 'feldman-cousins'"),
        (("yields", "WORKSPACE", "--channel", "chanel1"), "did you mean 'channel1'"),
        (("templates", "WORKSPACE", "--systematic", "thta1"), "did you mean 'theta1'"),
        (("fit", "WORKSPACE", "--measurement", "measurment"), "did you mean 'measurement'"),
        (("fit", "WORKSPACE", "--plot", "figure.txt"), "the ending '.txt'"),
        (("fit", "WORKSPACE", "--patch", "PATCH"), "operations that apply"),
        (("fit", "WORKSPACE", "--patch", "SET", "--patchname", "a"), "did you mean 'a1'"),
        (("fit", "WORKSPACE", "--data", "FEW"), "channel 'channel0': got 1 counts; expected 4"),
        (("fit", "WORKSPACE", "--data", "NEGATIVE"), "not negative"),
        (
            ("fit", "WORKSPACE", "--data", "LESS"),
            "got no channel 'channel1'; expected a list of counts for each channel",
        ),
        (("fit", "WORKSPACE", "--data", "TWICE"), "key 'channel0' twice"),
        (("fit", "WORKSPACE", "--patch", "TWICE"), "key 'channel0' twice"),
        (("workspace", "combine", "WORKSPACE", "WORKSPACE"), "in both"),
        (("workspace", "mask", "WORKSPACE", "--channel", "chanel1"), "did you mean 'channel1'"),
        (("workspace", "rename", "WORKSPACE", "--sample", "signal"), "OLD=NEW"),
    ],
)
def test_bad_input_is_one_line(arguments, message, workspace, capsys, tmp_path):
    given = {
        "PATCH": [{"op": "replace", "path": "/channels/7/name", "value": "x"}],
        "SET": {"patches": [{"metadata": {"name": "a1"}, "patch": []}, {"metadata": {"name": "z"}, "patch": []}]},
        "FEW": {"channel0": [1.0], "channel1": [1.0, 2.0, 3.0]},
        "LESS": {"channel0": [1.0, 2.0, 3.0, 4.0]},
        "NEGATIVE": {"channel0": [1.0, 2.0, 3.0, -4.0], "channel1": [1.0, 2.0, 3.0]},
    }
    places = {"WORKSPACE": str(workspace)}
    for name, content in given.items():
        (tmp_path / name).write_text(json.dumps(content))
        places[name] = str(tmp_path / name)
    places["LINK"] = str(tmp_path / "LINK")
    (tmp_path / "LINK").symlink_to(workspace)
    places["TWICE"] = str(tmp_path / "TWICE")
    (tmp_path / "TWICE").write_text('{"channel0": [1.0], "channel1": [1.0], "channel0": [2.0]}')
    with pytest.raises(SystemExit) as stopped:
        cli.main([places.get(a, a) for a in arguments])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_the_factors_of_bins_are_fitted_and_ranked(tmp_path, capsys):
    """In the order of their bins, after the parameters; a γ of the background pulls the signal down."""
    signal = [SIGNAL, ("lumi_norm", "normsys", {"hi": 1.02, "lo": 0.98})]
    background = [("st", "staterror", [6.0, 5.0]), ("n", "normsys", {"hi": 1.1, "lo": 0.9})]
    channels = {"SR": [sample("s", [12.0, 9.0], *signal), sample("b", [100.0, 60.0], *background)]}
    path = tmp_path / "w.json"
    path.write_text(json.dumps(small_workspace(channels, observations={"SR": [110.0, 71.0]})))
    found, ranked = ask(capsys, "fit", path), ask(capsys, "ranking", path)["ranking"]
    assert list(found["gammas"]) == ["γ SR[0]", "γ SR[1]"]
    axes = questions.answer("fit", str(path)).figures["pulls"][1]().axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["lumi_norm", "n", "γ SR[0]", "γ SR[1]"]
    assert ranked["names"] == ["lumi_norm", "n", "γ SR[0]", "γ SR[1]"]
    assert ranked["groups"][2:] == ["simulation statistics"] * 2
    width = (6 / 100, 5 / 60)
    pulls = [(value - 1) / w for (value, _), w in zip(found["gammas"].values(), width, strict=True)]
    assert ranked["pull"][2:] == pytest.approx(pulls)
    assert ranked["up"][2] == pytest.approx(-ranked["down"][2])
    assert ranked["up"][2] < 0
