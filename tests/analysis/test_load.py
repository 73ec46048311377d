import pytest
import yaml

from mutations import limited, one_line
from toy_analysis import write_analysis
from verax.analysis import embedded, load, parse, plan, schema, written
from verax.analysis._recomputed import check_recomputed
from verax.analysis._systematics import sources_of
from verax.errors import InputError


def change(*settings):
    return load(None, settings)


def test_the_embedded_analysis_and_the_example_are_valid():
    assert load().name == "higgsml"
    example = parse(yaml.safe_load(embedded("example.yaml")), "example", None)
    assert example.blind
    assert {type(s).__name__ for s in example.systematics} >= {"VariedSamples", "FunctionEffect", "ColumnScale"}


def test_settings_change_keys():
    assert change("check.toys=5", "learn.members=2").check.toys == 5


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("samples=[{process: a, files: [b], wieght: c}]", "unknown key 'wieght'.*did you mean 'weight'"),
        ("check.tyos=5", r"check\.tyos.*unknown key 'tyos'.*did you mean 'toys'"),
        ("sed=3", "unknown key 'sed'.*did you mean 'seed'"),
        ("learn.members=many", r'learn\.members: got "many"; expected'),
        ("learn.folds=1", r"learn\.folds: got 1; expected"),
        (
            "learn.epistemic=dropot",
            r"learn: got epistemic 'dropot'; expected a known epistemic; did you mean 'dropout'",
        ),
        ("learn.epistemic=[hmc]", r"learn: got epistemic '\['hmc'\]'"),
        (
            "learn={epistemic: dropout, raet: 0.2}",
            r"learn\.raet: got unknown key 'raet'.*with epistemic: dropout; did you mean 'rate'",
        ),
        ("learn={rate: 0.2}", r"learn\.rate: got unknown key 'rate'; expected a known key; with epistemic: bootstrap"),
        ("learn={epistemic: hmc, epochs: 5}", r"learn\.epochs: got unknown key 'epochs'; .*with epistemic: hmc"),
        ("learn={epistemic: variational, patience: 5}", r"learn\.patience: got unknown key 'patience'"),
        ("learn={epistemic: dropout, rate: 1}", r"learn\.rate: got 1; expected.*less than 1"),
        ("learn={epistemic: laplace, precision: 0}", r"learn\.precision: got 0; expected.*greater than 0"),
        (
            "learn={epistemic: hmc, chains: 2, draws: 10}",
            r"learn\.members: got 50, of 2 chains with 10 draws; expected no more",
        ),
        ("learn={epistemic: dropout, approach: augment}", r"learn\.approach.*'propagate'; with epistemic: dropout"),
        ("learn={epistemic: dropout, bins: 5}", r"learn\.bins: got 5 with .*approach: inferno, with epis"),
        ("learn={strength: 2}", r"learn\.strength: got 2.* with approach 'propagate'; expected approach: adversarial;"),
        ("learn={approach: augment, temperature: 2}", r"learn\.temperature: got 2.*; expected approach: inferno"),
        ("learn.systematics=[tes]", r"learn\.systematics: got .* with approach 'propagate'"),
        ("summary.column=x", r"summary\.column: got 'x' with kind: classifier; expected kind: column"),
        ("learn={head: noisy_logits, approach: augment}", r"learn\.head: got 'noisy_logits' with approach 'augment'"),
        ("learn={head: noisy_logits, epistemic: laplace}", r"learn\.head.*'classifier'; with epistemic: laplace"),
        ("learn={head: regression}", r"learn\.head: got \"regression\"; expected.*'classifier'"),
        ("systematics=[{name: jes, effect: jet_energy_scal, width: 0.1}]", "did you mean 'jet_energy_scale'"),
        ("systematics=[{name: jes, effect: jet_energy_scale, width: 0}]", r"width: got 0; expected.*greater than 0"),
        ("systematics=[{name: jes, effect: jet_energy_scale, widht: 0.1}]", "did you mean 'width'"),
        ("systematics=[{name: mu, effect: normalisation, width: 0.1}]", "'mu' twice"),
        ("channels=[{name: a, edges: [0, 1, 0.5]}]", "increasing"),
        ("channels=[{name: a}, {name: a}]", "a name twice"),
        ("pseudo_experiment.truth={nu: 1}", r"parameter 'nu'.*known: tes"),
        ("summary.kind=function", "give summary.function"),
        ("summary.folds=3", r"summary\.folds: got '3' with kind: classifier; expected kind: function; or leave it out"),
        ("summary={kind: function, function: 'a:b', folds: 1}", r"folds: got 1; expected a number of at least 2$"),
        ("summary={kind: function, function: 'a:b', folds: many}", r"folds: got \"many\"; expected a whole number$"),
        ("summary={kind: function, function: 'a:b', fold: 3}", r"unknown key 'fold'.*did you mean 'folds'"),
        ("summary.range=[1, 0]", "two increasing numbers"),
        ("learn.head=classifer", r"learn\.head: got \"classifer\"; expected 'classifier' or 'noisy_logits'; with"),
        ("learn.members=3.5", r"learn\.members: got 3\.5; expected a whole number; with epistemic: bootstrap"),
        ("check.toys=-1", r"check\.toys: got -1; expected a number of at least 0$"),
        ("seed=true", "seed: got true; expected a number$"),
        ("blind=maybe", 'blind: got "maybe"; expected true or false$'),
        ("features=[]", r"features: got \[\]; expected 1 or more of them$"),
        ("check.truths=[a]", r"check\.truths\.0: got \"a\"; expected a number$"),
        ("samples=3", "samples: got 3; expected a list$"),
        ("poi=3", "poi: got 3; expected keys with values$"),
        ("summary.function=3", r"summary\.function: got 3; expected text or a function$"),
        ("pseudo_experiment.truth={mu: .nan}", r"truth\.mu: got NaN; expected a finite number$"),
        ("systematics=[{name: lumi, effect: normalisation}]", r"systematics\.0\.width: got nothing; expected a value"),
        ("dataset=null", "neither or both"),
        ("name=../up", "name"),
        ("summary={kind: column, column: DER_mass_vis}", "'DER_mass_vis' without a range"),
        ("channels=[{name: a, edges: [0, 0.5, 2]}]", r"channels\.a\.edges: got 0 … 2; expected.*0 … 1"),
        ("channels=[{name: a, edges: [-1, 0.5]}]", "got -1 … 0.5"),
        ("channels=[]", r"channels: got \[\]"),
        ("derived={a: a + 1}", r"derived\.a: got 'a \+ 1', made of itself"),
        ("derived={a: b + 1, b: DER_mass_vis}", "'b', which is derived below it.*move 'b' above"),
        ("derived={a: DER_mass_vis +}", "an expression over columns"),
        ("systematics=[{name: s, effect: normalisation, width: 0.1, processes: []}]", "processes: got \\[\\]"),
        ("systematics=[{name: s, effect: normalisation, width: true}]", "width: got true"),
        ("seed=true", "seed: got true"),
        ("seed=18446744073709551616", "seed: got 18446744073709551616"),
        (
            "seed=4294967296",
            "seed: got 4294967296; expected a number of at most 4294967295$",
        ),  # JAX would take it for 0
        ("seed=-1", "seed: got -1; expected a number of at least 0$"),
        ("binning.fine_bins=1000000000", "fine_bins: got 1000000000; expected a number of at most 100000$"),
        ("binning.max_bins=1000000000", "max_bins: got 1000000000; expected a number of at most 10000$"),
        ("infer.scan_points=1000000000", "scan_points: got 1000000000; expected a number of at most 10000$"),
        ("learn.width=1000000000", "width: got 1000000000; expected a number of at most 10000; with"),
        ("learn.members=1000000000", "members: got 1000000000; expected a number of at most 10000; with"),
        ("learn.depth=101", "depth: got 101; expected a number of at most 100; with"),
        ("check.toys=10000000000", r"check\.toys: got 10000000000; expected a number of at most 1000000000$"),
        ("title=!!int x", "--set: got 'x'; expected a value of YAML's type int; text stands in quotes"),
        ("title=2026-13-45", "--set: got '2026-13-45'; expected a value of YAML's type timestamp"),
        ("seed=" + "1" * 5000, "--set: got '1111.* … 1.*; expected a value of YAML's type int"),
        ('title="\\x1b[31m"', r"--set: got '.x1b\[31m'; expected text without control characters"),
        ("check.toys=true", "toys: got true"),
        ("learn.folds=true", "folds: got true"),
        ("infer.level=true", "level: got true"),
        ("check.truths=[true]", "truths.0: got true"),
        ("pseudo_experiment.truth={mu: true}", r"truth\.mu: got true"),
        ("poi.bounds=[false, 20]", "bounds.0: got false"),
        ("summary.range=[false, true]", "range.0: got false"),
        ("normalisations=[{name: n, processes: [htautau]}]", "'n': got processes htautau.*told apart"),
        (
            "normalisations=[{name: a, processes: [htautau, ttbar]}, {name: b, processes: [ttbar]}]",
            "normalisation 'b'.*told apart",
        ),
        ("report.process_labels={httautau: H}", "process 'httautau'.*did you mean 'htautau'"),
        ("seed=[1", "--set: got 'seed=.1'; expected a value in YAML"),
        ("learn={folds: 2, folds: 3}", "key 'folds' in line 1 and again in line 1"),
        ("check", "KEY=VALUE"),
        ("channels=[{name: ''}]", "channels.0.name: .*at least 1 character"),
        ("poi={name: '', processes: [htautau]}", "poi.name: .*at least 1 character"),
        ("report.luminosity='$\\bad{$'", r"report\.luminosity: got .*bad.*a formula of mathtext"),
        ("report.process_labels={ttbar: '$t^$'}", r"report\.process_labels\.ttbar: got .*a formula of mathtext"),
        ("summary.label='$x_$'", r"summary\.label: got .*a formula of mathtext"),
    ],
)
def test_a_wrong_key_or_value_is_one_line(setting, message):
    with pytest.raises(InputError, match=message) as caught:
        change(setting)
    assert "\n" not in str(caught.value)
    assert "embedded analysis" in str(caught.value) or "--set" in str(caught.value)


def test_unknown_processes_name_the_nearest():
    content = {
        "name": "a",
        "title": "a",
        "samples": [{"process": "signal", "files": ["s.csv"]}, {"process": "top", "files": ["t.csv"]}],
        "poi": {"name": "mu", "processes": ["signl"]},
        "features": ["x"],
    }
    with pytest.raises(InputError, match=r"process .signl.*did you mean .signal."):
        parse(content, "a.yaml", None)


def test_keys_once(tmp_path):
    path = tmp_path / "analysis.yaml"
    text = embedded("higgsml.yaml")
    path.write_text(text + "\nlearn:\n  folds: 3\n  members: 2\n  folds: 4\n")
    with pytest.raises(
        InputError, match=r"analysis\.yaml: line \d+: got key 'folds' in line \d+ and again in line \d+"
    ):
        load(path)
    path.write_text(text + "\nlearn: {folds: 3}\n\nseed: 3\n")
    with pytest.raises(InputError, match="key 'seed' in line 6 and again in line"):
        load(path)
    path.write_text(text + "\nlearn: &a {folds: 3, members: 2}\ninfer: {}\n")
    assert load(path).learn.folds == 3


BOMB = ", ".join(
    ["&a0 [x, x, x, x, x, x, x, x, x]", *(f"&a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))]
)
BOUNDS = {
    "aliases of aliases": (
        f"seed: [{BOMB}]",
        "line 1: got 597871 values, aliases written out",
    ),
    "where it is text": (f"notes: [{BOMB}]", "aliases written out"),
    "itself": ("seed: &s [*s]", "line 1: got an alias of what it is a part of"),
    "itself below a key": ("derived: &d\n  me: {you: *d}", "line 2: got an alias of what it is a part of"),
    "deep lists": ("seed: " + "[" * 20_000 + "]" * 20_000, "line 1: got more than 50 levels"),
    "deep keys": ("seed: " + "{a: " * 200 + "1" + "}" * 200, "line 1: got more than 50 levels"),
}


@pytest.mark.parametrize(("text", "message"), BOUNDS.values(), ids=BOUNDS)
def test_what_a_file_holds_has_bounds(text, message, tmp_path):
    path = tmp_path / "analysis.yaml"
    path.write_text(text)
    with limited(30.0), pytest.raises(InputError, match=message) as caught:
        load(path)
    one_line(caught.value)
    with pytest.raises(InputError, match="a device; expected a file"):
        load("/dev/zero")


def test_a_merged_key_may_be_given_again(tmp_path):
    path = tmp_path / "analysis.yaml"
    path.write_text(
        embedded("example.yaml").replace(
            "learn: {folds: 3, members: 5}", "learn: {<<: &small {folds: 4, members: 2}, members: 3}"
        )
    )
    learn = load(path).learn
    assert (learn.folds, learn.members) == (4, 3)


def test_edges_stand_for_a_range():
    assert change("summary={kind: column, column: DER_mass_vis}", "channels=[{name: a, edges: [0, 80, 200]}]")
    assert change("summary={kind: column, column: DER_mass_vis, range: [0, 200]}")


def test_the_word_of_the_example_is_no_contradiction():
    example = parse(yaml.safe_load(embedded("example.yaml")), "example", None)
    sources = sources_of(example)
    check_recomputed(example, sources)
    moved = {c for _, s in sources.acting.values() for c in s.changes}
    assert moved & set(example.features)


UNAFFECTED = {
    "one that it changes": ("{scale: [x, y], smear: [x, y]}", "'y', which systematic 'smear' changes"),
    "a list that a systematic contradicts": ("[x, y]", "'y', which systematic 'smear' changes.*for each systematic"),
    "not of this systematic": ("{smear: [x]}", "feature 'x'.*systematic 'scale' changes pt.*scale: \\[x\\]"),
    "not of any": ("{}", "feature 'x'.*'scale'"),
}


@pytest.mark.parametrize(("word", "message"), UNAFFECTED.values(), ids=UNAFFECTED)
def test_a_word_holds_for_each_systematic(tmp_path, word, message):
    path = write_analysis(tmp_path, 20)
    plan(load(path))
    with pytest.raises(InputError, match=message):
        plan(load(path, [f"unaffected={word}"]))


def test_a_change_that_a_formula_undoes_is_refused(tmp_path):
    scale = (
        "{name: s, effect: scale, columns: [log_pt], width: 0.1}, {name: pt, effect: scale, columns: [pt], width: 0.1}"
    )
    path = write_analysis(tmp_path, 20, unaffected=["x", "y"])
    with pytest.raises(InputError, match="systematic 's': got a change of 'log_pt', which is computed again"):
        plan(load(path, [f"systematics=[{scale}]"]))


@pytest.mark.parametrize(
    ("text", "message"), [("a: [1", "valid YAML"), ("- 1", "a mapping of keys"), (None, "a readable analysis file")]
)
def test_files_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "analysis.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_the_schema_describes_every_section():
    found = schema()
    assert {"samples", "systematics", "channels", "check"} <= set(found["properties"])
    assert "fine_bins" in found["$defs"]["Binning"]["properties"]


def test_varied_samples_of_an_unknown_process_are_refused(tmp_path):
    spec = yaml.safe_load(embedded("example.yaml"))
    varied = next(s for s in spec["systematics"] if s["effect"] == "samples")
    varied["up"][0]["process"] += "x"
    with pytest.raises(InputError, match=r"varied samples: got process '.*x'; expected a known process.*did you mean"):
        parse(spec, "example", None)


def score_of_mine(x):
    return x[:, 0]


def test_an_analysis_is_written_as_a_file_that_says_the_same(tmp_path):
    """Settings are in it; functions given in Python are named."""
    for given in (load(None, ["learn={epistemic: dropout, rate: 0.25}", "check.toys=7"]), function_analysis(tmp_path)):
        (tmp_path / "again.yaml").write_text(written(given))
        again = load(tmp_path / "again.yaml")
        assert written(again) == written(given)
        assert again.learn == given.learn
        assert again.check == given.check
    assert again.summary.function == f"{__name__}:score_of_mine"
    assert again.samples[0].files == [f"{tmp_path}/mc/s_*.csv"]
    assert "range" not in again.summary.model_fields_set


def function_analysis(base):
    """Of a function given in Python, whose bins lie beyond the range of scores."""
    return parse(
        {
            "name": "mine",
            "title": "Mine",
            "samples": [{"process": "s", "files": ["mc/s_*.csv"]}, {"process": "b", "files": ["/mc/b.csv"]}],
            "poi": {"name": "mu", "processes": ["s"]},
            "features": ["x"],
            "channels": [{"name": "all", "edges": [-5, 0, 5]}],
            "summary": {"kind": "function", "function": score_of_mine},
        },
        "here",
        base,
    )


@pytest.mark.parametrize("learn", ["epistemic: laplace", "approach: adversarial"])
def test_the_known_keys_are_those_that_are_accepted(learn):
    with pytest.raises(InputError) as caught:
        change(f"learn={{{learn}, foo: 1}}")
    known = str(caught.value).rpartition("known: ")[2].split(", ")
    assert ("strength" in known) == (learn == "approach: adversarial")
    assert not {"per", "at", "bins", "temperature"} & set(known)


def test_a_file_that_is_not_there_is_said_in_words():
    with pytest.raises(
        InputError, match=r"^nofile\.yaml: got no such file or directory; expected a readable analysis file"
    ):
        load("nofile.yaml")
