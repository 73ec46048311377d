"""Reading an analysis file: YAML, checked by pydantic, with errors that name the key."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pydantic
import yaml
from pydantic import BaseModel

from verax.errors import InputError, check_ends, has_controls, nearest

from ._methods import KEYS_OF
from ._schema import Analysis


def load(path: str | Path | None = None, settings: Sequence[str] = ()) -> Analysis:
    """Read an analysis file; without a path, the embedded HiggsML analysis. ``settings`` change keys: "check.toys=500".

    Raises
    ------
    InputError : one line with file, key, what was given and what was expected
    """
    if path is None:
        return parse(_change(_read(embedded("higgsml.yaml")), settings), "embedded analysis", Path())
    path = Path(path)
    check_ends(path, str(path))
    try:
        content = _read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        seen = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "bytes that are not UTF-8"
        raise InputError(str(path), seen, "a readable analysis file (YAML)") from error
    except InputError as error:
        raise InputError(f"{path}: {error.where}", error.got, error.expected, error.action) from error
    except yaml.YAMLError as error:
        raise InputError(str(path), " ".join(str(error).split()), "valid YAML") from error
    if not isinstance(content, dict):
        raise InputError(str(path), type(content).__name__, "a mapping of keys", "see `verax config example`")
    return parse(_change(content, settings), str(path), path.parent)


DEEPEST, MOST = 50, 100_000
"""Levels of lists and mappings in an analysis file, and values in it, those that an alias repeats among them."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types, where each key of a mapping stands once; nesting, aliases and numbers have bounds."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.levels, self.sizes = 0, dict[int, int]()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A value, with how many it holds; an alias holds those of what it repeats."""
        begins: Any = self.peek_event()  # type: ignore[no-untyped-call]
        where, is_alias = f"line {begins.start_mark.line + 1}", isinstance(begins, yaml.AliasEvent)
        self.levels += 1
        if self.levels > DEEPEST:
            raise InputError(where, f"more than {DEEPEST} levels of lists and keys", "some levels")
        node: Any = super().compose_node(parent, index)
        self.levels -= 1
        if not is_alias:
            items = [] if isinstance(node, yaml.ScalarNode) else node.value
            parts = [part for item in items for part in (item if isinstance(item, tuple) else (item,))]
            self.sizes[id(node)] = 1 + sum(self.sizes[id(part)] for part in parts)
        if (size := self.sizes.get(id(node))) is None:
            raise InputError(where, "an alias of what it is a part of", "values that end")
        if size > MOST:
            raise InputError(where, f"{size} values, aliases written out", f"no more than {MOST}")
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node, with one kind of error for what is none of its tag: `!!int x`, 2026-13-40, 10,000 digits."""
        where, seen = f"line {node.start_mark.line + 1}", f"'{node.value}'"
        if isinstance(node, yaml.ScalarNode) and has_controls(node.value.replace("\n", "").replace("\t", "")):
            raise InputError(where, seen, "text without control characters")
        try:
            return super().construct_object(node, deep)
        except (InputError, yaml.YAMLError):
            raise
        except Exception as error:
            expected = f"a value of YAML's type {node.tag.rpartition(':')[2]}"
            raise InputError(where, seen, expected, "text stands in quotes") from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; keys that ``<<`` merges in may be given again."""
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                name = self.construct_object(key)
                if name in lines:
                    seen = f"key '{name}' in line {lines[name]} and again in line {line}"
                    raise InputError(f"line {line}", seen, "each key once", "remove one of them")
                lines[name] = line
        return super().construct_mapping(node, deep)


def _read(text: str) -> Any:
    """YAML as plain values."""
    return yaml.load(text, _Loader)


def _change(content: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """The content with keys changed as in "learn.members=3"; values are YAML."""
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError("--set", f"'{setting}'", "KEY=VALUE, such as check.toys=500")
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise InputError("--set", f"'{key}', but '{section}' holds no keys", "a key of a section")
        try:
            place[last] = _read(value)
        except InputError as error:
            raise InputError("--set", error.got, error.expected, error.action) from error
        except yaml.YAMLError as error:
            raise InputError("--set", f"'{setting}'", "a value in YAML", "quote it, or close its brackets") from error
    return content


def parse(content: dict[str, Any], where: str, base: Path | None = None) -> Analysis:
    """An analysis from plain values, with errors that name the key."""
    try:
        return Analysis.model_validate(content).model_copy(update={"base": base or Path()})
    except InputError as error:
        raise InputError(f"{where}: {error.where}", error.got, error.expected, error.action) from error
    except pydantic.ValidationError as error:
        raise _first(error, where, content) from error


WORDS = {
    "literal_error": "{expected}",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "a number of at most {le:.10g}",
    "invalid_key": "keys that are text",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_too_short": "text of at least {min_length} character",
    "string_pattern_mismatch": "text that matches {pattern}",
    "callable_type": "a function",
    "list_type": "a list",
    "too_short": "{min_length} or more of them",
    "value_error": "{error}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "keys with values"),
}
"""What is expected, by pydantic's name of an error."""


def _first(error: pydantic.ValidationError, where: str, content: dict[str, Any]) -> InputError:
    """The first of pydantic's errors as one line; the others are counted."""
    # An unknown key comes first: often it is the misspelt one that another error says is missing.
    every = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    first, loc = every[0], every[0]["loc"]
    if isinstance(first.get("ctx", {}).get("error"), InputError):
        inner = first["ctx"]["error"]
        return InputError(f"{where}: {inner.where}", inner.got, inner.expected, inner.action)
    key = _key(first, content)
    others = {_key(e, content) for e in every} - {key}
    of_method = len(loc) > 2 and loc[0] == "learn"  # the method chooses the section, and is no key
    method = [f"with epistemic: {loc[1]}"] if of_method else []
    action = "; ".join([*method, *([f"and {len(others)} more in this file"] if others else [])])
    place = f"{where}: {key}" if key else where
    if first["type"] == "extra_forbidden":
        name, known = str(loc[-1]), [k for model in _models_at(loc[:-1]) for k in model.model_fields]
        if of_method:
            approach = content["learn"].get("approach", "propagate")
            known = [k for k in known if approach in KEYS_OF.get(k, (approach,))]
        return InputError(place, f"unknown key '{name}'", "a known key", "; ".join([*method, nearest(name, known)]))
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        what, tag = first["ctx"]["discriminator"].strip("'"), str(first["ctx"].get("tag", "none"))
        known = [t for model in _models_at(loc) for t in _tags(model)]
        return InputError(place, f"{what} '{tag}'", f"a known {what}", nearest(tag, known))
    if first["type"] == "missing":
        return InputError(place, "nothing", "a value", action)
    alternatives = dict.fromkeys(_expected(e) for e in every if _key(e, content) == key)
    return InputError(place, json.dumps(first["input"], default=str)[:80], " or ".join(alternatives), action)


def _expected(error: Any) -> str:
    """What pydantic expected, in words."""
    text = WORDS.get(error["type"])
    return text.format(**error.get("ctx", {})) if text else error["msg"].removeprefix("Input should be ")


def _key(error: Any, content: Any) -> str:
    """The key of the file that an error is about, without the names of types that pydantic puts between."""
    kept = []
    for i, part in enumerate(error["loc"]):
        is_there = part in content if isinstance(content, dict) else isinstance(content, list) and isinstance(part, int)
        if is_there and (isinstance(content, dict) or part < len(content)):
            content = content[part]
        elif error["type"] != "missing" or i + 1 < len(error["loc"]):
            continue
        kept.append(str(part))
    return ".".join(kept)


def _models_at(loc: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """Sections that may stand at a place."""
    models: list[type[BaseModel]] = [Analysis]
    for part in map(str, loc):
        tagged = [m for m in models if len(models) > 1 and part in _tags(m)]
        below = [i for m in models if part in m.model_fields for i in _models(m.model_fields[part].annotation)]
        models = tagged or below or models
    return models


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Names that choose this section among those that may stand at its place."""
    fields = [model.model_fields[name] for name in ("effect", "epistemic") if name in model.model_fields]
    return tuple(tag for field in fields for tag in get_args(field.annotation))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in _models(inner)]


def embedded(name: str) -> str:
    """Text of an analysis file that ships with verax."""
    return resources.files("verax").joinpath("embedded", name).read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """JSON schema of the analysis file."""
    return Analysis.model_json_schema()
