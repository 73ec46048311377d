"""Rearranged templates: known answers, and the likelihood stays what it was."""

from collections.abc import Callable

import numpy as np
import pytest

from likelihoods import make_templates
from verax.errors import InputError
from verax.model import binned_likelihood
from verax.parameters import Gaussian, Parameter
from verax.templates import Templates, combine, correlate, decorrelate, mask, merge, rename, restrict, select

NOMINAL = np.array([[4.0, 3.0, 2.0, 5.0, 6.0], [10.0, 20.0, 30.0, 40.0, 50.0], [1.0, 1.0, 1.0, 0.0, 0.0]])
JES = NOMINAL * np.array([1.1, 1.2, 1.3, 1.0, 0.9])
NORM = NOMINAL * np.array([[1.0], [1.25], [1.0]])


@pytest.fixture
def templates() -> Templates:
    return make_templates(
        NOMINAL,
        variance=NOMINAL / 8,
        systematics=[("jes", JES, 2 * NOMINAL - JES), ("norm", NORM, 2 * NOMINAL - NORM)],
        bins=(3, 2),
    )


def same(one: Templates, other: Templates) -> None:
    for name in ("nominal", "variance", "up", "down"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.channels, one.edges, one.processes) == (other.channels, other.edges, other.processes)
    assert one.systematics == other.systematics


def test_select_takes_channels_in_the_order_asked(templates):
    made = select(templates, ["channel1", "channel0"])
    np.testing.assert_array_equal(made.nominal, NOMINAL[:, [3, 4, 0, 1, 2]])
    np.testing.assert_array_equal(made.up[0], JES[:, [3, 4, 0, 1, 2]])
    assert made.edges == (templates.edges[1], templates.edges[0])
    same(select(made, ["channel0", "channel1"]), templates)


def test_mask_leaves_the_others(templates):
    same(mask(templates, ["channel0"]), select(templates, ["channel1"]))
    same(mask(templates, []), templates)


def test_mask_of_bins_leaves_the_others(templates):
    made = mask(templates, {"channel0": [1]})
    np.testing.assert_array_equal(made.nominal, NOMINAL[:, [0, 2, 3, 4]])
    np.testing.assert_array_equal(made.down[0], (2 * NOMINAL - JES)[:, [0, 2, 3, 4]])
    assert made.edges == ((0.0, 1.0, 2.0), templates.edges[1])
    same(mask(templates, {"channel0": [0, 1, 2]}), select(templates, ["channel1"]))
    with pytest.raises(InputError, match="bin 3; expected bins from 0 to 2"):
        mask(templates, {"channel0": [3]})


def test_rename_applies_to_all_that_bear_the_name(templates):
    made = rename(templates, {"signal": "higgs", "jes": "jet_scale", "channel1": "boosted"})
    assert made.processes == ("higgs", "background", "other")
    assert made.channels == ("channel0", "boosted")
    assert [p.name for p in made.systematics] == ["jet_scale", "norm"]
    assert made.systematics[0].group == "jes"
    np.testing.assert_array_equal(made.up, templates.up)
    swapped = rename(templates, {"signal": "background", "background": "signal"})
    assert swapped.processes == ("background", "signal", "other")


def test_merge_adds_events_variance_and_variations(templates):
    made = merge(templates, {"backgrounds": ["other", "background"]})
    assert made.processes == ("signal", "backgrounds")
    np.testing.assert_array_equal(made.nominal, [NOMINAL[0], NOMINAL[1] + NOMINAL[2]])
    np.testing.assert_array_equal(made.variance, made.nominal / 8)
    np.testing.assert_array_equal(made.up[:, 1], templates.up[:, 1] + templates.up[:, 2])
    kept = merge(templates, {"background": ["background", "other"]})  # the sum may take the name of a part
    np.testing.assert_array_equal(kept.nominal, made.nominal)
    assert kept.processes == ("signal", "background")


def test_decorrelated_channels_have_their_own_parameter(templates):
    made = decorrelate(templates, "jes", "channel")
    assert [p.name for p in made.systematics] == ["jes_channel0", "jes_channel1", "norm"]
    assert {p.group for p in made.systematics} == {"jes", "norm"}
    np.testing.assert_array_equal(made.up[0], np.concatenate([JES[:, :3], NOMINAL[:, 3:]], axis=1))
    np.testing.assert_array_equal(made.up[1], np.concatenate([NOMINAL[:, :3], JES[:, 3:]], axis=1))
    np.testing.assert_array_equal(made.up[2], NORM)


def test_decorrelated_processes_are_only_those_on_which_it_acts(templates):
    made = decorrelate(templates, "norm", "process")
    assert [p.name for p in made.systematics] == ["jes", "norm_background"]
    np.testing.assert_array_equal(made.up[1], NORM)


@pytest.mark.parametrize("by", ["channel", "process"])
def test_correlate_undoes_decorrelate_bit_by_bit(templates, by):
    made = decorrelate(templates, "jes", by)
    names = [p.name for p in made.systematics if p.name.startswith("jes")]
    assert len(names) > 1
    same(correlate(made, names, "jes"), templates)


def test_correlated_changes_add_up_where_both_act(templates):
    made = correlate(templates, ["jes", "norm"], "both")
    assert [p.name for p in made.systematics] == ["both"]
    np.testing.assert_allclose(made.up[0], JES + NORM - NOMINAL, rtol=1e-15)
    np.testing.assert_allclose(made.down[0], 3 * NOMINAL - JES - NORM, rtol=1e-14, atol=1e-14)


@pytest.mark.thorough
def test_decorrelating_is_equal_to_the_whole_when_all_move_together(templates):
    model = binned_likelihood(templates, free={"mu": ("signal",)})
    spread = binned_likelihood(decorrelate(templates, "jes"), free={"mu": ("signal",)})
    together = spread.expected({"mu": 1.3, "jes_channel0": 0.7, "jes_channel1": 0.7, "norm": -0.2})
    np.testing.assert_allclose(together, model.expected({"mu": 1.3, "jes": 0.7, "norm": -0.2}), rtol=1e-13)
    alone = spread.expected({"jes_channel0": 1.0})
    np.testing.assert_allclose(alone, np.r_[JES.sum(0)[:3], NOMINAL.sum(0)[3:]], rtol=1e-13)


def test_combining_the_halves_gives_the_whole(templates):
    same(combine(select(templates, ["channel0"]), select(templates, ["channel1"])), templates)


def test_combined_analyses_may_differ_in_everything():
    first = make_templates(
        [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]],
        variance=[[0.1, 0.1, 0.1], [1, 1, 1]],
        systematics=[("jes", [[1.1, 2.1, 3.1], [11, 21, 31]], [[0.9, 1.9, 2.9], [9, 19, 29]])],
    )
    second = rename(
        make_templates(
            [[7.0], [50.0]],
            systematics=[("tes", [[8.0], [50.0]], [[6.0], [50.0]]), ("jes", [[7.5], [51.0]], [[6.5], [49.0]])],
        ),
        {"channel0": "boosted", "background": "ttbar"},
    )
    made = combine(first, second)
    assert made.processes == ("signal", "background", "ttbar")
    assert [p.name for p in made.systematics] == ["jes", "tes"]
    assert made.slices() == {"channel0": slice(0, 3), "boosted": slice(3, 4)}
    np.testing.assert_array_equal(made.nominal, [[1, 2, 3, 7], [10, 20, 30, 0], [0, 0, 0, 50]])
    np.testing.assert_array_equal(made.up[0], [[1.1, 2.1, 3.1, 7.5], [11, 21, 31, 0], [0, 0, 0, 51]])
    np.testing.assert_array_equal(made.up[1], [[1, 2, 3, 8], [10, 20, 30, 0], [0, 0, 0, 50]])
    np.testing.assert_array_equal(made.variance, [[0.1, 0.1, 0.1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])


@pytest.mark.thorough
def test_the_combined_likelihood_is_the_product_with_one_constraint_for_what_is_shared(templates):
    halves = [select(templates, [c]) for c in templates.channels]
    free = {"mu": ("signal",)}
    models = [binned_likelihood(t, free=free) for t in halves]
    both = binned_likelihood(combine(*halves), free=free)
    data = both.asimov({})
    at = {"mu": 1.2, "jes": 0.5, "norm": -0.8}
    parts = [m.log_prob(at, m.asimov({})) for m in models]
    shared = sum(-0.5 * at[n] ** 2 - 0.5 * np.log(2 * np.pi) for n in ("jes", "norm"))
    np.testing.assert_allclose(both.log_prob(at, data), sum(parts) - shared, rtol=1e-12)


def shifted() -> Templates:
    """The second channel with a constraint of another width."""
    jes = Parameter("jes", "jes", 0.0, (-5.0, 5.0), Gaussian(0.5))
    return rename(make_templates(NOMINAL[:, :1], systematics=[(jes, JES[:, :1], JES[:, :1])]), {"channel0": "other"})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: select(t, ["chanel1"]), "did you mean 'channel1'"),
        (lambda t: select(t, []), "one channel or more"),
        (lambda t: select(t, ["channel1", "channel1"]), "each of them once"),
        (lambda t: mask(t, ["chanel1"]), "did you mean 'channel1'"),
        (lambda t: mask(t, ["channel0", "channel1"]), "a channel that is left"),
        (lambda t: rename(t, {"sigal": "x"}), "did you mean 'signal'"),
        (lambda t: rename(t, {"jes": "norm"}), "'norm' more than once among the systematics"),
        (lambda t: rename(t, {"signal": "other"}), "'other' more than once among the processes"),
        (lambda t: rename(t, {"channel0": "channel1"}), "'channel1' more than once among the channels"),
        (lambda t: merge(t, {"b": ["othr"]}), "did you mean 'other'"),
        (lambda t: merge(t, {"b": []}), "one process or more"),
        (lambda t: merge(t, {"a": ["other"], "b": ["other"]}), "'other' more than once"),
        (lambda t: merge(t, {"signal": ["other", "background"]}), "'signal' more than once"),
        (lambda t: decorrelate(t, "jess"), "did you mean 'jes'"),
        (lambda t: decorrelate(t, "jes", "chanel"), "did you mean 'channel'"),
        (lambda t: decorrelate(rename(t, {"norm": "jes_channel0"}), "jes"), "more than once"),
        (lambda t: correlate(t, ["jes", "nrm"], "both"), "did you mean 'norm'"),
        (lambda t: correlate(t, [], "both"), "one or more"),
        (lambda t: correlate(t, ["jes", "jes"], "both"), "'jes' more than once"),
        (lambda t: correlate(t, ["jes"], "norm"), "'norm' more than once"),
        (lambda t: correlate(combine(t, rename(shifted(), {"jes": "k"})), ["jes", "k"], "b"), "the same constraint"),
        (lambda t: combine(t, t), "channel 'channel0' in both"),
        (lambda t: combine(t, shifted()), "systematic 'jes'.*rename one of them"),
    ],
)
def test_what_cannot_be_done_is_refused(templates, call: Callable[[Templates], Templates], message: str):
    with pytest.raises(InputError, match=message):
        call(templates)


def test_restricted_to_a_channel_it_acts_nowhere_else(templates):
    made = restrict(templates, "jes", channels=["channel1"])
    np.testing.assert_array_equal(made.up[0], np.concatenate([NOMINAL[:, :3], JES[:, 3:]], axis=1))
    np.testing.assert_array_equal(made.up[1], NORM)
    with pytest.raises(InputError, match="channel1"):
        restrict(templates, "jes", channels=["chanel1"])


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
def test_parts_have_the_correlation_and_the_width_asked_for(rho):
    """Effects of two parts have the correlation ρ; shares of a factor are powers, so effects of 1e-3 agree to 1e-3."""
    up, down = NOMINAL + 1e-3 * (JES - NOMINAL), NOMINAL - 1e-3 * (JES - NOMINAL)
    small = make_templates(NOMINAL, variance=NOMINAL / 8, systematics=[("jes", up, down)], bins=(3, 2))

    def slopes(templates):
        model, step = binned_likelihood(templates, free={"mu": ("signal",)}), 1e-3
        sides = [[model.expected({n: side}) for side in (step, -step)] for n in model.names if n != "mu"]
        return np.array([(high - low) / (2 * step) for high, low in sides])

    one, several = slopes(small), slopes(decorrelate(small, "jes", rho=rho))
    channel = np.array([0, 0, 0, 1, 1])
    wanted = one.T @ one * np.where(channel[:, None] == channel, 1.0, rho)
    np.testing.assert_allclose(several.T @ several, wanted, rtol=1e-3, atol=1e-12)


def test_a_share_of_a_yield_is_exact(templates):
    """exp(√ρ a θ) · exp(√(1 − ρ) a θ_i): factors of log-normal yields are powers."""
    factor = np.where(np.arange(3) == 1, 1.25, 1.0)[:, None]
    pure = make_templates(
        NOMINAL, variance=NOMINAL / 8, systematics=[("norm", NOMINAL * factor, NOMINAL / factor)], bins=(3, 2)
    )
    made = decorrelate(pure, "norm", ["channel"], rho=0.64)
    assert [p.name for p in made.systematics] == ["norm", "norm_channel0", "norm_channel1"]
    np.testing.assert_allclose(made.up[0], NOMINAL * factor**0.8, rtol=1e-14)
    np.testing.assert_allclose(made.down[1, :, :3], (NOMINAL / factor**0.6)[:, :3], rtol=1e-14)
    np.testing.assert_array_equal(made.down[1, :, 3:], NOMINAL[:, 3:])


def test_parts_of_years_and_processes_are_their_products(templates):
    years = {"2016": ["channel0"], "2017": ["channel1"]}
    made = decorrelate(templates, "jes", [years, {"b": ["background"], "rest": ["signal", "other"]}])
    names = ["jes_2016_b", "jes_2016_rest", "jes_2017_b", "jes_2017_rest", "norm"]
    assert [p.name for p in made.systematics] == names
    np.testing.assert_array_equal(made.up[1][:, 3:], NOMINAL[:, 3:])
    np.testing.assert_array_equal(made.up[1][[0, 2], :3], JES[[0, 2], :3])
    same(correlate(made, names[:-1], "jes"), templates)


@pytest.mark.parametrize(
    ("by", "rho", "message"),
    [
        ([{"2016": ["channel0"]}], 0.0, "process 'signal' in channel 'channel1': got 0 of the parts"),
        ([{"a": ["channel0"], "b": ["background", "channel1"]}], 0.0, "channel 'channel0': got 2 of the parts"),
        ([{"a": ["chanel0"]}], 0.0, "channel0"),
        ("channel", 1.0, "below 1"),
        ("channel", -0.1, "below 1"),
        ("year", 0.0, "kind"),
    ],
)
def test_parts_that_are_none_are_one_line(templates, by, rho, message):
    with pytest.raises(InputError, match=message):
        decorrelate(templates, "jes", by, rho=rho)
