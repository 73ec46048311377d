"""Systematics and normalisations of some channels, parameters that they share, and parts with parameters of their own."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from toy_analysis import write_analysis
from verax.analysis import load, plan
from verax.errors import InputError
from verax.events import make_events
from verax.model import BinnedLikelihood
from verax.pipeline import measure
from verax.systematics import normalisation, scale_columns, together
from verax.workspace import from_pyhf

FIRST = [
    {"name": "xs_top", "parameter": "xs", "effect": "normalisation", "width": 0.05, "processes": ["top"]},
    {"name": "xs_other", "parameter": "xs", "effect": "normalisation", "width": 0.1, "processes": ["other"]},
    {"name": "trigger", "effect": "normalisation", "width": 0.03, "channels": ["low"]},
    {
        "name": "tagging",
        "effect": "normalisation",
        "width": 0.2,
        "processes": ["top", "other"],
        "correlate": {"by": ["year", "process"], "coefficient": 0.64},
    },
]
WITHOUT_TRAINING = {
    "summary": {"kind": "column", "column": "x", "range": [-4, 4]},
    "learn": None,
    "tags": {"year": {2016: ["low"], 2017: ["high"]}},
    "normalisations": [{"name": "norm_top", "processes": ["top"], "channels": ["high"]}],
    "pseudo_experiment": {"truth": {"mu": 1.5, "tagging_2017_other": -0.5}},
    "check": {"toys": 0},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, without_figures):
    """The run folder of the toy analysis with these systematics."""
    folder = tmp_path_factory.mktemp("arranged")
    measure(load(write_analysis(folder, 500, **WITHOUT_TRAINING, systematics=FIRST)), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def likelihood(made) -> BinnedLikelihood:
    """As it was written for others."""
    return from_pyhf(made / "workspace.json").model


def changes(model: BinnedLikelihood, name: str, value: float = 1.0) -> dict[tuple[str, str], float]:
    """Factor on the yield of each process in each channel; those that stay are left out."""
    nominal, moved = model.expected_by_process({}), model.expected_by_process({name: value})
    found = {}
    for c, channel in enumerate(model.channels):
        bins = model.layout.channel == c
        for i, process in enumerate(model.processes):
            factor = moved[i, bins].sum() / nominal[i, bins].sum()
            if abs(factor - 1) > 1e-12:
                found[process, channel] = factor
    return found


def test_systematics_of_one_parameter_move_together(likelihood):
    assert changes(likelihood, "xs") == pytest.approx(
        {("top", "low"): 1.05, ("top", "high"): 1.05, ("other", "low"): 1.1, ("other", "high"): 1.1}
    )
    assert not {"xs_top", "xs_other"} & set(likelihood.names)


def test_a_systematic_and_a_normalisation_act_in_their_channels_only(likelihood):
    low = changes(likelihood, "trigger")
    assert low == pytest.approx({(p, "low"): 1.03 for p in ("signal", "top", "other")})
    assert changes(likelihood, "norm_top", 2.0) == pytest.approx({("top", "high"): 2.0})


def test_parts_share_what_their_coefficient_says(likelihood):
    names = [n for n in likelihood.names if n.startswith("tagging")]
    parts = [f"tagging_{year}_{process}" for year in (2016, 2017) for process in ("top", "other")]
    assert names == ["tagging", *parts]
    common = {(p, c): 1.2**0.8 for p in ("top", "other") for c in ("low", "high")}
    assert changes(likelihood, "tagging") == pytest.approx(common)
    assert changes(likelihood, "tagging_2017_other") == pytest.approx({("other", "high"): 1.2**0.6})


def test_the_report_says_what_moves_what(made):
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "xs: moves xs_top, xs_other" in page
    assert "trigger: acts in low only" in page
    assert "correlation of the parts 0.64" in page
    result = json.loads((made / "results.json").read_text())
    assert result["results"]["pseudo-experiment"]["truth"]["tagging_2017_other"] == -0.5


def test_effects_of_one_parameter_are_one_function_of_events():
    events = make_events(
        {"x": np.array([1.0, 2.0])}, process=np.array([0, 1]), number=np.arange(2), processes=("top", "other")
    )
    rate = normalisation(name="rate", width=0.1, processes=("top",))
    scale = scale_columns(name="scale", width=0.05, columns=("x",), processes=("other",))
    alone = normalisation(name="alone", width=0.5)
    both, other = together([rate, alone, scale], {"rate": "jes", "scale": "jes"})
    assert (both.name, other.name, both.changes) == ("jes", "alone", ("weight", "x"))
    moved = both(events, jnp.float32(1.0))
    np.testing.assert_allclose(moved.weight, [1.1, 1.0], rtol=1e-6)
    np.testing.assert_allclose(moved.column("x"), [1.0, 2.1], rtol=1e-6)


BAD = {
    "unknown channel": ({"channels": ["lwo"]}, "systematic 'xs_top': got channel 'lwo'.*'low'"),
    "unknown partition": ({"correlate": {"by": ["yaer"]}}, "correlate.by: got partition 'yaer'.*'year'"),
    "twice": ({"correlate": {"by": ["channel", "channel"]}}, "each once"),
    "a coefficient of one": ({"correlate": {"by": ["channel"], "coefficient": 1}}, "coefficient.*less than 1"),
    "nothing to go by": ({"correlate": {"by": []}}, "correlate.by"),
    "another's name": ({"parameter": "xs_other"}, "parameter 'xs_other', the name of a systematic"),
    "another group": ({"group": "theory"}, "one group for each parameter"),
    "a factor's name": ({"parameter": "mu"}, "'mu' twice"),
    "a part's name": ({"parameter": "tagging_2016_top"}, "one meaning for each name"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_what_is_not_understood_is_one_line(tmp_path, change, message):
    systematics = [{**FIRST[0], **change}, *FIRST[1:]]
    with pytest.raises(InputError, match=message) as caught:
        load(write_analysis(tmp_path, 20, **WITHOUT_TRAINING, systematics=systematics))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tags", {"year": {"a": ["low"], "b": ["low", "high"]}}, "'low' twice"),
        ("tags", {"year": {"a": ["low"]}}, "tag 'year': got process 'top' in channel 'high' in none of its parts"),
        ("tags", {"year": {"a": ["lo"]}}, "tags.year: got channel or process 'lo'"),
        ("tags", {"channel": {"a": ["low"]}}, "rename the tag"),
        ("normalisations", [{"name": "n", "processes": ["top"], "channels": ["lwo"]}], "normalisation 'n'.*'low'"),
        (
            "normalisations",
            [{"name": n, "processes": ["top"], "channels": ["low"]} for n in ("a", "b")],
            "normalisation 'b'.*told apart",
        ),
    ],
)
def test_so_is_what_other_sections_say(tmp_path, key, value, message):
    with pytest.raises(InputError, match=message):
        load(write_analysis(tmp_path, 20, **WITHOUT_TRAINING | {key: value}, systematics=FIRST))


def test_one_process_may_have_a_normalisation_in_each_channel(tmp_path):
    factors = [{"name": f"top_{c}", "processes": ["top"], "channels": [c]} for c in ("low", "high")]
    found = plan(
        load(write_analysis(tmp_path, 20, **WITHOUT_TRAINING | {"normalisations": factors}, systematics=FIRST))
    )
    assert [f.channels for f in found.modelling.factors] == [None, ["low"], ["high"]]
