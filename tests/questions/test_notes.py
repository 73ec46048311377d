"""What is said beside a number: in the text, with --json and in the figure."""

import json

import numpy as np
import pytest
from scipy.stats import poisson

from verax import questions
from verax.cli import _main as cli
from verax.cli._terminal import show_answer
from verax.errors import InputError
from verax.infer import FEW
from verax.report import Section, canvas, footnote
from verax.results import Status
from verax.workspace import edit
from workspaces import MU, sample, workspace


def counting(signal, background, observed, **more):
    """One bin, its background known."""
    channels = {"SR": [sample("s", [signal], MU), sample("b", [background])]}
    return workspace(channels, observations={"SR": [observed]}, **more)


def in_file(folder, spec, name="workspace.json"):
    path = folder / name
    path.write_text(json.dumps(spec))
    return str(path)


def sentences(verb, path, **options):
    return " ".join(questions.answer(verb, path, **options).warnings)


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("fit", "verax significance --toys"),
        ("significance", "--toys"),
        ("limit", "--toys"),
        ("interval", "--method feldman-cousins"),
        ("gof", "--toys"),
    ],
)
def test_few_events_are_said_and_what_to_do(verb, option, tmp_path):
    """Below the stated number, and not above."""
    channels = {"SR": [sample("s", [1.0] * 20, MU), sample("b", [0.4] * 20)]}
    few = sentences(verb, in_file(tmp_path, workspace(channels, observations={"SR": [1, 0] * 10})))
    assert "few" in few
    assert option in few
    channels = {"SR": [sample("s", [9.0] * 4, MU), sample("b", [60.0] * 4)]}
    assert "few" not in sentences(verb, in_file(tmp_path, workspace(channels, observations={"SR": [66, 71, 64, 70]})))


def test_the_number_of_events_decides(tmp_path):
    for b, said in [(FEW - 0.5, True), (FEW + 0.5, False)]:
        found = sentences("limit", in_file(tmp_path, counting(5.0, b, 10)))
        assert ("effective events" in found) == said


def test_an_interval_whose_ends_are_alike_rests_on_the_events_between(tmp_path):
    """Both sides of an even effect: no event tells −1 from 1, and 100 of them tell each from the best fit, 0."""
    for count, said in [(100.0, False), (4.0, True)]:
        channels = {"c": [sample("b", [count], ("a", "normsys", {"hi": 1.5, "lo": 1.5}))]}
        path = in_file(tmp_path, workspace(channels, poi="a", observations={"c": [count]}))
        found = questions.answer("interval", path)
        ends = found.content["interval"]
        assert ends.low == pytest.approx(-ends.high, rel=1e-3)
        assert ("effective events" in " ".join(found.warnings)) == said


def test_no_word_where_toys_were_thrown(tmp_path):
    path = in_file(tmp_path, counting(4.0, 1.0, 3))
    found = questions.answer("significance", path, toys=500, seed=4)
    assert "few" not in " ".join(found.warnings)
    rows = dict(found.tables[0].rows)
    p, error = (found.content["significance"].p_toys, found.content["significance"].p_toys_error)
    assert p == pytest.approx(poisson.sf(2, 1.0), abs=4 * error)
    assert "500 toys (0 failed)" in " ".join(rows)
    assert rows["significance, asymptotic"] != rows["significance, toys"]
    assert "σ" in rows["significance, toys"]


def test_a_tail_without_toys_is_a_limit(tmp_path):
    rows = dict(questions.answer("significance", in_file(tmp_path, counting(9.0, 1.0, 12)), toys=100).tables[0].rows)
    assert rows["p-value, 100 toys (0 failed)"] == "< 0.03 at 95 %"
    assert rows["significance, toys"] == "> 1.88 σ"


def test_a_limit_goes_on_beyond_the_range_of_search(tmp_path):
    """The text says so; within the bounds it says "> 10" and nothing else, and no figure claims a limit."""
    narrow, wide = counting(0.2, 50.0, 53), counting(0.2, 50.0, 53)
    wide["measurements"][0]["config"]["parameters"] = [{"name": "mu", "bounds": [[0.0, 1e4]]}]
    here, there = in_file(tmp_path, narrow), in_file(tmp_path, wide, "wide.json")
    found, other = questions.answer("limit", here), questions.answer("limit", there)
    limit = found.content["limit"]
    np.testing.assert_allclose(limit.observed, other.content["limit"].observed, rtol=1e-6)
    np.testing.assert_allclose(limit.expected, other.content["limit"].expected, rtol=1e-6)
    assert "beyond the bounds [0, 10] of mu" in " ".join(found.warnings)
    assert "--within-bounds" in " ".join(found.warnings)
    assert not other.warnings
    inside = questions.answer("limit", here, within=True)
    assert {row[1] for row in inside.tables[0].rows} == {"> 10.0000"}
    assert {row[2] for row in inside.tables[0].rows} == {"END_NOT_FOUND"}
    assert "6 of 6 limits lie above 10" in " ".join(inside.warnings)
    drawn = inside.figures["limit"][1]()
    assert "<" not in (drawn.axes[0].get_legend().get_title().get_text())
    assert drawn.axes[0].get_xlim()[1] <= 10.0


def test_an_interval_goes_on_beyond_the_range_of_search(tmp_path):
    path = in_file(tmp_path, counting(1.0, 100.0, 108))
    found = questions.answer("interval", path)
    assert float(found.content["interval"].high) > 10.0
    assert "the upper end lies beyond the bounds [0, 10] of mu" in " ".join(found.warnings)
    inside = questions.answer("interval", path, within=True)
    assert dict(inside.tables[0].rows)["upper end"] == "> 10.0000"
    scan = questions.answer("scan", path, points=9).content["scan"]
    assert scan.values.max() > 10.0
    with pytest.raises(InputError, match="--method profile"):
        questions.answer("interval", path, within=True, method="upper")
    with pytest.raises(InputError, match="no --against"):
        questions.answer("scan", path, within=True, against="k")


def test_an_estimate_at_a_bound_has_a_one_sided_interval_and_the_hessians_error(tmp_path):
    """n = 90 on b = 100, s = 10: μ̂ = 0, and −log L = ν − n ln ν has there the curvature n s²/b²."""
    found = questions.answer("fit", in_file(tmp_path, counting(10.0, 100.0, 90)))
    (said,) = found.content["at_bound"].items()
    assert said[0] == "mu"
    assert said[1]["bound"] == 0.0
    assert said[1]["hessian_error"] == pytest.approx(100 / (10 * np.sqrt(90)), rel=1e-9)
    ends = said[1]["interval"]
    assert float(ends.low) == 0.0
    t = 2 * (10 * float(ends.high) - 90 * np.log1p(0.1 * float(ends.high)))
    assert t == pytest.approx(1.0000217, rel=1e-4)
    assert "mu is at its bound 0" in " ".join(found.warnings)
    assert "Parameters at a bound" in [t.title for t in found.tables]
    assert dict(row[:2] for row in found.tables[0].rows)["mu"] == "0.000 (at a bound)"
    assert "at_bound" not in questions.answer("fit", in_file(tmp_path, counting(10.0, 100.0, 110))).content


def test_each_channel_is_judged(tmp_path):
    channels = {
        "A": [sample("s", [60.0, 4.0], MU), sample("b", [50.0, 40.0])],
        "B": [sample("c", [50.0, 40.0], ("k", "normfactor", None))],
    }
    path = in_file(tmp_path, workspace(channels, observations={"A": [120, 31], "B": [48, 61]}))
    found = questions.answer("gof", path)
    by = found.content["goodness_of_fit"].channels
    alone = questions.answer(
        "gof",
        in_file(tmp_path, edit.drop(json.loads((tmp_path / "workspace.json").read_text()), channels=["B"]), "a.json"),
    )
    assert by.statistic[0] == pytest.approx(float(alone.content["goodness_of_fit"].statistic), abs=1e-8)
    assert [row[0] for row in found.tables[1].rows] == ["A", "B", "constraints that channels share"]
    assert found.tables[1].rows[0][2] == "1"
    assert len(alone.tables) == 1


BINS = {
    "SR": [
        sample(
            "s",
            [5.0, 9.0, 6.0, 7.0],
            MU,
            ("h", "histosys", {"hi_data": [5.5, 9.1, 6.4, 7.7], "lo_data": [4.5, 9.0, 5.8, 6.1]}),
        ),
        sample(
            "b",
            [50.0, 60.0, 40.0, 20.0],
            ("stat", "staterror", [3.0, 2.0, 4.0, 1.0]),
            ("own", "shapesys", [4.0, 5.0, 0.0, 2.0]),
            ("n", "normsys", {"hi": 1.1, "lo": 0.9}),
        ),
    ],
    "CR": [sample("b", [70.0, 30.0], ("n", "normsys", {"hi": 1.1, "lo": 0.9}), ("f", "shapefactor", None))],
}
SETTINGS = ({"name": "own", "inits": [1.0, 1.1, 1.0, 1.0], "bounds": [[0.1, 5.0]] * 4},)


def without_bins():
    """The same workspace written by hand without bins 0 and 2 of SR and bin 1 of CR."""
    return workspace(
        {
            "SR": [
                sample("s", [9.0, 7.0], MU, ("h", "histosys", {"hi_data": [9.1, 7.7], "lo_data": [9.0, 6.1]})),
                sample(
                    "b",
                    [60.0, 20.0],
                    ("stat", "staterror", [2.0, 1.0]),
                    ("own", "shapesys", [5.0, 2.0]),
                    ("n", "normsys", {"hi": 1.1, "lo": 0.9}),
                ),
            ],
            "CR": [sample("b", [70.0], ("n", "normsys", {"hi": 1.1, "lo": 0.9}), ("f", "shapefactor", None))],
        },
        parameters=[{"name": "own", "inits": [1.1, 1.0], "bounds": [[0.1, 5.0]] * 2}],
        observations={"SR": [71.0, 29.0], "CR": [74.0]},
    )


OBSERVED = {"SR": [56.0, 71.0, 49.0, 29.0], "CR": [74.0, 33.0]}
MASK = ("SR:0", "SR:2", "CR:1")


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*map(str, arguments), "--json"])
    assert stopped.value.code == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", ["fit", "limit", "gof", "yields", "ranking"])
def test_masked_bins_are_removed_ones_to_the_last_bit(verb, tmp_path, capsys):
    path = in_file(tmp_path, workspace(BINS, parameters=SETTINGS, observations=OBSERVED))
    by_hand = in_file(tmp_path, without_bins(), "by_hand.json")
    masked = printed(capsys, verb, path, *(x for m in MASK for x in ("--mask", m)))
    said = masked.pop("warnings")
    plain = printed(capsys, verb, by_hand)
    assert said[:2] == [
        "SR: bins 0, 2 left out; the others are numbered anew",
        "CR: bin 1 left out; the others are numbered anew",
    ]
    assert said[2:] == plain.pop("warnings")
    assert masked == plain


def test_a_masked_workspace_is_the_one_by_hand(capsys, tmp_path):
    spec = workspace(BINS, parameters=SETTINGS, observations=OBSERVED)
    assert edit.mask(spec, {"SR": [0, 2], "CR": [1]}) == without_bins()
    path = in_file(tmp_path, spec)
    with pytest.raises(SystemExit):
        cli.main(["workspace", "mask", path, "--bins", "SR:0,2", "--bins", "CR:1"])
    assert json.loads(capsys.readouterr().out) == without_bins()


def test_counts_of_a_file_are_masked_too(tmp_path, capsys):
    path = in_file(tmp_path, workspace(BINS, parameters=SETTINGS, observations=OBSERVED))
    counts = in_file(tmp_path, OBSERVED, "counts.json")
    mask = [x for m in MASK for x in ("--mask", m)]
    one, two = printed(capsys, "gof", path, *mask), printed(capsys, "gof", path, *mask, "--data", counts)
    assert one == two


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (("SR",), "CHANNEL:BIN"),
        (("SR:a",), "CHANNEL:BIN"),
        (("SX:0",), "known: SR, CR"),
        (("SR:4",), "bins from 0 to 3"),
        (("SR:0,1,2,3",), "a bin that is left"),
    ],
)
def test_a_bad_mask_is_one_line(mask, message, tmp_path):
    path = in_file(tmp_path, workspace(BINS, parameters=SETTINGS, observations=OBSERVED))
    with pytest.raises(InputError, match=message):
        questions.answer("gof", path, mask=mask)


def test_channels_that_share_factors_of_bins_lose_the_same_ones():
    channels = {n: [sample("b", [50.0, 60.0], ("f", "shapefactor", None))] for n in ("A", "B")}
    spec = workspace(channels, poi="")
    with pytest.raises(InputError, match="the same bins of all channels"):
        edit.mask(spec, {"A": [0]})
    left = edit.mask(spec, {"A": [0], "B": [0]})
    assert [s["data"] for _, s in edit.samples(left)] == [[60.0], [60.0]]


def test_errors_that_channels_share_lose_the_bins_of_their_own():
    """Settings of a staterror in two channels are one list, in the order of the channels' names."""
    channels = {n: [sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 6.0]))] for n in ("B", "A")}
    spec = workspace(channels, poi="", parameters=[{"name": "st", "inits": [1.1, 1.2, 1.3, 1.4]}])
    left = edit.mask(spec, {"B": [0]})
    assert left["measurements"][0]["config"]["parameters"] == [{"name": "st", "inits": [1.1, 1.2, 1.4]}]


def test_masked_bins_are_gaps_of_the_figure(tmp_path):
    path = in_file(tmp_path, workspace(BINS, parameters=SETTINGS, observations=OBSERVED))
    found = questions.answer("yields", path, mask=("SR:0,2",), prefit=True)
    axes = found.figures["SR"][1]().axes[0]
    assert axes.get_xlim() == (0.0, 4.0)
    assert [text.get_text() for text in axes.get_legend().get_texts()].count("Left out") == 1
    (points,) = [c for c in axes.containers if c.get_label() == "Data"]
    np.testing.assert_array_equal(points.lines[0].get_data(), ([1.5, 3.5], [71.0, 29.0]))


def test_words_stand_in_the_text_the_json_and_below_the_figure(capsys, tmp_path):
    drawn = []

    def draw():
        drawn.append(canvas())
        drawn[-1].add_subplot()
        return drawn[-1]

    answer = Section("Title", figures={"one": ("", draw)}, content={"a": 1}, warnings=["costs $5 & more", "second"])
    show_answer(answer, as_json=True, plot=tmp_path / "x.png")
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"a": 1, "warnings": ["costs $5 & more", "second"]}
    assert "second" in shown.err
    assert drawn[0].get_supxlabel() == "costs \\$5 & more\nsecond"
    assert footnote(canvas(), []).get_supxlabel() == ""


def test_parameters_that_are_not_determined_are_not_said_to_be_at_a_bound(tmp_path):
    """Two free factors of one bin: their sum is known, neither has an error."""
    channels = {"SR": [sample("s", [10.0], MU), sample("b", [50.0], ("k", "normfactor", None))]}
    found = questions.answer("fit", in_file(tmp_path, workspace(channels)))
    assert found.content["status"] == "NOT_POSITIVE_DEFINITE"
    assert all(row[1].endswith("(no σ)") for row in found.tables[0].rows)
    assert "not determined" in " ".join(found.warnings)


def test_errors_of_the_simulation_as_parameter_of_interest_refuse_only_questions_about_it(tmp_path):
    channels = {"SR": [sample("s", [10.0, 20.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 4.0]))]}
    path = in_file(tmp_path, workspace(channels, poi="st"))
    assert questions.answer("fit", path).content["status"] == "OK"
    with pytest.raises(InputError, match="name it with --poi"):
        questions.answer("limit", path)
    with pytest.raises(InputError, match="errors of the simulation"):
        questions.answer("fit", path, poi="st")


def test_pre_fit_errors_say_how_they_are_made(tmp_path):
    channels = {"SR": [sample("s", [10.0], MU), sample("b", [100.0], ("n", "normsys", {"hi": 2.0, "lo": 0.5}))]}
    path = in_file(tmp_path, workspace(channels))
    for kind, error in (("slope", 69.3), ("half-difference", 75.0)):
        found = questions.answer("yields", path, prefit=True, prefit_error=kind)
        assert found.content["SR"]["pre-fit"]["total"][1] == pytest.approx(error, abs=0.1)
        assert ("half the difference" in found.tables[0].note) == (kind == "half-difference")


def test_a_scan_without_an_end_stays_where_there_is_something_to_see(tmp_path):
    """Nothing depends on μ: the search ends far away, the curve within the bounds."""
    found = questions.answer("scan", in_file(tmp_path, counting(1e-9, 50.0, 50)), points=5)
    assert int(found.content["interval"].status) == Status.END_NOT_FOUND
    assert found.content["scan"].values.max() <= 10.0
    limit = questions.answer("limit", in_file(tmp_path, counting(1e-9, 50.0, 50)))
    assert dict(row[:2] for row in limit.tables[0].rows)["observed"].startswith("> ")
