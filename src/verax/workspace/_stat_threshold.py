"""A threshold for errors of the simulation, as HistFactory's ``RelErrorThreshold`` (CERN-OPEN-2012-016)."""

import math

from verax.templates import Pruned

from ._schema import Json


def drop_small_errors(spec: Json, threshold: float) -> list[Pruned]:
    """Set ``staterror`` to zero, in place, in bins where the error of all samples that have it is relatively below.

    Such a bin has no γ. What went is listed, one entry a bin.
    """
    found = []
    for channel in spec["channels"]:
        uses: dict[str, list[tuple[Json, Json]]] = {}
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    uses.setdefault(modifier["name"], []).append((sample, modifier))
        for name, some in uses.items():
            for b in range(len(channel["samples"][0]["data"])):
                total, error = abs(sum(s["data"][b] for s, _ in some)), math.hypot(*(m["data"][b] for _, m in some))
                if total > 0 and 0 < error < threshold * total:
                    samples = ", ".join(s["name"] for s, _ in some)
                    found.append(Pruned(name, samples, f"{channel['name']}[{b}]", "staterror", error / total))
                    for _, modifier in some:
                        modifier["data"][b] = 0.0
    return found
