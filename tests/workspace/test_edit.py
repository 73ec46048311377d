"""Workspaces rearranged as JSON: the likelihood is what it should be, and what does not fit is refused."""

import copy

import numpy as np
import pytest

from verax.errors import InputError
from verax.workspace import edit, from_pyhf
from verax.workspace._schema import check_workspace
from workspaces import EXAMPLES, LUMI, MU, sample, workspace

JES = {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]}
FIRST = workspace(
    {
        "a": [
            sample("s", [5.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7}), ("lumi", "lumi", None)),
            sample(
                "b", [50.0, 60.0], ("n", "histosys", JES), ("st_a", "staterror", [5.0, 3.0]), ("lumi", "lumi", None)
            ),
        ]
    },
    parameters=[LUMI],
)
SECOND = workspace(
    {
        "z": [
            sample(
                "b", [20.0, 30.0, 40.0], ("n", "normsys", {"hi": 1.1, "lo": 0.9}), ("e", "shapesys", [4.0, 2.0, 1.0])
            )
        ]
    },
    poi="",
)
BOTH = edit.combine(FIRST, SECOND)
AT = {"mu": 1.3, "n": 0.4, "lumi": 1.02}


def value(spec, **params):
    check_workspace(spec)
    model, data, _ = from_pyhf(spec)
    return float(model.log_prob(params, data))


@pytest.mark.thorough
def test_the_combined_likelihood_is_the_product_with_one_constraint_for_what_is_shared():
    shared = -0.5 * AT["n"] ** 2 - 0.5 * np.log(2 * np.pi)
    parts = value(FIRST, **AT) + value(SECOND, n=AT["n"])
    assert value(BOTH, **AT) == pytest.approx(parts - shared, rel=1e-13)
    assert from_pyhf(BOTH).poi == "mu"


def test_dropping_one_half_of_a_combination_gives_the_other():
    assert edit.drop(BOTH, channels=["z"]) == FIRST
    left = edit.drop(BOTH, modifiers=["e"], kinds=["staterror"])
    assert {m["type"] for _, s in edit.samples(left) for m in s["modifiers"]} == {
        "normfactor",
        "normsys",
        "histosys",
        "lumi",
    }
    assert edit.names(edit.drop(BOTH, processes=["b"]), "channel") == ("a",)  # a channel without samples goes
    without = edit.drop(BOTH, modifiers=["lumi"])
    assert without["measurements"][0]["config"]["parameters"] == []


def test_renaming_changes_names_only():
    changes = {
        "channel": {"a": "SR"},
        "sample": {"b": "top"},
        "modifier": {"n": "jes", "mu": "k"},
        "measurement": {"m": "x"},
    }
    made = edit.rename(BOTH, changes)
    assert value(made, k=1.3, jes=0.4, lumi=1.02) == value(BOTH, **AT)
    assert from_pyhf(made, measurement="x").poi == "k"
    back = {kind: {new: old for old, new in table.items()} for kind, table in changes.items()}
    assert edit.rename(made, back) == BOTH


@pytest.mark.thorough
@pytest.mark.parametrize(("by", "parts"), [("channel", ["n_a", "n_z"]), ("sample", ["n_s", "n_b"])])
def test_decorrelated_parameters_that_move_together_are_the_old_one(by, parts):
    made = edit.decorrelate(BOTH, "n", by)
    extra = -0.5 * AT["n"] ** 2 - 0.5 * np.log(2 * np.pi)  # a second constraint
    together = {"mu": 1.3, "lumi": 1.02} | dict.fromkeys(parts, 0.4)
    assert value(made, **together) == pytest.approx(value(BOTH, **AT) + extra, rel=1e-13)
    assert value(made, **(together | {parts[1]: -0.4})) != pytest.approx(value(BOTH, **AT) + extra, rel=1e-6)
    assert edit.correlate(made, parts, "n") == BOTH


def test_decorrelated_simulation_errors_are_the_same_likelihood():
    spec = EXAMPLES["staterror across channels"]
    made = edit.decorrelate(spec, "st")
    assert value(made, mu=1.2) == pytest.approx(value(spec, mu=1.2), rel=1e-13)


def test_effects_on_one_sample_are_joined():
    spec = workspace(
        {
            "a": [
                sample(
                    "b",
                    [50.0, 60.0],
                    MU,
                    ("n", "normsys", {"hi": 1.2, "lo": 0.7}),
                    ("o", "normsys", {"hi": 1.1, "lo": 0.9}),
                    ("n", "histosys", JES),
                    ("o", "histosys", {"hi_data": [52.0, 60.0], "lo_data": [49.0, 60.0]}),
                )
            ]
        }
    )
    made = edit.correlate(spec, ["n", "o"], "both")
    expected = [from_pyhf(s).model.expected(p) for s, p in ((made, {"both": 1.0}), (spec, {"n": 1.0, "o": 1.0}))]
    np.testing.assert_allclose(*expected, rtol=1e-13)


def test_negligible_variations_go_and_are_listed():
    spec = copy.deepcopy(BOTH)
    spec["channels"][1]["samples"][0]["modifiers"].append(
        {"name": "o", "type": "normsys", "data": {"hi": 1.001, "lo": 1}}
    )
    made, went = edit.prune(spec, normalisation=0.002, shape=0.05)
    assert made == BOTH
    assert [(p.systematic, p.process, p.channel, p.effect) for p in went] == [
        ("o", "b", "z", "normalisation"),
        ("o", "", "", "parameter"),
    ]
    assert went[0].size == pytest.approx(0.001)
    assert edit.prune(BOTH) == (BOTH, ())


def modifiers(spec, channel="a", sample="b"):
    """Of one parameter: {type: data} in one sample."""
    (found,) = [s for c, s in edit.samples(spec) if (c, s["name"]) == (channel, sample)]
    return {m["type"]: m["data"] for m in found["modifiers"] if m["name"] == "n"}


def test_a_histosys_without_its_shape_is_a_normsys():
    """[50, 60] → [55, 57] and [44, 61]: yields 110 → 112 and 105; at equal yield the largest change is 50 → 55·110/112."""
    made, went = edit.prune(BOTH, shape=0.09)
    assert modifiers(made) == {"normsys": {"hi": pytest.approx(112 / 110), "lo": pytest.approx(105 / 110)}}
    assert [(p.systematic, p.channel, p.process, p.effect) for p in went] == [("n", "a", "b", "shape")]
    assert went[0].size == pytest.approx(55 * 110 / 112 / 50 - 1)
    found = from_pyhf(made).model.expected({"mu": 0.0, "lumi": 1.0, "n": 1.0})[:2]
    np.testing.assert_allclose(found, np.array([50, 60]) * 112 / 110, rtol=1e-12)
    assert edit.prune(BOTH, shape=0.08)[1] == ()


def test_a_histosys_without_its_normalisation_keeps_the_nominal_yield():
    made, went = edit.prune(BOTH, normalisation=0.05)
    left = modifiers(made)["histosys"]
    np.testing.assert_allclose(left["hi_data"], np.array([55, 57]) * 110 / 112, rtol=1e-12)
    np.testing.assert_allclose(left["lo_data"], np.array([44, 61]) * 110 / 105, rtol=1e-12)
    assert [(p.systematic, p.effect) for p in went] == [("n", "normalisation")]
    assert went[0].size == pytest.approx(5 / 110)
    check_workspace(made)
    assert edit.prune(made, normalisation=0.05) == (made, ())


def test_a_histosys_of_which_both_parts_are_negligible_goes():
    made, went = edit.prune(BOTH, shape=0.09, normalisation=0.05)
    assert modifiers(made) == {}
    assert [p.effect for p in went] == ["shape", "normalisation"]  # the parameter stays: others have it


def test_the_yield_of_a_histosys_joins_the_normsys_beside_it():
    spec = copy.deepcopy(FIRST)
    extra = {"name": "n", "type": "normsys", "data": {"hi": 1.1, "lo": 0.8}}
    for where in (0, 5):  # before and after
        given = copy.deepcopy(spec)
        given["channels"][0]["samples"][1]["modifiers"].insert(where, extra)
        made, _ = edit.prune(given, shape=0.09)
        assert modifiers(made) == {
            "normsys": {"hi": pytest.approx(1.1 * 112 / 110), "lo": pytest.approx(0.8 * 105 / 110)}
        }
        check_workspace(made)


def test_events_where_there_were_none_are_never_negligible():
    data = {"hi_data": [0.001, 60.0], "lo_data": [0.0, 60.0]}
    spec = workspace({"a": [sample("b", [0.0, 60.0], MU, ("n", "histosys", data))]})
    made, went = edit.prune(spec, shape=0.5, normalisation=0.0)
    assert (made, went) == (spec, ())


OTHER_LUMI = edit.rename(FIRST, {"channel": {"a": "c"}})
OTHER_LUMI["measurements"][0]["config"]["parameters"][0]["sigmas"] = [0.5]
OTHER_INTEREST = edit.rename(FIRST, {"channel": {"a": "c"}, "modifier": {"mu": "k"}})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: edit.combine(FIRST, FIRST), "channel 'a' in both"),
        (lambda: edit.combine(FIRST, OTHER_LUMI), "parameter 'lumi': got settings that differ"),
        (lambda: edit.combine(FIRST, OTHER_INTEREST), "parameters of interest"),
        (lambda: edit.drop(BOTH, channels=["zz"]), "did you mean 'z'"),
        (lambda: edit.drop(BOTH, channels=["a", "z"]), "a channel and a measurement that are left"),
        (lambda: edit.drop(BOTH, modifiers=["mu"]), "parameter of interest 'mu' would be gone"),
        (lambda: edit.drop(BOTH, kinds=["statteror"]), "did you mean 'staterror'"),
        (lambda: edit.rename(BOTH, {"sample": {"c": "x"}}), "sample 'c'"),
        (lambda: edit.rename(BOTH, {"modifier": {"n": "e"}}), "correlate makes one"),
        (lambda: edit.rename(BOTH, {"channel": {"a": "z"}}), "'z' more than once"),
        (lambda: edit.decorrelate(BOTH, "lumi"), "'lumi'"),
        (lambda: edit.decorrelate(BOTH, "mu"), "the parameter of interest"),
        (lambda: edit.decorrelate(BOTH, "n", "bin"), "kind 'bin'"),
        (lambda: edit.correlate(BOTH, ["n", "e"], "x"), "modifiers of one kind"),
        (lambda: edit.correlate(BOTH, ["n"], "e"), "'e', which is there already"),
        (lambda: edit.prune(BOTH, shape=-1.0), "zero or above"),
        (lambda: edit.prune(BOTH, staterror=float("inf")), "zero or above"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_gammas_below_the_threshold_go():
    """Errors of 5 and 12 on 100 events each: 13 % together; 1.2 and .5 on 100 and 30 are 1 %."""
    samples = [
        sample("s", [100.0, 30.0], MU, ("st", "staterror", [5.0, 0.5])),
        sample("b", [0.0, 100.0], ("st", "staterror", [12.0, 1.2])),
    ]
    spec = workspace({"a": samples})
    made, went = edit.prune(spec, staterror=0.02)
    assert [[m["data"] for m in s["modifiers"] if m["name"] == "st"] for _, s in edit.samples(made)] == [
        [[5.0, 0.0]],
        [[12.0, 0.0]],
    ]
    assert [(p.systematic, p.channel, p.effect) for p in went] == [("st", "a[1]", "staterror")]
    assert went[0].size == pytest.approx(0.01)
    before, after = (from_pyhf(w) for w in (spec, made))
    assert (np.asarray(after.model.width) > 0).tolist() == [True, False]
    np.testing.assert_allclose(after.model.width[0], before.model.width[0])
    assert edit.prune(spec, staterror=0.005)[1] == ()
    assert edit.prune(spec, staterror=0.2)[1][0].size == pytest.approx(0.13)
