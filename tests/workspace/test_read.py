"""Import of workspaces: derivatives, pseudo-experiments, patches, and the errors of bad ones."""

import copy
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from verax.errors import InputError
from verax.infer import fit, goodness_of_fit, ranking
from verax.model import AbstractLikelihood, Data, code0, code1, code2, code4, code4p
from verax.model._poisson import bin_terms, partial_bin_terms
from verax.results import Status
from verax.workspace import from_pyhf, to_pyhf
from verax.workspace._schema import MODIFIERS, check_workspace, patched, read_json
from workspaces import EXAMPLES, MU, sample, workspace


@jax.jit
def both(model, theta, data):
    return model.derivatives(theta, data), AbstractLikelihood.derivatives(model, theta, data)


DIFFERENT = (
    "normfactor in one channel",
    "normsys and histosys",
    "shapefactor",
    "shapesys",
    "staterror of some samples",
    "staterror and shapesys",
    "everything",
)


@pytest.mark.thorough
@pytest.mark.parametrize("name", DIFFERENT)
def test_derivatives_by_hand_are_those_by_autodiff(name):
    model, data, _ = from_pyhf(EXAMPLES[name])
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        theta = jnp.asarray([p.init + rng.normal(0, 0.3) for p in model.parameters])
        own, auto = both(model, theta, data)
        np.testing.assert_allclose(own.nll, auto.nll, rtol=1e-12)
        np.testing.assert_allclose(own.gradient, auto.gradient, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(own.hessian, auto.hessian, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(own.hessian, own.hessian.T, rtol=1e-9, atol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize("normsys", [code1, code4])
@pytest.mark.parametrize("histosys", [code0, code2, code4p])
def test_derivatives_with_other_interpolations(normsys, histosys):
    model, data, _ = from_pyhf(EXAMPLES["normsys and histosys"], normsys=normsys, histosys=histosys)
    with jax.enable_x64(True):
        own, auto = both(model, jnp.asarray([1.2, 0.4, -1.7]), data)
        np.testing.assert_allclose(own.gradient, auto.gradient, rtol=1e-9)
        np.testing.assert_allclose(own.hessian, auto.hessian, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("code", [code0, code2, code4p])
def test_additive_codes_are_continuous_and_meet_the_templates(code):
    with jax.enable_x64(True):
        value, slope, _ = code(np.array([-1 - 1e-9, -1 + 1e-9, 1 - 1e-9, 1 + 1e-9, 0.0]))
        np.testing.assert_allclose(value, [1, 1, 1, 1, 0], atol=1e-7)
        np.testing.assert_allclose(slope[:2], slope[0], atol=1e-7)


@pytest.mark.thorough
def test_a_subset_of_all_processes_is_all_processes():
    rng = np.random.default_rng(1)
    rate, aux = rng.uniform(1, 50, 8), rng.normal(1, 0.1, 8)
    count, width = np.floor(rng.uniform(0, 60, 8)), np.array([0.0, 0.01, 0.1, 0.3] * 2)
    count[1] = 0
    with jax.enable_x64(True):
        whole = bin_terms(rate, count, aux, width, 1e-9 * rate)
        part = partial_bin_terms(rate, np.zeros(8), count, aux, width, np.zeros(8), 1e-9 * rate)
        whole, part = jax.tree.map(np.asarray, (whole, part))
    np.testing.assert_allclose(part[0], whole[0], rtol=1e-12)
    for k in (1, 2):
        np.testing.assert_allclose(part[k][0], whole[k], rtol=1e-9)
    assert (part[3][0] > 0).all()


@pytest.mark.thorough
def test_profiled_gamma_of_a_subset_is_the_best_one():
    """Against a fine grid in γ; with a negative rest the grid starts where the rate is positive."""
    rests = [(0.0, 12.0), (5.0, 30.0), (5.0, 0.0), (-3.0, 4.0), (-3.0, 0.0), (40.0, 2.0)]
    other, count, width, tau = np.array([(*r, *c) for c in [(0.2, 0.0), (0.0, 30.0)] for r in rests]).T
    scaled, aux = np.full(12, 20.0), np.where(tau > 0, tau * 1.1, 0.95)
    expected = []
    for t, n, w, k, a in zip(other, count, width, tau, aux, strict=True):
        gamma = np.linspace(max(0.0, -t / 20) + 1e-6, 4, 400_001)
        mean = gamma * 20 + t
        constraint = -stats.poisson.logpmf(a, k * gamma) if k else -stats.norm.logpdf(a, gamma, w)
        expected.append(np.min(mean - n * np.log(mean) + special.gammaln(n + 1) + constraint))
    with jax.enable_x64(True):
        value = partial_bin_terms(scaled, other, count, aux, width, tau, np.full(12, 1e-9))[0]
    np.testing.assert_allclose(value, expected, atol=2e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["shapesys", "staterror and shapesys", "lumi"])
def test_pseudo_experiments_scatter_as_the_model_says(name):
    model, _, _ = from_pyhf(EXAMPLES[name])
    n = 4000
    with jax.enable_x64(True):
        draws = jax.vmap(lambda key: model.sample(key, {}))(jax.random.split(jax.random.key(3), n))
        draws = Data(np.asarray(draws.counts), np.asarray(draws.auxiliary))
    asimov = model.asimov({})
    for drawn, mean in ((draws.counts, asimov.counts), (draws.auxiliary, asimov.auxiliary)):
        error = drawn.std(0) / np.sqrt(n)
        assert (abs(drawn.mean(0) - mean) <= 5 * error + 1e-9).all()
    spread = model.spread({}, asimov).auxiliary
    np.testing.assert_allclose(draws.auxiliary.std(0), spread, rtol=5 / np.sqrt(2 * n), atol=1e-12)


def test_frozen_errors_stay_where_they_are():
    model, data, _ = from_pyhf(EXAMPLES["staterror and shapesys"])
    gamma = model.profiled({}, data)
    frozen, same = model.freeze_profiled({}, data)
    np.testing.assert_allclose(frozen.profiled({"mu": 2.0}, same), gamma, rtol=1e-12)
    assert (frozen.expected({}, gamma) != frozen.expected({})).all()


@pytest.mark.thorough
def test_asimov_data_of_every_kind_are_fitted_back():
    """The free factors mu, k and f leave one direction undetermined, which the status says; with k known, all is found."""
    model, _, _ = from_pyhf(EXAMPLES["everything"])
    truth = {p.name: p.init for p in model.parameters} | {"mu": 1.4}
    data = model.asimov(truth)
    flat = fit(model, data)
    assert flat.status == Status.NOT_POSITIVE_DEFINITE
    assert float(flat.nll) == pytest.approx(-float(model.log_prob(truth, data)), rel=1e-12)
    best = fit(model, data, fixed={"k": 1.0})
    assert best.status == Status.OK
    assert best.params["mu"] == pytest.approx(1.4, abs=1e-3 * best.error[0])


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["staterror and shapesys", "staterror of some samples", "fixed"])
def test_no_model_is_better_than_the_saturated_one(name):
    """Asimov data, with γ moved, are its own expectation: nothing is left to gain."""
    model, data, _ = from_pyhf(EXAMPLES[name])
    gamma = np.where((model.width > 0) | (model.tau > 0), 1.1, 1.0)
    params = {p.name: p.init for p in model.parameters} | {"mu": 0.7}
    mean = model.asimov(params, gamma)
    assert float(model.saturated(mean)) == pytest.approx(-float(model.log_prob(params, mean)), rel=1e-12)
    assert float(model.saturated(data)) < float(fit(model, data).nll)


def test_a_fixed_parameter_stays_and_spoils_no_status():
    model, data, _ = from_pyhf(EXAMPLES["fixed"])
    best = fit(model, data)
    assert best.status == 0
    assert best.params["n"] == 0.5
    assert best.error[model.names.index("n")] == 0
    found = ranking(model, data, "mu")
    assert "n" not in found.names
    assert found.up[found.names.index("k")] != 0


def test_groups_can_be_given():
    model, _, _ = from_pyhf(EXAMPLES["lumi"], group={"lumi": "experiment/luminosity"})
    assert {p.name: p.group for p in model.parameters} == {"mu": "", "lumi": "experiment/luminosity"}
    with pytest.raises(InputError, match="did you mean 'lumi'"):
        from_pyhf(EXAMPLES["lumi"], group={"lumy": "x"})


def changed(path, value):
    """The example with normsys and histosys, changed at a path; a value of None removes the key."""
    spec = copy.deepcopy(EXAMPLES["normsys and histosys"])
    node = spec
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return spec


SAMPLE = ("channels", 0, "samples", 1)
MODIFIER = (*SAMPLE, "modifiers", 0)
WHERE = "channel 'a', sample 'b', modifier 'n' \\(histosys\\)"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("channels",), None, "workspace: got no 'channels'"),
        (("channels",), [], "an empty list"),
        (("version",), "2.0.0", "version"),
        (("chanels",), [], "did you mean 'channels'"),
        ((*SAMPLE, "data"), [50.0, float("nan")], "channel 'a', sample 'b', data, entry 1: got nan"),
        ((*SAMPLE, "data"), [50.0, "60"], "entry 1: got '60'"),
        ((*SAMPLE, "data"), [50.0], "channel 'a', sample 'b', data: got 1 numbers; expected 2"),
        ((*SAMPLE, "name"), "s", "sample 's': got twice"),
        ((*MODIFIER, "type"), "histosis", "channel 'a', sample 'b', modifier 'n': .* did you mean 'histosys'"),
        ((*MODIFIER, "data", "hi_data"), [1.0], f"{WHERE}, hi_data: got 1 numbers"),
        ((*MODIFIER, "data", "hi_data"), None, f"{WHERE}: got no 'hi_data'"),
        ((*MODIFIER, "data"), 3.0, f"{WHERE}: got 3.0"),
        (
            ("channels", 0, "samples", 0, "modifiers", 1, "data", "lo"),
            -0.1,
            "modifier 'n' \\(normsys\\), lo: got -0.1",
        ),
        (("channels", 0, "samples", 0, "modifiers", 0, "data"), [1.0], "modifier 'mu' \\(normfactor\\): got data"),
        (("channels", 0, "samples", 0, "modifiers", 0, "name"), "n", "modifier 'n' .*the name of a"),
        (("observations",), [{"name": "a", "data": [1, 2]}], "none for channel 'c'"),
        (("observations", 0, "name"), "aa", "did you mean 'a'"),
        (("observations", 0, "data"), [1.0], "observations of channel 'a': got 1 numbers"),
        (("observations", 0, "data"), [1.0, -2.0], "observations of channel 'a': got -2"),
        (("measurements", 0, "config", "poi"), "muu", "did you mean 'mu'"),
        (("measurements", 0, "config", "poi"), None, "got no 'poi'"),
        (("measurements", 0, "config", "parameters"), [{"name": "mu", "init": [1.0]}], "did you mean 'inits'"),
        (("measurements", 0, "config", "parameters"), [{"name": "mu", "inits": [1.0, 2.0]}], "'mu', inits: got 2"),
        (("measurements", 0, "config", "parameters"), [{"name": "mu", "auxdata": [1.0]}], "setting 'auxdata'"),
        (("measurements", 0, "config", "parameters"), [{"name": "n"}, {"name": "n"}], "parameter 'n': got twice"),
        (
            ("measurements", 0, "config", "parameters"),
            [{"name": "mu", "inits": [11.0]}],
            "parameter 'mu': got init 11",
        ),
        ((*SAMPLE, "data"), [-50.0, 60.0], "channel 'a', bin 0: got -45 expected events"),
    ],
)
def test_bad_workspaces(path, value, message):
    with pytest.raises(InputError, match=message) as caught:
        from_pyhf(changed(path, value))
    assert "\n" not in str(caught.value)


def test_lumi_without_width_is_constant():
    """As xml2json writes LumiRelErr = 0: bounds [1, 1]; with other bounds it is an error of the parameter, by name."""
    spec = copy.deepcopy(EXAMPLES["lumi"])
    setting = spec["measurements"][0]["config"]["parameters"][0]
    setting |= {"inits": [1.0], "auxdata": [1.0], "sigmas": [0.0], "bounds": [[1.0, 1.0]]}
    model, data, _ = from_pyhf(spec)
    found = {p.name: p for p in model.parameters}
    assert (found["lumi"].fixed, found["lumi"].constraint, data.auxiliary.size) == (True, None, 0)
    plain = copy.deepcopy(EXAMPLES["lumi"])
    for s in plain["channels"][0]["samples"]:
        s["modifiers"] = [m for m in s["modifiers"] if m["name"] != "lumi"]
    other = from_pyhf(plain | {"measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}]})
    assert float(model.log_prob({}, data)) == float(other.model.log_prob({}, other.data))
    setting["bounds"] = [[0.5, 1.5]]
    with pytest.raises(InputError, match="parameter 'lumi', sigmas: got 0; expected a width above 0; fix it"):
        from_pyhf(spec)


def test_many_patches_are_not_all_named():
    operations = [{"op": "replace", "path": "/observations/0/data", "value": [1.0, 2.0]}]
    patches = [{"metadata": {"name": f"C1N2_{i}_0", "values": [i]}, "patch": operations} for i in range(400)]
    with pytest.raises(InputError, match=r"got 400 patches; .*C1N2_9_0, and 390 more") as error:
        from_pyhf(EXAMPLES["normfactor"], patch={"metadata": {}, "patches": patches, "version": "1.0.0"})
    assert len(str(error.value)) < 300


def test_lumi_needs_its_settings():
    spec = copy.deepcopy(EXAMPLES["lumi"])
    spec["measurements"][0]["config"]["parameters"] = []
    with pytest.raises(InputError, match="parameter 'lumi': got no auxdata"):
        from_pyhf(spec)


@pytest.mark.parametrize("key", ["inits", "bounds", "auxdata", "sigmas"])
def test_lumi_needs_all_of_its_settings(key):
    """pyhf has no default for any of them."""
    spec = copy.deepcopy(EXAMPLES["lumi"])
    del spec["measurements"][0]["config"]["parameters"][0][key]
    with pytest.raises(InputError, match=f"parameter 'lumi': got no {key}"):
        from_pyhf(spec)


def test_names_that_may_not_be_shared():
    error = ("e", "shapesys", [1.0, 1.0])
    with pytest.raises(InputError, match=r"sample 'b', modifier 'e' \(shapesys\)"):
        from_pyhf(workspace({"a": [sample("s", [5.0, 6.0], MU, error), sample("b", [5.0, 6.0], error)]}))
    with pytest.raises(InputError, match=r"modifier 'mu' \(normfactor\): got twice"):
        from_pyhf(workspace({"a": [sample("s", [5.0, 6.0], MU, MU)]}))


def test_unknown_choices():
    with pytest.raises(InputError, match="did you mean 'm'"):
        from_pyhf(EXAMPLES["lumi"], measurement="mm")
    with pytest.raises(InputError, match="did you mean 'lumi'"):
        from_pyhf(EXAMPLES["lumi"], poi="lumy")
    with pytest.raises(InputError, match="errors of the simulation"):
        from_pyhf(EXAMPLES["staterror"], poi="st")


def test_errors_of_the_simulation_as_parameter_of_interest_of_the_workspace():
    """They are profiled: there is no interval of them, and all else can be asked."""
    spec = json.loads(json.dumps(EXAMPLES["staterror"]))
    spec["measurements"][0]["config"]["poi"] = "st"
    model, data, poi = from_pyhf(spec)
    assert poi is None
    assert fit(model, data).params == pytest.approx(fit(*from_pyhf(EXAMPLES["staterror"])[:2]).params, abs=1e-6)


def test_no_parameter_of_interest():
    spec = workspace({"a": [sample("s", [5.0, 6.0], MU)]}, poi="")
    assert from_pyhf(spec).poi is None
    assert from_pyhf(spec, poi="mu").poi == "mu"


def test_patches():
    spec = EXAMPLES["normfactor"]
    operations = [{"op": "replace", "path": "/channels/0/samples/0/data/0", "value": 7.0}]
    assert from_pyhf(spec, patch=operations).model.nominal[0, 0] == 7.0
    patchset = {
        "metadata": {"digests": {}},
        "patches": [{"metadata": {"name": f"p{i}", "values": [i]}, "patch": operations} for i in range(2)],
    }
    assert from_pyhf(spec, patch=patchset, patchname="p1").model.nominal[0, 0] == 7.0
    assert spec["channels"][0]["samples"][0]["data"][0] == 5.0
    for name, message in (("p11", "did you mean"), (None, "got 2 patches; expected the name of one; known: p0, p1")):
        with pytest.raises(InputError, match=message):
            patched(spec, patchset, name=name)
    twice = {**patchset, "patches": [*patchset["patches"], patchset["patches"][0]]}
    with pytest.raises(InputError, match="two patches 'p0'"):
        patched(spec, twice, name="p1")
    patchset["metadata"]["digests"]["sha256"] = "0" * 64
    with pytest.raises(InputError, match="another workspace"):
        patched(spec, patchset, name="p1")
    bad = ([{"op": "replace", "path": "/chanels/0", "value": 1}], [{"op": "replace"}], [3], [{"op": "x", "path": "/a"}])
    for operations in bad:
        with pytest.raises(InputError, match="operations that apply"):
            patched(spec, operations)


def test_files(tmp_path):
    text = json.dumps(EXAMPLES["normfactor"])
    (tmp_path / "whole.json").write_text(text)
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(text.encode())[:-20])
    (tmp_path / "empty.json").write_text("")
    packed = bytearray((tmp_path / "packed.json.gz").read_bytes())
    packed[40] ^= 0xFF
    (tmp_path / "flipped.json.gz").write_bytes(packed)
    assert from_pyhf(tmp_path / "whole.json").poi == from_pyhf(str(tmp_path / "packed.json.gz")).poi == "mu"
    for name, message in (
        ("cut.json", "cut short"),
        ("cut.json.gz", "readable"),
        ("flipped.json.gz", "readable"),
        ("empty.json", "an empty file"),
        ("/dev/zero", "a device; expected a file"),
        ("no", "No such"),
    ):
        with pytest.raises(InputError, match=message):
            read_json(tmp_path / name)


def test_standard_input_that_was_closed_is_said(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input: got none"):
        read_json("-")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"poi": "mu"', '"poi": "k", "poi": "mu"', "key 'poi' twice"),
        ('"data": [5.0, 6.0]', '"data": [5.0, 6.0], "data": [7.0, 6.0]', "key 'data' of 's' twice"),
        ('"measurements": [', '"measurements": [], "measurements": [', "key 'measurements' twice"),
        ("5.0", "1" * 5000, "a number of thousands of digits"),
        ("5.0", "1" * 400, "sample 's', data, entry 0: got 1111.*a finite number"),
        ("5.0", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("5.0", "1e308", r"sample 's', data, entry 0: .* 1e\+308; expected a finite number, up to 1e\+100"),
        ('"s"', '""', "channel 'a', sample, name: .*''; expected a name"),
        ('"k"', '" "', "modifier, name: .*' '; expected a name"),
        ('"k"', '"k\\u001b[31m"', r"modifier, name: .*x1b\[31m'; expected a name"),
        ('"s"', '"s\\ud800"', r"sample, name: .*ud800'; expected a name"),
    ],
)
def test_what_json_takes_in_silence_is_refused(old, new, message, tmp_path):
    text = json.dumps(EXAMPLES["normfactor"])
    assert old in text
    (tmp_path / "w.json").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        from_pyhf(tmp_path / "w.json")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("modifier", "line"),
    [
        (("st", "staterror", [1e80, 1.0]), "Gaussian constraint: .* width 1e.160"),
        (("e", "shapesys", [1e-200, 1.0]), "Poisson constraint: .* tau inf"),
    ],
)
def test_errors_beyond_all_numbers_are_one_line(modifier, line):
    spec = workspace({"a": [sample("s", [5.0, 6.0], MU), sample("b", [1e-80, 60.0], modifier)]})
    with pytest.raises(InputError, match=line):
        from_pyhf(spec)


def test_numbers_of_numpy_are_numbers():
    """As lists of an array's entries are in Python, with the same log L; its truth values are none."""
    spec = workspace({"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0])]})
    model, data, _ = from_pyhf(spec)
    spec["channels"][0]["samples"][1]["data"] = list(np.array([50.0, 60.0]))
    spec["observations"][0]["data"] = list(np.asarray(data.counts, np.int64))
    again, same, _ = from_pyhf(spec)
    assert again.log_prob({"mu": 2.0}, same) == model.log_prob({"mu": 2.0}, data)
    spec["observations"][0]["data"] = list(np.ones(2, bool))
    with pytest.raises(InputError, match="observations of channel 'a', entry 0"):
        from_pyhf(spec)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")
def test_whatever_the_schema_forbids_is_found():
    """Each node of an example is removed or replaced: where pyhf's schema objects, so do we."""
    import pyhf

    example = EXAMPLES["everything"]

    def paths(node, here=()):
        yield here
        for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            yield from paths(child, (*here, key))

    found = 0
    for path in list(paths(example))[1:]:
        for value in (None, "text", 3.5, [], {}):
            spec = copy.deepcopy(example)
            node = spec
            for key in path[:-1]:
                node = node[key]
            if value is None:
                del node[path[-1]]
            else:
                node[path[-1]] = value
            try:
                pyhf.schema.validate(spec, "workspace.json")
            except pyhf.exceptions.InvalidSpecification:
                found += 1
                with pytest.raises(InputError):
                    check_workspace(spec)
    assert found > 300
    assert len(MODIFIERS) == 7


def test_a_systematic_without_effect_keeps_its_constraint():
    spec = to_pyhf(*from_pyhf(EXAMPLES["normsys and histosys"])[:2], poi="mu")
    names = {m["name"] for c in spec["channels"] for s in c["samples"] for m in s["modifiers"]}
    assert names == {"mu", "n", "o"}


WIDE = {"name": "mu", "bounds": [[-10.0, 10.0]]}


def test_errors_of_negative_yields_count():
    """Interference: the relative error is that of the size of the sum. σ in closed form: √(n + errors²) / |s|."""
    negative = sample("s", [-50.0], MU, ("st", "staterror", [10.0]))
    spec = workspace({"c": [negative, sample("b", [500.0])]}, parameters=[WIDE], observations={"c": [450.0]})
    model, data, _ = from_pyhf(spec)
    assert float(fit(model, data).error[0]) == pytest.approx(np.sqrt(450 + 10**2) / 50, rel=1e-6)
    again = from_pyhf(to_pyhf(model, data, poi="mu"))
    assert again.model.parameters == model.parameters
    own = sample("n", [-20.0], ("e", "shapesys", [10.0]))
    spec = workspace({"c": [sample("s", [50.0], MU), sample("b", [500.0]), own]}, observations={"c": [530.0]})
    assert float(fit(*from_pyhf(spec)[:2]).error[0]) == pytest.approx(np.sqrt(530 + 10**2) / 50, rel=1e-6)


def test_an_error_relative_to_nothing_is_refused():
    first, second = (sample(n, [9.0, x], ("st", "staterror", [1.0, 3.0])) for n, x in (("n", -20.0), ("m", 20.0)))
    with pytest.raises(InputError, match=r"channel 'c', bin 1, 'st' .staterror.: got samples that cancel to 0 events"):
        from_pyhf(workspace({"c": [sample("s", [50.0, 50.0], MU), first, second]}))


def test_events_where_none_can_be_are_refused():
    """None expected whatever the parameters: impossible data, not a number of a floor. No events there are no news."""
    cells = [sample("s", [2.0, 0.0], MU), sample("b", [1.0, 0.0], ("n", "normsys", {"hi": 1.2, "lo": 0.7}))]
    model, data, _ = from_pyhf(workspace({"c": cells}, observations={"c": [3.0, 1.0]}))
    for ask in (fit, goodness_of_fit):
        with pytest.raises(InputError, match="channel 'c', bin 1: got 1 events; expected 0"):
            ask(model, data)
    assert fit(model, Data(np.array([3.0, 0.0]), data.auxiliary)).status == Status.OK
    cells[1]["modifiers"].append({"name": "n", "type": "histosys", "data": {"hi_data": [1, 1], "lo_data": [1, 0]}})
    shifted, data, _ = from_pyhf(workspace({"c": cells}, observations={"c": [3.0, 1.0]}))
    shifted.check(data)
