"""Every figure draws from realistic results: inside its frame, without overlaps, the same bytes each time."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import fake_limits
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import StepPatch
from matplotlib.text import Annotation, Text
from scipy.stats import chi2

import fakes
from verax.check import overtraining, reliability, roc
from verax.errors import InputError
from verax.infer import Breakdown, Ranking, Row, Scan
from verax.learn import History
from verax.report import Style, check_formula, drawing, plots, save
from verax.report._histograms import poisson_interval, positions, round_scale
from verax.results import Coverage, Interval

STYLE = Style(
    text="Open data, expected (Asimov)",
    conditions="20.3 fb⁻¹ (8 TeV)",
    names={"htautau": r"$H\to\tau\tau$", "ztautau": r"$Z\to\tau\tau$", "ttbar": r"$t\bar{t}$", "boosted": "Boosted"},
)
SLIVERS = (0.0, 0.5, 0.8, 0.93, 0.97, 0.985, 0.995, 1.0)


def diagram(power: float = 1.0):
    rng = np.random.default_rng(0)
    p = rng.beta(0.6, 1.2, 5000)
    return reliability(p**power, rng.random(5000) < p, rng.choice([1.0, -0.5], 5000, p=[0.8, 0.2]))


def score(edges: tuple[float, ...] | None = None, **options) -> Figure:
    templates = fakes.templates(edges) if edges else fakes.templates()
    total = templates.nominal.sum(axis=0)
    data = np.random.default_rng(1).poisson(total).astype(float)
    given = {"data": data, "error": 0.03 * total, "signal": ("htautau",), "stage": "Post-fit", "style": STYLE} | options
    return plots.score_distribution(templates, "boosted", **given)


def heavy(**options) -> Figure:
    """Names as generators give them, one of them below 0 somewhere, and an axis of a whole sentence."""
    given, longest = fakes.templates(), "PowhegPythia8EvtGen_A14_NNPDF30ME_"
    names = tuple(f"{longest}{p}" for p in given.processes)
    nominal = np.array(given.nominal)
    nominal[1, 3] *= -0.1
    made = dataclasses.replace(given, nominal=nominal, processes=names)
    long = "Invariant mass of the two jets with the largest b-tagging score, and of the lepton closest to them [GeV]"
    return plots.score_distribution(made, "boosted", xlabel=long, signal=names[:1], style=STYLE, **options)


def separated() -> tuple[dict, dict]:
    rng = np.random.default_rng(6)
    label = np.arange(4000) % 3 == 0
    score, weight = rng.beta(2 + label, 3 - label), rng.choice([1.0, -0.5], 4000, p=[0.9, 0.1])
    curves = {"": roc(score, label, weight), "boosted": roc(score[:99], label[:99], weight[:99])}
    curves |= {f"SR_one_lepton_two_b_jets_high_missing_energy_{i}": curves["boosted"] for i in range(2)}
    halves = {n: overtraining(score[k][::2], score[k][1::2]) for n, k in (("signal", label), ("background", ~label))}
    return curves, halves


MU = np.linspace(0.0, 3.0, 31)
CHANNELS = ("boosted", "One lepton", "Two leptons", "Combined")


def cls(values: np.ndarray = MU) -> Figure:
    seen, expected = fake_limits.limits()
    return plots.limit_bands(
        values, *fake_limits.cls(values), observed_limit=seen, expected_limit=expected, style=STYLE
    )


def mass() -> Figure:
    m, seen, expected = fake_limits.mass_scan()
    labels = {"xlabel": "Resonance mass [GeV]", "ylabel": "Limit on σ × B [pb]", "reference_label": "Benchmark model"}
    return plots.limits(m, seen, expected, reference=2 * np.exp(-m / 250), style=STYLE, **labels)


def rows(**options) -> Figure:
    expected = np.array([1.0, 2.0, 1.2, 0.65]) * np.array([0.54, 0.72, 1.0, 1.39, 1.86])[:, None]
    seen = np.array([1.1, 2.4, 0.9, 0.7])
    return plots.limits(CHANNELS, seen, expected, ylabel="Upper limit on μ", reference=1.0, style=STYLE, **options)


FIGURES: dict[str, Callable[[], Figure]] = {
    "score": score,
    "score blinded": lambda: score(data=None, error=None, stage="Pre-fit"),
    "score linear": lambda: score(logy=False, data_label="Pseudo-experiment"),
    "score slivers": lambda: score(SLIVERS),
    "score heavy": heavy,
    "score heavy linear": lambda: heavy(logy=False, stage="Post-fit"),
    "ROC": lambda: plots.roc(separated()[0], style=STYLE),
    "overtraining": lambda: plots.overtraining(separated()[1], style=STYLE),
    "variation": lambda: plots.template_variation(fakes.templates(), "tes", "vbf", style=STYLE),
    "variation of one": lambda: plots.template_variation(
        fakes.templates(), "norm_ttbar", "boosted", processes=("ttbar", "diboson"), style=STYLE
    ),
    "scan": lambda: plots.scan({"Total": fakes.scan()}, interval=fakes.interval(), truth=1.2, style=STYLE),
    "scans": lambda: plots.scan({"Total": fakes.scan(), "Statistics only": fakes.scan(0.19, 0.2)}, style=STYLE),
    "ranking": lambda: plots.pulls_and_impacts(fakes.ranking(), simulation_statistics=0.1, style=STYLE),
    "ranking cut": lambda: plots.pulls_and_impacts(fakes.ranking(), top=2, style=STYLE),
    "breakdown": lambda: plots.breakdown(fakes.breakdown(), style=STYLE),
    "breakdowns": lambda: plots.breakdown(fakes.breakdown(), fakes.breakdown("freeze", 0.9), style=STYLE),
    "correlation": lambda: plots.correlation(fakes.fit().names, fakes.fit().correlation, style=STYLE),
    "coverage": lambda: plots.coverage(fakes.coverage(), style=STYLE),
    "reliability": lambda: plots.reliability(diagram(), style=STYLE),
    "transform": lambda: plots.pit(
        np.random.default_rng(4).beta(1.4, 1.2, 2000), weight=np.resize([1, 1, 1, -0.5], 2000), style=STYLE
    ),
    "reliabilities": lambda: plots.reliability({"Single network": diagram(1.3), "Ensemble": diagram()}, style=STYLE),
    "training": lambda: plots.training_history(fakes.histories(), style=STYLE),
    "CLs": lambda: cls(),
    "CLs blind": lambda: plots.limit_bands(MU, None, fake_limits.cls(MU)[1], style=STYLE),
    "CLs of a short range": lambda: cls(MU[:8]),
    "limits against mass": lambda: mass(),
    "limits by channel": lambda: rows(),
    "limits by channel, wide": lambda: rows(logy=True),
    "scan in two": lambda: plots.scan2d(
        *fake_limits.banana(), ("mu", "tes"), best=(1, 0.2), truth=(1.2, 0), style=STYLE
    ),
}


@pytest.fixture(scope="module", params=FIGURES)
def figure(request: pytest.FixtureRequest) -> Figure:
    """The figure, laid out and drawn once."""
    made = FIGURES[request.param]()
    with drawing():
        FigureCanvasAgg(made).draw()
    return made


def labels(figure: Figure) -> list[Text]:
    """Headings, axis labels, legends: what must not collide."""
    found: list = [t for t in figure.findobj(Annotation) if t.get_visible() and t.get_text()]
    for axes in figure.axes:
        found += [axes.xaxis.label, axes.yaxis.label]
        found += [child for child in axes.get_children() if isinstance(child, Legend)]
    return [t for t in found if not isinstance(t, Text) or t.get_text()]


@pytest.mark.thorough
def test_all_text_lies_inside_the_figure(figure: Figure) -> None:
    frame = figure.bbox
    for text in labels(figure):
        box = text.get_window_extent()
        assert box.x0 >= frame.x0 - 1, text
        assert box.x1 <= frame.x1 + 1, text
        assert box.y0 >= frame.y0 - 1, text
        assert box.y1 <= frame.y1 + 1, text


def test_no_text_covers_another(figure: Figure) -> None:
    for one, other in combinations(labels(figure), 2):
        a, b = one.get_window_extent(), other.get_window_extent()
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 2 or height <= 2, f"{one} covers {other}"


def test_every_axis_is_labelled(figure: Figure) -> None:
    for axes in figure.axes:
        assert axes.get_xlabel() or axes.get_ylabel() or axes.images  # a matrix: its ticks are names


def test_the_heading_says_verax_and_no_experiment(figure: Figure) -> None:
    said = " ".join(t.get_text() for t in figure.findobj(Text))
    assert "verax" in said
    assert "Open data, expected (Asimov)" in said
    assert "20.3 fb$^{-1}$ (8 TeV)" in said
    assert not any(name in said for name in ("ATLAS", "CMS", "Preliminary"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["score", "ranking"])
def test_files_have_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    first = [p.read_bytes() for p in plots.save(FIGURES[name](), tmp_path, "a")]
    again = [p.read_bytes() for p in plots.save(FIGURES[name](), tmp_path, "b")]
    assert first == again
    assert first[0].startswith(b"%PDF")
    assert first[1].startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png"]


def test_no_global_state_is_left(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plots.save(FIGURES["scan"](), tmp_path, "scan")
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_importing_the_report_leaves_jax_alone() -> None:
    code = "import sys, verax.report, verax.check; from verax.report import plots; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ------------------------------------------------------------------------------------------------ what they show


def test_the_stack_adds_up_to_the_expectation() -> None:
    templates = fakes.templates()
    figure = plots.score_distribution(templates, "vbf")
    cells = templates.slices()["vbf"]
    tops = [patch.get_data().values for patch in figure.axes[0].patches]
    assert any(np.allclose(top, templates.nominal[:, cells].sum(axis=0), rtol=1e-12) for top in tops)
    assert figure.axes[1].get_ylabel() == "Unc. / pred."


def test_data_are_drawn_at_their_counts_with_poisson_errors() -> None:
    templates = fakes.templates()
    data = np.arange(18.0)
    figure = plots.score_distribution(templates, "vbf", data=data, logy=False)
    bars = next(c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer))
    np.testing.assert_array_equal(bars[0].get_ydata(), data[9:])
    ends = np.array([segment[:, 1] for segment in bars[2][0].get_segments()])
    np.testing.assert_allclose(ends.T, poisson_interval(data[9:]))


def test_poisson_intervals_are_garwoods() -> None:
    counts = np.array([0.0, 1.0, 7.0, 250.0])
    low, high = poisson_interval(counts)
    np.testing.assert_allclose(high, chi2.isf(0.158655, 2 * (counts + 1)) / 2, rtol=1e-10)
    np.testing.assert_allclose(low[1:], chi2.ppf(0.158655, 2 * counts[1:]) / 2, rtol=1e-10)
    assert low[0] == 0.0


def test_slivers_are_drawn_as_equal_bins() -> None:
    np.testing.assert_array_equal(positions(SLIVERS), np.arange(8.0))
    np.testing.assert_array_equal(positions((0.0, 0.2, 1.0)), [0.0, 0.2, 1.0])
    axes = score(SLIVERS).axes[1]
    assert [t.get_text() for t in axes.get_xticklabels()] == [f"{e:.3g}" for e in SLIVERS]
    assert "not to scale" in axes.get_xlabel()


@pytest.mark.parametrize(("ratio", "scale"), [(0.2, 1), (1.9, 1), (2.0, 2), (49.0, 20), (5000.0, 5000)])
def test_the_signal_is_scaled_by_a_round_number(ratio: float, scale: float) -> None:
    assert round_scale(ratio) == scale


def test_points_that_failed_are_left_out_of_the_scan() -> None:
    line = plots.scan({"Total": fakes.scan()}).axes[0].lines[0]
    assert len(line.get_xdata()) == len(fakes.scan().values) - 1
    assert np.isfinite(line.get_ydata()).all()


def test_the_ranking_is_sorted_and_says_what_failed() -> None:
    figure = plots.pulls_and_impacts(fakes.ranking(), simulation_statistics=0.1)
    said = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert said == [
        "tes", "jes", "norm_z", "soft_met", "norm_ttbar", "norm_diboson (failed)", "les", "Simulation statistics"
    ]  # fmt: skip
    cut = plots.pulls_and_impacts(fakes.ranking(), top=2)
    assert [t.get_text() for t in cut.axes[0].get_yticklabels()] == ["tes", "jes"]


def test_correlations_keep_what_is_asked_and_leave_out_the_fixed() -> None:
    fit = fakes.fit(30)
    figure = plots.correlation(fit.names, fit.correlation, top=5, keep=("mu",))
    said = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert len(said) == 5
    assert said[0] == "μ"
    assert "jes" not in said
    assert any("5 of 37 parameters" in t.get_text() for t in figure.findobj(Text))


def test_bands_lie_where_the_expected_values_are() -> None:
    seen, expected = fake_limits.cls(MU)
    for given in (expected, expected[::-1]):  # −2σ first, or last
        axes = plots.limit_bands(MU, seen, given).axes[0]
        outer, inner = (c.get_paths()[0].vertices for c in axes.collections[:2])
        for band, (low, high) in ((outer, (0, 4)), (inner, (1, 3))):
            at_one = np.sort(np.unique(band[np.isclose(band[:, 0], 1.0), 1]))
            np.testing.assert_allclose(at_one, expected[[low, high], 10])
        curves = [line.get_ydata() for line in axes.lines]
        assert any(np.array_equal(c, seen) for c in curves if len(c) == 31)
        assert any(np.array_equal(c, expected[2]) for c in curves if len(c) == 31)


def test_limits_are_written_with_their_spread() -> None:
    title = cls().axes[0].get_legend().get_title().get_text()
    seen, expected = fake_limits.limits()
    np.testing.assert_allclose(expected[2], 0.55 * 1.959964, rtol=1e-6)  # CLs = 2 Φ(−μ/σ): the two-sided quantile
    assert f"μ < {seen:.2f}" in title
    assert "μ < 1.08 +0.42 −0.30" in title


def test_rows_of_limits_are_boxes_from_2_to_2_sigma() -> None:
    axes = rows().axes[0]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
    np.testing.assert_allclose(spans[0], (0.54, 1.86))
    np.testing.assert_allclose(spans[4], (0.72, 1.39))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Boosted", *CHANNELS[1:]]


def test_contours_lie_at_the_quantiles_of_two_degrees_of_freedom() -> None:
    """t = a² + b²: circles of radius √2.30 and √5.99."""
    x = np.linspace(-4.0, 4.0, 161)
    axes = plots.scan2d(x, x, x[:, None] ** 2 + x[None, :] ** 2, ("a", "b")).axes[0]
    lines = [c for c in axes.collections if len(c.get_edgecolor()) and len(c.levels) == 1]
    assert len(lines) == 2
    for line, level in zip(lines, (0.6827, 0.95), strict=True):
        radius = np.hypot(*line.get_paths()[0].vertices.T)
        np.testing.assert_allclose(radius, np.sqrt(-2 * np.log(1 - level)), rtol=1e-3)


def test_the_first_parameter_is_on_the_horizontal_axis() -> None:
    x, y = np.linspace(0.0, 1.0, 30), np.linspace(10.0, 20.0, 40)
    t = 60.0 * (x[:, None] - 0.5) ** 2 + 0.0 * y[None, :]
    axes = plots.scan2d(x, y, t, ("a", "b")).axes[0]
    line = next(c for c in axes.collections if len(c.levels) == 1)
    np.testing.assert_allclose(
        abs(line.get_paths()[0].vertices[:, 0] - 0.5), np.sqrt(chi2.ppf(0.6827, 2) / 60), rtol=0.02
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "b")


def test_coverage_without_any_good_interval_says_so() -> None:
    nan = float("nan")
    figure = plots.coverage({"μ = 1": Coverage(0.6827, nan, nan, nan, nan, 0, 50)})
    said = [t.get_text() for t in figure.findobj(Text)]
    assert "no interval" in said
    assert "50 failed" in said


HOSTILE = (r'# % \ ` { } "', "a$b$c", "$", "^~&<>'|", "[/red]", r"\frac", "tt\u0304", "mu", "norm_b 1", "", "x" * 300)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_of_a_parameter_can_be_drawn(name: str, tmp_path: Path) -> None:
    """As the parameter of interest, and as one that is ranked, with a label of its own or none."""
    for style in (Style(), Style(names={name: "norm $t$"})):
        found = dataclasses.replace(fakes.ranking(), name=name)
        save(plots.pulls_and_impacts(found, style=style), tmp_path, "ranking")
        save(plots.pulls([name], np.zeros(1), np.ones(1), style=style), tmp_path, "pulls")


def test_a_formula_that_cannot_be_drawn_is_refused() -> None:
    for text in ("", "$x$", "a $ b", r"\$5 and \$6", "tt\u0304", r"$p_\mathrm{T}$ [GeV]"):
        check_formula(text, "report.luminosity")
    for text in (r"$\bad{$", "$x^$", "$ $ {$}$", "a $b{$"):
        with pytest.raises(InputError, match=r"report\.luminosity: got .*a formula of mathtext"):
            check_formula(text, "report.luminosity")


def test_a_dollar_in_a_name_is_no_formula() -> None:
    assert Style().name("cost_$x") == r"cost_\$x"
    assert Style(names={"z": r"$Z$"}).name("z") == r"$Z$"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plots.score_distribution(fakes.templates(), "bosted"), "did you mean 'boosted'"),
        (lambda: plots.score_distribution(fakes.templates(), "vbf", signal=("higgs",)), "process 'higgs'"),
        (lambda: plots.template_variation(fakes.templates(), "tess", "vbf"), "did you mean 'tes'"),
        (lambda: plots.correlation(("mu",), np.eye(1), keep=("nu",)), "parameter 'nu'"),
        (lambda: plots.breakdown(), "one or more results"),
        (lambda: plots.scan({}), "one parameter"),
        (lambda: plots.coverage({}), "one truth or more"),
        (lambda: plots.reliability({}), "one or more"),
        (lambda: plots.pit(np.array([0.5, 1.5])), r"values in \[0, 1\]"),
        (lambda: plots.training_history({}), "one or more"),
        (lambda: plots.limit_bands(MU[::-1], None, np.ones((5, 31))), "increasing points"),
        (lambda: plots.scan2d(MU, MU[::-1], np.ones((31, 31)), ("a", "b")), "increasing values"),
        (lambda: plots.scan2d(MU, MU, np.ones((31, 31)), ("a",)), "two names"),
        (lambda: plots.scan2d(MU, MU, np.ones((31, 31)), ("a", "b"), levels=(0.95, 0.68)), "increasing levels"),
        (lambda: plots.scan2d(MU[:1], MU, np.ones((1, 31)), ("a", "b")), "one t at each point"),
        (lambda: plots.limits((), None, np.ones((5, 0))), "one or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Figure], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


NAN2, NAN4 = np.full(1, np.nan), np.full(4, np.nan)
EMPTY = fakes.templates()
EMPTY = dataclasses.replace(EMPTY, nominal=0 * EMPTY.nominal, variance=0 * EMPTY.variance)
NEGATIVE = dataclasses.replace(EMPTY, nominal=EMPTY.nominal + np.linspace(-5, 50, 18))
FAILED = {
    "empty templates": lambda: plots.score_distribution(EMPTY, "vbf", signal=("htautau",), data=np.zeros(18)),
    "negative templates": lambda: plots.score_distribution(NEGATIVE, "vbf", signal=("htautau",), data=np.ones(18)),
    "empty variation": lambda: plots.template_variation(EMPTY, "tes", "vbf"),
    "one bin": lambda: plots.score_distribution(fakes.templates((0.0, 1.0)), "vbf"),
    "no end found": lambda: plots.scan({"Total": fakes.scan()}, interval=ends(np.nan, np.nan)),
    "infinite end": lambda: plots.scan({"Total": fakes.scan()}, interval=ends(0.5, np.inf)),
    "failed scan": lambda: plots.scan({"Total": Scan("mu", np.linspace(0, 1, 4), NAN4, np.full(4, 4))}),
    "no other parameter": lambda: plots.pulls_and_impacts(
        Ranking("mu", (), (), *(np.zeros(0) for _ in range(6)), np.zeros(0, np.int64))
    ),
    "failed ranking": lambda: plots.pulls_and_impacts(Ranking("mu", ("a",), ("",), *([NAN2] * 6), np.full(1, 3))),
    "failed breakdown": lambda: plots.breakdown(Breakdown("mu", "freeze", (Row("total", 0, *(3 * [np.nan]), "x"),))),
    "failed fit": lambda: plots.correlation(("mu", "b"), np.full((2, 2), np.nan)),
    "one parameter": lambda: plots.correlation(("mu",), np.eye(1)),
    "failed training": lambda: plots.training_history({"a": [History(NAN4, NAN4, -1, "not finite", "x")]}),
    "no validation": lambda: plots.training_history({"a": [History(np.arange(4.0), NAN4, 3, "epochs")]}),
    "no events": lambda: plots.reliability(reliability(np.zeros(0), np.zeros(0, bool), np.zeros(0))),
    "failed limit": lambda: plots.limit_bands(
        MU, np.full(31, np.nan), np.full((5, 31), np.nan), observed_limit=np.nan, expected_limit=np.full(5, np.nan)
    ),
    "one point": lambda: plots.limit_bands(MU[:1], MU[:1], np.ones((5, 1))),
    "failed limits": lambda: plots.limits(("a", "b"), NAN4[:2], np.full((5, 2), np.nan)),
    "one mass": lambda: plots.limits(MU[1:2], None, np.ones((5, 1))),
    "failed 2D scan": lambda: plots.scan2d(MU, MU, np.full((31, 31), np.nan), ("a", "b")),
    "flat 2D scan": lambda: plots.scan2d(MU, MU, np.zeros((31, 31)), ("a", "b"), best=(np.nan, 1.0)),
    "infinite width": lambda: plots.coverage({"μ = 1": Coverage(0.68, 1.0, 0.05, np.inf, np.nan, 80, 3)}),
}


def ends(low: float, high: float) -> Interval:
    return Interval("mu", 0.6827, np.asarray(1.0), np.asarray(low), np.asarray(high), np.asarray(5))


@pytest.mark.parametrize("name", FAILED)
def test_what_failed_still_gets_its_figure(name: str) -> None:
    with drawing():
        FigureCanvasAgg(FAILED[name]()).draw()


def test_pulls_are_labelled_with_what_they_are_relative_to():
    ranked, alone = plots.pulls_and_impacts(fakes.ranking()), plots.pulls(("a",), np.zeros(1), np.ones(1))
    for figure in (ranked, alone):
        assert any(r"(\hat{\theta} - a)\,/\,\Delta\theta" in axes.get_xlabel() for axes in figure.axes)


@pytest.mark.parametrize("logy", [True, False])
def test_a_negative_process_is_no_part_of_the_stack(logy):
    """Its block is hatched and hangs from the top of the others, down to the sum."""
    templates = fakes.templates()
    expected = np.array(templates.nominal, np.float64)
    signal = templates.processes[0]
    expected[0] *= -0.5
    channel = templates.channels[0]
    bins = templates.slices()[channel]
    figure = plots.score_distribution(templates, channel, expected=expected, signal=(signal,), logy=logy, style=STYLE)
    blocks = [p for p in figure.axes[0].patches if isinstance(p, StepPatch) and p.get_fill()]
    (hanging,) = [p for p in blocks if p.get_hatch() == "////" and "below 0" in p.get_label()]
    values, _, top = hanging.get_data()
    np.testing.assert_allclose(top, expected[1:, bins].sum(axis=0))
    np.testing.assert_allclose(values, expected[:, bins].sum(axis=0))
    for block in blocks:
        if block is not hanging and block.get_label() in map(STYLE.name, templates.processes):
            drawn, _, base = block.get_data()
            assert (drawn >= base).all()
            assert block.get_label() != STYLE.name(signal)


def test_a_page_of_verdicts_holds_its_lines() -> None:
    """Whatever is found: long sentences are folded, dollar signs are no formulae, and columns do not meet."""
    words = ("failure", "warning", "note", "not made", "ok")
    names = ("parameters without effect", "simulation rows twice", "same-side systematics", "pulls", "few events")
    found = [[f"{'jes $pt$ in SR, ' * n}and no more"] * (n % 3 + 1) for n in (40, 0, 9, 1, 3)]
    made = plots.verdicts(list(zip(words, names, found, strict=True)), title="Audit: the data given")
    with drawing():
        FigureCanvasAgg(made).draw()
    written = [t for t in made.axes[0].texts if not isinstance(t, Annotation)]
    boxes = [t.get_window_extent() for t in written]
    assert len(boxes) == 3 * len(words)
    assert all(b.x1 <= made.bbox.x1 and b.y0 >= made.bbox.y0 for b in boxes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    with pytest.raises(InputError, match="did you mean 'note'"):
        plots.verdicts([("notes", "pulls", ["none"])])
    with pytest.raises(InputError, match="no verdict"):
        plots.verdicts([])
