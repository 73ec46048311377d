"""A workspace without some bins, as if it had been written without them."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verax.errors import InputError, check_known

from ._schema import Json

BY_BIN = ("staterror", "shapesys", "shapefactor")
"""Modifiers that have a parameter for each bin."""


def mask(spec: Json, bins: Mapping[str, Sequence[int]]) -> Json:
    """Without some bins: of samples, variations and observations, and the settings of their parameters.

    The other bins of a channel are numbered anew. TRExFitter's ``DropBins`` means the same.

    Parameters
    ----------
    spec : the workspace
    bins : by channel, numbered from 0; one bin of each at least is left

    Raises
    ------
    InputError : for an unknown channel (nearest given) or bin, all bins of a channel, or other bins of channels that share
        free factors of bins

    >>> from verax.model import example_model
    >>> from verax.workspace import from_pyhf, to_pyhf
    >>> from_pyhf(mask(to_pyhf(*example_model(), poi="mu"), {"SR": [0]})).data.counts.tolist()
    [53.0]
    """
    made = copy.deepcopy(spec)
    check_known(bins, [c["name"] for c in made["channels"]], "mask", "channel")
    kept = {c["name"]: _kept(c, bins.get(c["name"], ())) for c in made["channels"]}
    for channel in made["channels"]:
        left = kept[channel["name"]]
        for sample in channel["samples"]:
            sample["data"] = _some(sample["data"], left)
            for modifier in sample["modifiers"]:
                data = modifier["data"]
                if modifier["type"] == "histosys":
                    modifier["data"] = {side: _some(values, left) for side, values in data.items()}
                elif isinstance(data, list):
                    modifier["data"] = _some(data, left)
    for entry in made["observations"]:
        entry["data"] = _some(entry["data"], kept[entry["name"]])
    for name, (size, left) in _parameters(spec, kept).items():
        for measurement in made["measurements"]:
            for setting in measurement["config"]["parameters"]:
                if setting["name"] == name:
                    for key, values in setting.items():
                        setting[key] = (
                            _some(values, left) if isinstance(values, list) and len(values) == size else values
                        )
    return made


def bins_by_channel(settings: Iterable[str], where: str) -> dict[str, list[int]]:
    """Read bins by channel from "CHANNEL:BIN[,BIN]", as :func:`mask` takes them.

    Raises
    ------
    InputError : for anything else
    """
    found: dict[str, list[int]] = {}
    for setting in settings:
        channel, _, bins = setting.rpartition(":")
        parts = bins.split(",")
        if not channel or not all(b.strip().isdecimal() for b in parts):
            raise InputError(where, f"'{setting}'", "CHANNEL:BIN[,BIN], bins numbered from 0")
        found[channel] = sorted({*found.get(channel, []), *map(int, parts)})
    return found


def _kept(channel: Json, gone: Sequence[int]) -> list[int]:
    where, n = f"mask, channel '{channel['name']}'", len(channel["samples"][0]["data"])
    if wrong := [b for b in gone if not 0 <= b < n]:
        raise InputError(where, f"bin {wrong[0]}", f"bins from 0 to {n - 1}")
    if not (left := [b for b in range(n) if b not in gone]):
        raise InputError(where, f"all {n} bins", "a bin that is left", "verax workspace mask --channel leaves it out")
    return left


def _some(values: Any, which: Sequence[int]) -> list[Any]:
    return [values[i] for i in which]


def _parameters(spec: Json, kept: Mapping[str, list[int]]) -> dict[str, tuple[int, list[int]]]:
    """Number of parameters of each modifier that has one for each bin, and which are left."""
    size = {c["name"]: len(c["samples"][0]["data"]) for c in spec["channels"]}
    uses: dict[tuple[str, str], set[str]] = {}
    for channel in spec["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] in BY_BIN:
                    uses.setdefault((modifier["name"], modifier["type"]), set()).add(channel["name"])
    found = {}
    for (name, kind), channels in uses.items():
        if kind != "shapefactor":  # the bins of its channels, one after another in pyhf's order
            left, first = [], 0
            for channel in sorted(channels):
                left += [first + b for b in kept[channel]]
                first += size[channel]
            found[name] = first, left
            continue
        total = max(size[c] for c in channels)
        gone = {c: sorted(set(range(size[c])) - set(kept[c])) for c in channels}
        if len({tuple(g) for g in gone.values()}) > 1:
            seen = "; ".join(f"{c}: {', '.join(map(str, gone[c])) or 'none'}" for c in sorted(gone))
            raise InputError(f"mask, '{name}' (shapefactor)", seen, "the same bins of all channels that share it")
        found[name] = total, [b for b in range(total) if b not in next(iter(gone.values()))]
    return found
