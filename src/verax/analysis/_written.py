"""An analysis as the text of a file that says the same."""

import os
from pathlib import Path
from typing import Any

import yaml

from ._schema import Analysis


def written(analysis: Analysis) -> str:
    """Write an analysis as the file that :func:`load` reads it from again, every key with its value.

    Places of files are absolute, so that the text may lie anywhere. A callable that was given in Python is named
    ``module:name``, by which it is found again where it can be imported.
    """
    base = analysis.base.resolve()
    unset = "range" not in analysis.summary.model_fields_set  # where none is given, bins may lie anywhere
    content = analysis.model_dump(exclude={"summary": {"range"}} if unset else None)
    for source in [*content["samples"], content["observed"], *_varied(content)]:
        if isinstance(source, dict):
            for part in (source, *source["friends"]):
                part["files"] = [_placed(f, base) for f in part["files"]]
            if isinstance(sums := source.get("sum_of_weights"), dict) and sums["files"]:
                sums["files"] = [_placed(f, base) for f in sums["files"]]
    for channel in content["histograms"]:
        for key in ("nominal", "observed", "up", "down"):
            channel[key] = channel[key] and _placed(channel[key], base)
    if not analysis.has_events:
        del content["features"]
    content["inputs"] = [_placed(f, base) for f in content["inputs"]]
    if content["dataset"] and content["dataset"]["file"]:
        content["dataset"]["file"] = _placed(content["dataset"]["file"], base)
    for key in ("model", "models"):
        if given := content["summary"][key]:
            placed = [_placed(f, base) for f in ([given] if key == "model" else given)]
            content["summary"][key] = placed[0] if key == "model" else placed
    for section in [content["summary"], *content["systematics"]]:
        if section.get("function") is not None:
            section["function"] = _named(section["function"], base)
    return yaml.safe_dump(_plain(content), sort_keys=False, allow_unicode=True, width=120)


def _varied(content: dict[str, Any]) -> list[dict[str, Any]]:
    varied = [s for s in content["systematics"] if s["effect"] == "samples"]
    return [sample for s in varied for sample in (*s["up"], *(s["down"] or ()))]


def _placed(file: str, base: Path) -> str:
    """Patterns are left as they are."""
    return os.path.join(base, Path(file).expanduser())


def _named(function: Any, base: Path) -> str:
    if callable(function):
        kind = function if hasattr(function, "__qualname__") else type(function)
        return f"{kind.__module__}:{kind.__qualname__}"
    place, _, name = function.rpartition(":")
    return f"{_placed(place, base)}:{name}" if place.endswith(".py") else str(function)


def _plain(value: Any) -> Any:
    """With lists in the place of tuples."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
