"""Workspaces rearranged as JSON, so that all modifiers, settings and measurements stay as they were written.

The functions of :mod:`verax.templates` do the same to templates. Each takes a workspace that passes
:func:`verax.workspace.check_workspace`, and returns a new one; the given one is not changed.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from verax.choices import DECORRELATE_BY
from verax.errors import InputError, check_known
from verax.templates import ROUNDING, Pruned, largest_change, normalisation_part

from ._mask import bins_by_channel as bins_by_channel
from ._mask import mask as mask
from ._schema import Json
from ._stat_threshold import drop_small_errors

VARIATIONS = ("normsys", "histosys")
KINDS = ("channel", "sample", "modifier", "measurement")


def samples(spec: Json) -> Iterator[tuple[str, Json]]:
    """Every sample, with the name of its channel."""
    for channel in spec["channels"]:
        for sample in channel["samples"]:
            yield channel["name"], sample


def names(spec: Json, kind: str) -> tuple[str, ...]:
    """Names of its channels, samples, modifiers or measurements, each once, in order."""
    if kind in ("channel", "measurement"):
        return tuple(x["name"] for x in spec[f"{kind}s"])
    if kind == "sample":
        return tuple(dict.fromkeys(s["name"] for _, s in samples(spec)))
    return tuple(dict.fromkeys(m["name"] for _, s in samples(spec) for m in s["modifiers"]))


def combine(first: Json, second: Json) -> Json:
    """The channels of both. Modifiers of one name are one parameter in both: rename first what is not the same.

    Measurements of one name are joined; where each has only one, they are joined under the first's name.

    Raises
    ------
    InputError : for a channel that both have, other versions, settings of one parameter or parameters of interest that
        differ, or no measurement in common
    """
    shared = [c for c in names(second, "channel") if c in names(first, "channel")]
    if shared:
        raise InputError(
            "combine", f"channel '{shared[0]}' in both", "channels of different names", "rename one of them"
        )
    if first["version"] != second["version"]:
        raise InputError("combine", f"versions {first['version']}, {second['version']}", "the same version")
    made = copy.deepcopy(first)
    for key in ("channels", "observations"):
        made[key] += copy.deepcopy(second[key])
    theirs = {m["name"]: m["config"] for m in second["measurements"]}
    if len(theirs) == len(made["measurements"]) == 1:
        theirs = {made["measurements"][0]["name"]: next(iter(theirs.values()))}
    made["measurements"] = [m for m in made["measurements"] if m["name"] in theirs]
    if not made["measurements"]:
        raise InputError("combine", "no measurement of one name", "a measurement in both", "rename one of them")
    for measurement in made["measurements"]:
        config, other = measurement["config"], theirs[measurement["name"]]
        interests = {config["poi"], other["poi"]} - {""}
        if len(interests) > 1:
            seen = f"parameters of interest {sorted(interests)}"
            raise InputError(f"combine, measurement '{measurement['name']}'", seen, "the same in both", "rename one")
        config["poi"] = next(iter(interests), "")
        known = {p["name"]: p for p in config["parameters"]}
        for setting in other["parameters"]:
            if known.setdefault(setting["name"], setting) != setting:
                raise InputError(
                    f"combine, parameter '{setting['name']}'",
                    "settings that differ",
                    "the same in both",
                    "rename one of them if they are different things",
                )
        config["parameters"] = copy.deepcopy(list(known.values()))
    return made


def drop(
    spec: Json,
    *,
    channels: Sequence[str] = (),
    processes: Sequence[str] = (),
    modifiers: Sequence[str] = (),
    kinds: Sequence[str] = (),
    measurements: Sequence[str] = (),
) -> Json:
    """Without these channels, samples, modifiers (by name, or by type) and measurements; settings of what is gone go too.

    Raises
    ------
    InputError : for an unknown name (with its nearest), if nothing is left, or if a parameter of interest would go
    """
    present = tuple(dict.fromkeys(m["type"] for _, s in samples(spec) for m in s["modifiers"]))
    given = dict(zip(KINDS, (channels, processes, modifiers, measurements), strict=True))
    for what, some in given.items():
        check_known(some, names(spec, what), "drop", what)
    check_known(kinds, present, "drop", "type of modifier")
    made = copy.deepcopy(spec)
    made["channels"] = [c for c in made["channels"] if c["name"] not in channels]
    made["measurements"] = [m for m in made["measurements"] if m["name"] not in measurements]
    for channel in made["channels"]:
        channel["samples"] = [s for s in channel["samples"] if s["name"] not in processes]
        for sample in channel["samples"]:
            kept = [m for m in sample["modifiers"] if m["name"] not in modifiers and m["type"] not in kinds]
            sample["modifiers"] = kept
    made["channels"] = [c for c in made["channels"] if c["samples"]]
    if not made["channels"] or not made["measurements"]:
        raise InputError("drop", "all channels or all measurements", "a channel and a measurement that are left")
    left = names(made, "channel")
    made["observations"] = [o for o in made["observations"] if o["name"] in left]
    return _tidied(spec, made)


def _tidied(before: Json, made: Json) -> Json:
    """Without settings of modifiers that are gone; a parameter of interest must not be among these."""
    old, left = names(before, "modifier"), names(made, "modifier")
    for measurement in made["measurements"]:
        config = measurement["config"]
        poi = config["poi"]
        if poi in old and poi not in left:
            where = f"measurement '{measurement['name']}'"
            raise InputError(where, f"its parameter of interest '{poi}' would be gone", "one that is left")
        config["parameters"] = [p for p in config["parameters"] if p["name"] in left or p["name"] not in old]
    return made


def rename(spec: Json, changes: Mapping[str, Mapping[str, str]]) -> Json:
    """New names by kind: {"channel": {old: new}, "sample": …, "modifier": …, "measurement": …}.

    Raises
    ------
    InputError : for an unknown kind or name (nearest given), or if two things of one kind would bear the same
    """
    check_known(changes, KINDS, "rename", "kind")
    new: dict[str, Callable[[str], str]] = {}
    for kind in KINDS:
        change, known = changes.get(kind, {}), names(spec, kind)
        check_known(change, known, "rename", kind)
        after = [change.get(n, n) for n in known]
        for name in change.values():
            if after.count(name) > 1:
                action = "correlate makes one of several parameters" if kind == "modifier" else ""
                raise InputError("rename", f"'{name}' more than once among the {kind}s", "each name once", action)
        new[kind] = lambda name, change=change: change.get(name, name)  # type: ignore[misc]
    made = copy.deepcopy(spec)
    for _, sample in samples(made):
        sample["name"] = new["sample"](sample["name"])
        for modifier in sample["modifiers"]:
            modifier["name"] = new["modifier"](modifier["name"])
    for entry in [*made["channels"], *made["observations"]]:
        entry["name"] = new["channel"](entry["name"])
    for measurement in made["measurements"]:
        measurement["name"] = new["measurement"](measurement["name"])
        measurement["config"]["poi"] = new["modifier"](measurement["config"]["poi"])
        for setting in measurement["config"]["parameters"]:
            setting["name"] = new["modifier"](setting["name"])
    return made


def decorrelate(spec: Json, name: str, by: str = "channel") -> Json:
    """One parameter becomes one for each channel where it acts, "name_channel", or for each sample; settings are copied.

    Raises
    ------
    InputError : for an unknown modifier (nearest given), a parameter of interest, ``lumi``, a name that is taken, or
        settings per bin, which cannot be shared out
    """
    check_known([by], DECORRELATE_BY, "decorrelate", "kind")
    check_known([name], names(spec, "modifier"), "decorrelate", "modifier")
    made, found, kinds = copy.deepcopy(spec), dict[str, None](), set()
    for channel, sample in samples(made):
        for modifier in sample["modifiers"]:
            if modifier["name"] == name:
                modifier["name"] = f"{name}_{channel if by == 'channel' else sample['name']}"
                found[modifier["name"]] = None
                kinds.add(modifier["type"])
    if "lumi" in kinds:
        raise InputError("decorrelate", "'lumi'", "another modifier", "a luminosity has one parameter in a workspace")
    taken = [n for n in found if n in names(spec, "modifier")]
    if taken:
        raise InputError("decorrelate", f"'{taken[0]}', which is there already", "a free name", "rename that one first")
    for measurement in made["measurements"]:
        config = measurement["config"]
        if config["poi"] == name:
            raise InputError("decorrelate", f"'{name}', the parameter of interest", "another parameter")
        settings = []
        for setting in config["parameters"]:
            if setting["name"] != name:
                settings.append(setting)
                continue
            if not kinds <= {"normfactor", *VARIATIONS} and set(setting) - {"name", "fixed"}:
                raise InputError("decorrelate", f"settings of '{name}' for each bin", "settings of a single number")
            settings += [{**copy.deepcopy(setting), "name": n} for n in found]
        config["parameters"] = settings
    return made


def correlate(spec: Json, parameters: Sequence[str], new: str) -> Json:
    """Several parameters become one, of name ``new``.

    Where several act on one sample, their factors at θ = ±1 multiply (``normsys``), their changes add up (``histosys``).

    Raises
    ------
    InputError : for an unknown modifier (nearest given), none, different kinds or settings, a name that is taken, or
        several modifiers of a kind that cannot be joined in one sample
    """
    known = names(spec, "modifier")
    check_known(parameters, known, "correlate", "modifier")
    if not parameters:
        raise InputError("correlate", "no parameter", "one or more")
    if new in known and new not in parameters:
        raise InputError("correlate", f"'{new}', which is there already", "a free name, or one of those to join")
    used = {m["type"] for _, s in samples(spec) for m in s["modifiers"] if m["name"] in parameters}
    if len(used) > 1 and not used <= set(VARIATIONS):
        raise InputError("correlate", f"modifiers of types {', '.join(sorted(used))}", "modifiers of one kind")
    made = copy.deepcopy(spec)
    for channel, sample in samples(made):
        kept: list[Json] = []
        for modifier in sample["modifiers"]:
            if modifier["name"] in parameters:
                modifier["name"] = new
                same = [m for m in kept if (m["name"], m["type"]) == (new, modifier["type"])]
                if same:
                    where = f"correlate, channel '{channel}', sample '{sample['name']}'"
                    same[0]["data"] = _joined(same[0], modifier, sample["data"], where)
                    continue
            kept.append(modifier)
        sample["modifiers"] = kept
    for measurement in made["measurements"]:
        config = measurement["config"]
        chosen = [p for p in config["parameters"] if p["name"] in parameters]
        bare = [{k: v for k, v in p.items() if k != "name"} for p in chosen]
        if bare and (len(bare) < len(parameters) or any(b != bare[0] for b in bare)):
            raise InputError("correlate", f"settings of {', '.join(parameters)}", "the same settings for each, or none")
        others = [p for p in config["parameters"] if p["name"] not in parameters]
        config["parameters"] = others + [{"name": new, **b} for b in bare[:1]]
        config["poi"] = new if config["poi"] in parameters else config["poi"]
    return made


def _joined(one: Json, other: Json, nominal: Sequence[float], where: str) -> Any:
    """Data of two modifiers of one sample under one parameter."""
    a, b = one["data"], other["data"]
    if one["type"] == "normsys":
        return {side: a[side] * b[side] for side in ("lo", "hi")}
    if one["type"] == "histosys":
        return {
            side: [x + y - n for x, y, n in zip(a[side], b[side], nominal, strict=True)]
            for side in ("lo_data", "hi_data")
        }
    raise InputError(where, f"two of type {one['type']}", "one of them", f"their product is no {one['type']}")


def prune(
    spec: Json, *, shape: float = 0.0, normalisation: float = 0.0, staterror: float = 0.0
) -> tuple[Json, tuple[Pruned, ...]]:
    """Remove negligible variations; removed items are listed.

    Each variation of a sample has a normalisation (the ratio of yields at θ = ±1) and a shape (the rest, at the nominal
    yield). Each goes by itself where its largest relative change, up or down, is below its threshold: without its shape
    a ``histosys`` becomes a ``normsys`` (interpolated as such), without its normalisation it keeps the nominal yield. A
    parameter of which nothing is left is listed too. TRExFitter's ``SystPruningShape`` and ``SystPruningNorm`` mean the
    same; thresholds of zero keep all. Many small effects may add up: compare a fit with and without before relying on
    large thresholds.

    A bin in which the ``staterror`` of all samples together is relatively below its threshold loses its γ, as by ROOT's
    ``RelErrorThreshold``.

    Raises
    ------
    InputError : for a negative threshold
    """
    for what, value in (("shape", shape), ("normalisation", normalisation), ("staterror", staterror)):
        if not 0 <= value < np.inf:
            raise InputError("prune", f"{what} threshold {value}", "a relative size, zero or above")
    made, found = copy.deepcopy(spec), list[Pruned]()
    for channel, sample in samples(made):
        kept: list[Json] = []
        for modifier in sample["modifiers"]:
            left, gone = _pruned(modifier, sample["data"], shape, normalisation)
            found += [Pruned(modifier["name"], sample["name"], channel, effect, size) for effect, size in gone]
            same = [m for m in kept if left and (m["name"], m["type"]) == (left["name"], left["type"])]
            if left and same:  # it was a histosys, beside a normsys of the same parameter
                same[0]["data"] = _joined(same[0], left, sample["data"], "prune")
            elif left:
                kept.append(left)
        sample["modifiers"] = kept
    found += drop_small_errors(made, staterror)
    remaining = names(made, "modifier")
    for name in dict.fromkeys(p.systematic for p in found):
        if name not in remaining:
            found.append(Pruned(name, "", "", "parameter", max(p.size for p in found if p.systematic == name)))
    return _tidied(spec, made), tuple(found)


def _pruned(
    modifier: Json, nominal: Sequence[float], shape: float, normalisation: float
) -> tuple[Json | None, list[tuple[Literal["shape", "normalisation"], float]]]:
    """What is left of a modifier, and which parts went, with their sizes."""
    data = modifier["data"]
    if modifier["type"] == "normsys":
        size = float(max(abs(data["hi"] - 1), abs(data["lo"] - 1)))
        return (None, [("normalisation", size)]) if size < normalisation else (modifier, [])
    if modifier["type"] != "histosys":
        return modifier, []
    centre, up, down = (np.asarray(x, np.float64) for x in (nominal, data["hi_data"], data["lo_data"]))
    logs = normalisation_part(centre[None], up[None, None], down[None, None], np.zeros(centre.shape, int))
    factors = [float(np.exp(log[0, 0, 0])) for log in logs]
    shapes = [up / factors[0], down / factors[1]]
    form = max(largest_change(centre, s) for s in shapes)
    size = max(abs(f - 1) for f in factors)
    size = size if size > ROUNDING else 0.0
    flat, still = form < shape, size < normalisation and size > 0
    gone: list[tuple[Literal["shape", "normalisation"], float]] = []
    gone += [("shape", form)] if flat else []
    gone += [("normalisation", size)] if still else []
    if flat and (still or size == 0):
        return None, gone
    if flat:
        return {**modifier, "type": "normsys", "data": {"hi": factors[0], "lo": factors[1]}}, gone
    if still:
        return {**modifier, "data": {"hi_data": shapes[0].tolist(), "lo_data": shapes[1].tolist()}}, gone
    return modifier, gone
