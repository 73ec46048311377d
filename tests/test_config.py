import pytest
import yaml

from verax import config
from verax.errors import InputError


def change(*settings):
    return config.load(None, settings)


def test_the_embedded_analysis_and_the_example_are_valid():
    assert config.load().name == "higgsml"
    example = config.parse(yaml.safe_load(config.embedded("example.yaml")), "example", None)
    assert example.blind
    assert {type(s).__name__ for s in example.systematics} >= {"VariedSamples", "FunctionEffect", "ColumnScale"}


def test_settings_change_keys():
    assert change("check.toys=5", "learn.members=2").check.toys == 5


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("check.tyos=5", r"check\.tyos.*unknown key 'tyos'.*did you mean 'toys'"),
        ("sed=3", "unknown key 'sed'.*did you mean 'seed'"),
        ("learn.members=many", r'learn\.members: seen "many"; expected'),
        ("learn.folds=1", r"learn\.folds: seen 1; expected"),
        ("systematics=[{name: jes, effect: jet_energy_scal, width: 0.1}]", "did you mean 'jet_energy_scale'"),
        ("systematics=[{name: jes, effect: jet_energy_scale, width: 0}]", r"width: seen 0; expected.*greater than 0"),
        ("systematics=[{name: jes, effect: jet_energy_scale, widht: 0.1}]", "did you mean 'width'"),
        ("systematics=[{name: mu, effect: normalisation, width: 0.1}]", "'mu' twice"),
        ("channels=[{name: a, edges: [0, 1, 0.5]}]", "increasing"),
        ("channels=[{name: a}, {name: a}]", "a name twice"),
        ("pseudo_experiment.truth={nu: 1}", r"parameter 'nu'.*known: tes"),
        ("summary.kind=function", "give summary.function"),
        ("summary.range=[1, 0]", "two increasing numbers"),
        ("dataset=null", "neither or both"),
        ("name=../up", "name"),
        ("check", "KEY=VALUE"),
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
        config.parse(content, "a.yaml", None)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [1", "valid YAML"), ("- 1", "a mapping of keys"), (None, "a readable analysis file")]
)
def test_files_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "analysis.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        config.load(path)
    assert str(path) in str(caught.value)


def test_the_schema_describes_every_section():
    schema = config.schema()
    assert {"samples", "systematics", "channels", "check"} <= set(schema["properties"])
    assert "fine_bins" in schema["$defs"]["Binning"]["properties"]
