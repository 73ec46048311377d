"""A change of any key of the analysis redoes exactly the stages that read it.

Keys and other values for them are made from the schema. What a stage reads is recorded while it works on small analyses:
every field of its arguments that it looks at. What a key changes is seen by comparing the arguments before and after.
Stages that read what changed, and those that are given their results, must be the ones that a run redoes, and that it is
foreseen to redo.
"""

import gzip
import itertools
import shutil
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import jax
import numpy as np
import pytest
import uproot
import yaml
from pydantic import BaseModel

from onnx_files import plain, use_stand_in
from toy_analysis import write_analysis
from verax import analysis as face
from verax.analysis import Analysis, parse, plan
from verax.data import higgsml
from verax.errors import InputError
from verax.pipeline import _measure as _measure
from verax.pipeline import foresee, measure
from verax.pipeline._check import Checked
from verax.pipeline._learn import Learned
from verax.pipeline._simulate import Table
from verax.run import Progress

STAGES = ("simulate", "learn", "summarise", "model", "infer", "check", "report")
UNREAD = {
    "chunk": "results do not depend on it (test_chunks_and_a_fresh_folder_do_not_change_a_bit)",
    "unaffected": "the analyst's word, which is checked before any stage (test_load.py)",
}

# ------------------------------------------------------------------------------------------------- keys of the schema


def inner(annotation: Any) -> list[Any]:
    """The types that a value may have, without None."""
    if get_origin(annotation) is Annotated:
        return inner(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [t for a in get_args(annotation) for t in inner(a) if t is not NoneType]
    return [annotation]


def keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key below a section; an element of a list is "*", one of systematics with its effect."""
    found = []
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        for kind in inner(field.annotation):
            if get_origin(kind) is list:
                for part in inner(get_args(kind)[0]):
                    if isinstance(part, type) and issubclass(part, BaseModel):
                        effect = getattr(part.model_fields.get("effect"), "annotation", None)
                        found += keys(part, (*path, name, f"* {get_args(effect)[0]}" if effect else "*"))
                    else:
                        found.append((*path, name))
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                found += keys(kind, (*path, name))
            elif get_origin(kind) is not Literal or (len(get_args(kind)) > 1 and kind is inner(field.annotation)[0]):
                found.append((*path, name))
    return list(dict.fromkeys(found))


def annotation_of(path: tuple[str, ...]) -> Any:
    """What the schema says of a key."""
    kinds: list[Any] = [Analysis]
    for name in path:
        if name.startswith("*"):
            kinds = [t for k in kinds if get_origin(k) is list for t in inner(get_args(k)[0])]
            if name != "*":
                kinds = [k for k in kinds if name[2:] in get_args(k.model_fields["effect"].annotation)]
        else:
            models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
            kinds = inner(next(k.model_fields[name].annotation for k in models if name in k.model_fields))
    return kinds


KEYS = {".".join(path): path for path in keys(Analysis)}


def places(content: Any, path: tuple[str, ...]) -> list[Any]:
    """The sections of an analysis in which a key stands."""
    if len(path) == 1:
        return [content] if isinstance(content, dict) and path[0] in content else []
    head, rest = path[0], path[1:]
    if not head.startswith("*"):
        return places(content[head], rest) if isinstance(content, dict) and content.get(head) is not None else []
    if not isinstance(content, list):
        return []
    effect = head[2:]
    return [p for item in content if not effect or item["effect"] == effect for p in places(item, rest)]


APPROACHES = ("augment", "adversarial", "inferno")
"""Whose own options no other approach takes."""

WITH: dict[str, dict[str, Any]] = {
    "summary.kind": {"column": "x", "range": [-5.0, 5.0]},
    "poi.group": {"width": 0.5},
    "normalisations.*.group": {"width": 0.5},
}
"""Keys that must change together with another."""

ELSEWHERE: dict[str, dict[str, Any]] = {"systematics.* histograms.name": {"histograms.*.varied": {"jes_2": ["signal"]}}}
"""Keys that must change together with one of another section."""

OTHER: dict[str, Any] = {
    "summary.kind": "column",
    "observed.files": ["more_data.parquet"] * 2,
    "observed.friends.*.files": ["more_data.parquet"] * 2,
    "samples.*.friends.*.files": ["other_up.csv"],
    "samples.*.files": ["top.parquet"],
    "systematics.* samples.up.*.files": ["other.csv"] * 2,
    "systematics.* samples.down.*.files": ["other.csv"] * 2,
    "systematics.* samples.up.*.friends.*.files": ["other.csv"] * 2,
    "systematics.* samples.down.*.friends.*.files": ["other.csv"] * 2,
    "dataset.name": "fair_universe",
    "dataset.file": "other.csv.gz",
    "summary.function": "other.py:score",
    "systematics.* function.function": "other.py:smear",
    "summary.model": "b.onnx",
    "summary.output": "probabilities[0]",
    "summary.range": [0.1, 0.9],
    "templates.symmetrise": {"shape": "average"},
    "inputs": ["more.txt"],
    "summary.column": "y",
    "histograms.*.varied": {"jes": ["top"]},
    **{
        f"systematics.* {effect}.weights": ["w", "w * 2", "w + 1", "w + 2"]
        for effect in ("envelope", "hessian", "replicas")
    },
    **{
        f"{samples}.sum_of_weights.{key}": other
        for samples in ("samples.*", "systematics.* samples.up.*", "systematics.* samples.down.*")
        for key, other in {"files": ["other_up.csv"], "histogram": "h", "bin": 2, "metadata": "other"}.items()
    },
    "report.process_labels": {"mu": "μ"},
    "channels.*.blind": True,
    "histograms.*.blind": True,
    "figures.*.variable": "y",
    "figures.*.channels": ["high"],
    "rates": {"other": "norm_top"},
    "infer.further": ["norm_top"],
    "tags": {"year": {"2018": ["low"], "2017": ["high"]}},
    **{key: ["process"] for key in KEYS if key.endswith("correlate.by")},
}
PROCESSES = ("signal", "top", "other", "htautau", "ttbar", "ztautau")


def others(key: str, value: Any) -> list[Any]:
    """Candidates for another value, from the key's type and the value that it has; the first that is valid counts."""
    found = [OTHER[key]] if key in OTHER else []
    for kind in annotation_of(KEYS[key]):
        if get_origin(kind) is Literal:
            found += [c for c in get_args(kind) if c != value]
    match value:
        case bool():
            found.append(not value)
        case int():
            found.append(value + 1)
        case float():
            found += [value * 0.9, value + 0.1]
        case str():
            found += [f"{value}_2", f"({value}) * 1", f"({value}) & (pt > 1)", *PROCESSES]
        case [*items]:
            found += [items[:-1], [*items, *items[:1]], [*items, "x"], items[:1], *([p] for p in PROCESSES)]
            found += [[v * 0.9 for v in items]] if items and isinstance(items[0], float) else []
        case dict():
            found += [{k: v * 0.9 if isinstance(v, float) else f"({v}) * 1" for k, v in value.items()}, {}]
        case None:
            found += ["x", 0.5, ["top"], ["low"], ["all"], [0.0, 0.5, 1.0]]
    return [v for v in found if v != value]


# ------------------------------------------------------------------------------------- what stages are given, and read


def is_part(value: Any) -> bool:
    """A part of the plan, or a section of the analysis."""
    return type(value).__module__.startswith(face.__name__)


def names_of(value: Any) -> list[str]:
    """Fields of a part."""
    return list(type(value).model_fields) if isinstance(value, BaseModel) else [f.name for f in fields(value)]


def inside(value: Any) -> list[Any]:
    """Parts in a field's value."""
    if is_part(value):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [part for item in items for part in inside(item)]


def content(value: Any) -> Any:
    """A value as something that equals only what is the same."""
    if isinstance(value, jax.Array):
        return jax.random.key_data(value).tolist()
    if isinstance(value, Mapping):
        return [(k, content(v)) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return [content(v) for v in value]
    if is_dataclass(value) or isinstance(value, BaseModel):
        return [type(value), *((n, content(getattr(value, n))) for n in names_of(value))]
    return value


def outline(value: Any) -> Any:
    """The content of a field, its parts left out."""
    if is_part(value):
        return "part"
    if inside(value):
        return [outline(v) for v in (value.values() if isinstance(value, Mapping) else value)]
    return content(value)


def flat(value: Any, path: str, found: dict[str, list[Any]], seen: dict[int, str] | None = None) -> None:
    """The content of each field of the parts in ``value``, by path, and the path of each part by its identity."""
    found.setdefault(path, []).append(outline(value))
    for part in inside(value):
        if seen is not None:
            seen[id(part)] = path
        for name in names_of(part):
            flat(getattr(part, name), f"{path}.{name}", found, seen)


class Seen(_measure.Run):
    """A run that keeps what each stage is given, results of earlier ones by their stages."""

    last: "Seen"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        Seen.last, self.given, self.parts = self, {}, {}

    def __call__(self, name: str, function: Any, *arguments: Any, of: Any = None) -> Any:
        stages = {id(result): stage for stage, result in self.results.items()}
        found, self.parts[name] = dict[str, list[Any]](), dict[int, str]()
        for i, argument in enumerate(arguments):
            if id(argument) not in stages:
                flat(argument, f"{i}", found, self.parts[name])
        earlier = {stages[id(a)] for a in arguments if id(a) in stages} if of is None else set()
        self.given[name] = found, earlier
        return super().__call__(name, function, *arguments, of=of)


class Worked(Progress):
    def __init__(self) -> None:
        self.stages: set[str] = set()

    def stage(self, name: str, *, reused: bool) -> None:
        self.stages |= set() if reused else {name}


def stand_in(name: str) -> Any:
    """A stage that does nothing."""

    def simulate(run, folder, reading):
        files = ["nominal.parquet", *(side.file for side in reading.varied)]
        return Table((), None, 0, 0, contents=dict.fromkeys(files, ""))

    results = {"learn": Learned(), "infer": (), "check": Checked({}), "report": None}
    return simulate if name == "simulate" else lambda *_: results.get(name, f"result of {name}")


# --------------------------------------------------------------------------------------------------------- analyses


def scaled(folder, rich) -> dict[str, Any]:
    """An analysis whose samples have cross-sections, and sums of weights in every place that may say them."""
    with uproot.recreate(folder / "sums.root") as file:
        file["flow"] = np.array([50.0, 40.0]), np.array([0.0, 1.0, 2.0])
        file["sumw"] = "50.0"
        file["other"] = "60.0"
    sums = [200.0, {"column": "w"}, {"histogram": "flow", "bin": 1}, {"metadata": "sumw"}]
    scale = {"cross_section": 0.1, "k_factor": 1.1, "filter_efficiency": 0.5, "lumi": 20.0}

    def parts(**sample: Any) -> list[dict[str, Any]]:
        some = [
            s if isinstance(s, float) else {"files": ["other.csv" if "column" in s else "sums.root"], **s} for s in sums
        ]
        return [{**sample, **scale, "allow_duplicates": True, "sum_of_weights": s} for s in some]

    side = parts(process="other", files=["other_up.csv"])
    top = parts(process="top", files=["top.parquet"])
    first = {"process": "signal", "files": ["signal.root"], **scale, "lumi": None, "sum_of_weights": 100.0}
    weights = {
        "weights": ["1 + 0.1 * w", "1 - 0.1 * w", "1 + 0.2 * w", "1 - 0.2 * w"],
        "nominal": "w",
        "processes": ["other"],
        "correlate": {"by": ["channel"], "coefficient": 0.5},
    }
    sets = {"envelope": {}, "hessian": {}, "replicas": {}}
    systematics = [{"name": k, "effect": k, **weights, **more} for k, more in sets.items()]
    systematics += [*rich["systematics"][:3], {**rich["systematics"][3], "up": side, "down": deepcopy(side)}]
    samples = [first, *top, rich["samples"][2]]
    summary = {"kind": "column", "column": "x", "range": [-5.0, 5.0]}
    kept = {"templates": {}, "unaffected": {"scale": ["x", "y"]}, "summary": summary}
    return {"lumi": 10.0, "samples": samples, "systematics": systematics, **kept}


def stored(folder, rich) -> dict[str, Any]:
    """An analysis of histograms alone."""
    with uproot.recreate(folder / "h.root") as file:
        for name in ("signal", "top", "data", "signal_jesUp", "signal_jesDown"):
            for channel in ("SR", "CR"):
                file[f"{channel}/{name}"] = np.array([5.0, 9.0]), np.array([0.0, 1.0, 2.0])
    sides = {side.lower(): f"h.root:SR/{{process}}_{{systematic}}{side}" for side in ("Up", "Down")}
    region = {"name": "SR", "processes": ["signal", "top"], "nominal": "h.root:SR/{process}", "label": "region"}
    region |= {"observed": "h.root:SR/data", "varied": {"jes": ["signal"]}, **sides, "blind": False}
    control = {"name": "CR", "processes": ["signal"], "nominal": "h.root:CR/{process}", "observed": "h.root:CR/data"}
    own = {"parameter": "jes_all", "channels": ["SR"], "correlate": {"by": ["channel"], "coefficient": 0.5}}
    systematics = [
        {"name": "jes", "effect": "histograms", **own},
        {"name": "lumi", "effect": "normalisation", "width": 0.1},
    ]
    return {
        "name": "stored",
        "title": "Stored",
        "poi": rich["poi"],
        "histograms": [region, control],
        "systematics": systematics,
        "blind": False,
    }


def varied(folder) -> dict[str, dict[str, Any]]:
    """Small analyses in which, together, every key says something."""
    twice: dict[str, Any] = {"files": ["other_up.csv"] * 2, "tree": None, "weight": "w", "allow_duplicates": True}
    twice["friends"] = [{"files": ["other_up.csv"] * 2}]
    side = [{**twice, "process": "other", "select": "x > -9", "total": 100.0}]
    rich = yaml.safe_load(write_analysis(folder, 400).read_text())
    shutil.copy(folder / "data.parquet", folder / "more_data.parquet")
    rich["samples"].append({"process": "top", "files": ["top.parquet"], "allow_duplicates": True, "weight": "w"})
    rich["samples"][2] |= {"select": "x > -9", "friends": [{"files": ["other.csv"]}]}
    rich["systematics"][3] |= {"up": side, "down": deepcopy(side)}
    rich["systematics"].append({"name": "spare", "effect": "normalisation", "width": 0.1})
    for systematic in rich["systematics"]:
        systematic["correlate"] = {"by": ["channel"], "coefficient": 0.5}
    rich["systematics"][1]["correlate"] = {"by": ["year"]}
    rich |= {
        "tags": {"year": {"2016": ["low"], "2017": ["high"]}},
        "observed": {
            **twice,
            "files": ["data.parquet"] * 2,
            "select": "x > -9",
            "friends": [{"files": ["data.parquet"] * 2}],
        },
        "blind": False,
        "inputs": [],
        "figures": [
            {"variable": "log_pt", "edges": [2.0, 3.5, 5.0], "channels": ["low"], "label": "l"},
            {"variable": "x", "range": [-5.0, 5.0], "bins": 5},
        ],
        "learn": {"folds": 2, "members": 1, "width": 4, "depth": 1, "epochs": 1},
        "templates": {"symmetrise": {"shape": "average"}, "smooth": ["model"], "prune": {"shape": 1e-4}},
        "check": {"toys": 5, "truths": [1.0, 1.5]},
    }
    aware = {**rich["learn"], "systematics": ["scale", "shape"]}
    network = {"folds": 2, "members": 2, "width": 4, "depth": 1}
    methods: dict[str, dict[str, Any]] = {
        "dropout": {"epochs": 1},
        "variational": {"epochs": 1},
        "laplace": {"epochs": 1, "precision": 1.0},
        "hmc": {"chains": 1, "warmup": 5, "draws": 4, "max_events": 200},
    }
    (folder / "more.txt").write_text("SCALE = 1\n")
    own = "def score(x, fold):\n    return x[:, 0]\n\n\ndef smear(events, theta):\n    return events\n"
    (folder / "other.py").write_text(own)
    (folder / "score.py").write_text("def score(x, fold):\n    return x[:, 0]\n")
    for name, weights in {"a.onnx": [1.0, 0.5, 0.1], "b.onnx": [1.0, 0.6, 0.1]}.items():
        (folder / name).write_bytes(plain(weights, classes=2))
    with gzip.open(higgsml.path(), "rt") as shipped:
        head = "".join(itertools.islice(shipped, 1500))
    for name in ("some.csv.gz", "other.csv.gz"):
        with gzip.open(folder / name, "wt") as file:
            file.write(head)
    known = parse(yaml.safe_load(face.embedded("higgsml.yaml")), "", folder).model_dump(mode="json")
    for systematic in known["systematics"]:
        systematic["correlate"] = {"by": ["channel"], "coefficient": 0.5}
    known |= {
        "dataset": {"name": "higgsml", "file": "some.csv.gz"},
        "summary": {"kind": "column", "column": "DER_mass_vis", "range": [0.0, 300.0]},
        "layout": "higgsml",
        "normalisations": [],
        "report": {},
    }
    return {
        "networks": rich,
        "aware": {**rich, "learn": {**aware, "approach": "parameterised", "at": {"scale": 0.5}}},
        **{name: {**rich, "learn": {**aware, "approach": name}} for name in APPROACHES},
        "column": {
            **rich,
            "summary": {"kind": "column", "column": "x", "range": [-5.0, 5.0]},
            "pseudo_experiment": None,
            "features": ["x", "log_pt"],
            "unaffected": ["x"],
            "templates": {},
        },
        "function": {
            **rich,
            "summary": {"kind": "function", "function": "score.py:score", "folds": 2, "range": [-5.0, 5.0]},
        },
        "model": {**rich, "summary": {"kind": "onnx", "model": "a.onnx", "output": "probabilities[1]"}},
        "models": {**rich, "summary": {"kind": "onnx", "models": ["a.onnx", "b.onnx"], "output": "probabilities[1]"}},
        "data set": known,
        "scaled": {**rich, **scaled(folder, rich)},
        "stored": stored(folder, rich),
        **{name: {**rich, "learn": {**network, **more, "epistemic": name}} for name, more in methods.items()},
    }


LAST = {
    "networks": "summarise",
    **dict.fromkeys(("aware", *APPROACHES), "learn"),
    "column": "summarise",
    **dict.fromkeys(("function", "model", "models"), "summarise"),
    "data set": "simulate",
    **dict.fromkeys(("scaled", "stored"), "summarise"),
    **dict.fromkeys(("dropout", "variational", "laplace", "hmc"), "learn"),
}
"""The last stage in which what an analysis reads is recorded; those after it are recorded with the smallest one."""

SMALLEST = {"pseudo_experiment": None, "templates": {}, "tags": {}}


def dumped(analysis) -> dict[str, Any]:
    """An analysis as plain values; no features where there are no events."""
    return {k: v for k, v in analysis.model_dump(mode="json").items() if k != "features" or v}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Each analysis as plain values."""
    folder, patch = tmp_path_factory.mktemp("analyses"), pytest.MonkeyPatch()
    use_stand_in(patch)
    found = {n: dumped(parse(a, n, folder)) for n, a in varied(folder).items()}
    yield folder, found
    patch.undo()


@pytest.fixture(scope="module")
def read(cases, tmp_path_factory):
    """By stage, the fields of its arguments that it looks at when it works, in any of the analyses."""
    folder, analyses = cases
    found: dict[str, set[str]] = {stage: set() for stage in STAGES}
    working: list[str] = []

    def spied(kind: type) -> Any:
        look = kind.__getattribute__

        def spy(self: Any, name: str) -> Any:
            if working and (path := Seen.last.parts[working[-1]].get(id(self))) is not None:
                found[working[-1]].add(f"{path}.{name}")
            return look(self, name)

        return spy

    def at_work(name: str, stage: Any) -> Any:
        def work(*arguments: Any) -> Any:
            working.append(name)
            try:
                return stage(*arguments)
            finally:
                working.pop()

        return work

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_measure, "Run", Seen)
        for name in STAGES:
            patch.setattr(_measure, name, at_work(name, getattr(_measure, name)))
        some = [plan(parse(a, n, folder)) for n, a in analyses.items()]
        kinds, todo = set[type](), [part for p in some for n in names_of(p) for part in inside(getattr(p, n))]
        while todo:
            part = todo.pop()
            kinds.add(type(part))
            todo += [p for n in names_of(part) for p in inside(getattr(part, n))]
        for kind in kinds:
            patch.setattr(kind, "__getattribute__", spied(kind))
        patch.setattr("verax.report._html.save", lambda *_: (folder / "more.txt", folder / "more.txt"))
        rich = analyses["networks"]
        small = {**rich, **SMALLEST, "systematics": rich["systematics"][:1], "channels": rich["channels"][:1]}
        small["channels"] += [{"name": "beside", "select": "pt > 60", "role": "validation"}]
        for name, given in [*analyses.items(), ("report", small)]:
            measure(parse(given, name, folder), tmp_path_factory.mktemp("run"), until=LAST.get(name, name))
    return found


@pytest.fixture(scope="module")
def dry(cases, tmp_path_factory):
    """Of an analysis: the stages that a run redoes after the unchanged one, and what each is given."""
    folder, analyses = cases
    patch, runs = pytest.MonkeyPatch(), {}
    patch.setattr(_measure, "Run", Seen)
    for name in STAGES:
        patch.setattr(_measure, name, stand_in(name))

    def one(case: str, given: Any = None) -> tuple[set[str], dict[str, Any]]:
        if case not in runs:
            place = tmp_path_factory.mktemp("whole")
            measure(parse(analyses[case], case, folder), place)
            runs[case] = place, Seen.last.given
        if given is None:
            return set(), runs[case][1]
        heard, place = Worked(), tmp_path_factory.mktemp("changed")
        shutil.copytree(runs[case][0], place, dirs_exist_ok=True)
        analysis = parse(given, case, folder)
        if analysis.name != analyses[case]["name"]:  # another analysis has a folder of its own
            patch.setattr("verax.run._folder.inspect", lambda *_: None)
            patch.setattr("verax.run._folder.claim", lambda *_: type("Mark", (), {"whole": True}))
            patch.setattr("verax.pipeline._foresee.inspect", lambda *_: None)
        said = foresee(analysis, place)
        measure(analysis, place, progress=heard)
        assert set(said.redone) - set(said.open) <= heard.stages <= set(said.redone)
        return heard.stages, Seen.last.given

    yield one
    patch.undo()


def changed(key: str, case: str, cases: Any, dry: Any) -> tuple[set[str], dict[str, Any]] | None:
    """The stages that another value of a key redoes, and what they are given; None where there is no other value."""
    _, analyses = cases
    for i, place in enumerate(places(analyses[case], KEYS[key])):
        for value in others(key, place[KEYS[key][-1]]):
            given = deepcopy(analyses[case])
            places(given, KEYS[key])[i].update({KEYS[key][-1]: value, **WITH.get(key, {})})
            for other, new in ELSEWHERE.get(key, {}).items():
                for section in (s for s in places(given, KEYS[other]) if s[KEYS[other][-1]]):
                    section[KEYS[other][-1]] = new
            try:
                return dry(case, given)
            except InputError:
                continue
    return None


@pytest.mark.thorough
@pytest.mark.parametrize("key", KEYS)
def test_a_key_redoes_exactly_the_stages_that_read_it(key, cases, read, dry):
    redone = set[str]()
    valid = False
    for case in cases[1]:
        found = changed(key, case, cases, dry)
        if found is None:
            continue
        valid = True
        worked, given = found
        before, expected = dry(case)[1], set[str]()
        for stage in STAGES:
            (old, _), (new, earlier) = before[stage], given[stage]
            differ = {path for path in old | new if old.get(path) != new.get(path)}
            differ = set() if key in UNREAD else differ
            if any("." not in path or path in read[stage] for path in differ) or earlier & expected:
                expected.add(stage)
        assert worked == expected, case
        redone |= worked
        if redone:
            break
    assert valid, "no analysis here has another valid value of this key: give one in OTHER"
    assert bool(redone) != (key in UNREAD)
