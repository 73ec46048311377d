"""Uncertainties that are counted twice (HistFactory's modifiers: CERN-OPEN-2012-016)."""

import itertools
from collections import defaultdict

import numpy as np

from verax.model import CellModifier
from verax.report import number

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, percent

SAME_SIZE = 0.1
"""Relative difference of two sizes below which they are taken for one."""

SAME_NUMBER = 1e-3
"""Likewise where sizes agree easily by chance: of normalisations, and of a process of one bin."""

SAME_SHAPE = 0.99
"""Cosine of two effects, bins weighted by their errors, above which they are the same."""

FLAT = 0.01
"""Spread of an effect over the bins of a channel, relative to its size, below which it is a normalisation."""


def gamma_twice(subject: Subject) -> Verdict:
    """Samples that have more than one error bin by bin: of the same size it is the same error."""
    model, found = subject.model, list[Finding]()
    by_sample: dict[tuple[int, int], list[CellModifier]] = defaultdict(list)
    for m in model.modifiers:
        if m.kind in ("staterror", "shapesys"):
            by_sample[m.channel, m.process].append(m)
    for (c, i), some in by_sample.items():
        for one, other in itertools.combinations(some, 2):
            a, b = np.array(one.data), np.array(other.data)
            both = (a > 0) & (b > 0)
            same = both & (abs(a - b) < SAME_SIZE * np.maximum(a, b))
            if not both.any():
                continue
            place = Place(
                f"{one.name} and {other.name}",
                model.processes[i],
                model.channels[c],
                tuple(int(x) for x in np.flatnonzero(same if same.any() else both)),
            )
            kinds = f"{one.kind} and {other.kind}"
            text = (
                f"{kinds} of the same size" if same.any() else f"{kinds}, {number(float((a / b)[both].mean()), 2)} : 1"
            )
            severity = Severity.WARNING if same.any() else Severity.NOTE
            found.append(Finding(place, text, severity, {"bins": float(both.sum()), "same": float(same.sum())}))
    return judged(
        "gamma twice",
        f"{len(found)} of {len(by_sample)} samples with errors bin by bin have two of them",
        found,
        f"two γ on one template; equal to {percent(SAME_SIZE)} is a warning",
        "leave out one of them, unless they are different errors",
        "same",
    )


def simulation_rows_twice(subject: Subject) -> Verdict:
    """Systematics of a single bin that have the size of the error of the simulation, which has its γ there already."""
    model, t, found = subject.model, subject.templates, list[Finding]()
    change = (np.asarray(t.up) - np.asarray(t.down)) / 2  # [systematic, process, bin]
    acts = (abs(change) > 1e-9 * abs(np.asarray(t.nominal)) + 1e-12).any(1)
    gamma = (np.asarray(model.width) > 0) | (np.asarray(model.tau) > 0) | (subject.simulated > 0).any(0)
    for k in np.flatnonzero(acts.sum(1) == 1):
        b = int(np.flatnonzero(acts[k])[0])
        if not gamma[b]:
            continue
        which = change[k, :, b] != 0
        sizes = np.sqrt(subject.simulated[which, b].sum()), np.sqrt(subject.simulated[:, b].sum())
        size, channel = abs(float(change[k, :, b].sum())), model.layout.channel == model.layout.channel[b]
        alone = not (np.delete(np.asarray(t.nominal)[np.ix_(which, channel)], model.layout.slot[b], 1) != 0).any()
        near = min(sizes, key=lambda x: abs(x - size))
        if abs(near - size) > (SAME_NUMBER if alone else SAME_SIZE) * near:
            continue
        processes = ", ".join(p for p, w in zip(model.processes, which, strict=True) if w)
        [place] = subject.place(np.array([b]), t.systematics[k].name, processes)
        text = f"± {number(size, 3)} events, the simulation's error ± {number(float(near), 3)}, which has its γ"
        text += "; or a normalisation, as the process has no other bin here" if alone else ""
        severity = Severity.NOTE if alone else Severity.WARNING
        found.append(Finding(place, text, severity, {"size": size, "simulation": float(near)}))
    return judged(
        "simulation rows twice",
        f"{len(found)} of {int((acts.sum(1) == 1).sum())} systematics of a single bin have the size of its simulation error",
        found,
        f"equal to {percent(SAME_SIZE)} ({percent(SAME_NUMBER)} of a process of one bin), beside γ (verax's own)",
        "leave out these rows or the γ: both are the finite simulation",
        "size",
    )


def systematic_twice(subject: Subject) -> Verdict:
    """A normsys and a histosys of one parameter that do the same, and two parameters with the same effect."""
    found = [*_within_one(subject), *_pairs(subject)]
    return judged(
        "systematic twice",
        f"{len(found)} effects that are there twice, among {len(subject.templates.systematics)} systematics",
        found,
        f"sizes to {percent(SAME_SIZE)}, cosine above {SAME_SHAPE:g}; flat ones to {percent(SAME_NUMBER)} (verax's own)",
        "leave out one, or take the yield out of the histosys; if they are different effects, say so in the note",
        "size",
    )


def _within_one(subject: Subject) -> list[Finding]:
    """Factors of a normsys that the yield of the histosys of the same parameter has as well."""
    model, found, channel = subject.model, list[Finding](), subject.model.layout.channel
    in_channel = np.eye(len(model.channels))[channel]
    nominal = np.asarray(model.nominal) @ in_channel
    odd, even = (np.asarray(x) @ in_channel for x in (model.odd, model.even))
    factors = [np.exp(np.asarray(x)) - 1 for x in (model.log_up, model.log_down)]
    with np.errstate(divide="ignore", invalid="ignore"):
        yields = [(even + side * odd) / nominal for side in (1, -1)]
    size = np.maximum(*map(abs, factors))
    off = np.maximum(*(abs(f - y) for f, y in zip(factors, yields, strict=True)))
    for k, i, c in np.argwhere((size > 1e-6) & (off < SAME_SIZE * size)):
        place = Place(subject.templates.systematics[k].name, model.processes[i], model.channels[c])
        up = [100 * float(x[0][k, i, c]) for x in (factors, yields)]
        text = f"normsys {number(up[0], 2, sign=True)} % and histosys {number(up[1], 2, sign=True)} % of the yield multiply"
        found.append(Finding(place, text, Severity.WARNING, {"normsys": up[0] / 100, "size": up[1] / 100}))
    return found


def _pairs(subject: Subject) -> list[Finding]:
    """Parameters whose effects have the same shape and size over all templates, each group once."""
    t, model = subject.templates, subject.model
    nominal, root = np.asarray(t.nominal), np.sqrt(subject.weight)
    up, down = (np.asarray(side) - nominal for side in (t.up, t.down))
    effect = np.concatenate([up * root, down * root], axis=1).reshape(len(up), 2 * nominal.size)
    length = np.linalg.norm(effect, axis=1)
    product = effect @ effect.T
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine, ratio = product / np.outer(length, length), length[:, None] / length
    flat = [_is_flat(u, nominal, model.layout.channel) for u in up]
    kinds, names, found, told = _kinds(subject), [p.name for p in t.systematics], list[Finding](), set[int]()
    same = (abs(cosine) > SAME_SHAPE) & (abs(ratio - 1) < SAME_SIZE)
    for j in range(len(names)):
        others = [int(k) for k in np.flatnonzero(same[j]) if k > j and j not in told]
        # Two normalisations of about the same size are common.
        others = [k for k in others if not _both(flat, kinds, j, k) or abs(ratio[j, k] - 1) <= SAME_NUMBER]
        if not others:
            continue
        told.update(others)
        k, many = others[0], f" and {len(others) - 2} more" * (len(others) > 3)
        place = Place(" and ".join(names[x] for x in [j, *others[: 2 if many else 3]]) + many)
        severe = any(not _both(flat, kinds, j, x) for x in others)
        what = " and ".join("+".join(kinds[x]) for x in (j, k))
        text = f"{what}, cosine {number(float(cosine[j, k]), 4)}, sizes {number(float(ratio[j, k]), 3)} : 1"
        text += f"; each {number(float(length[k]) / np.sqrt(2), 2)} σ of the data"
        numbers = {"cosine": float(cosine[j, k]), "size": float(length[k]), "parameters": len(others) + 1.0}
        found.append(Finding(place, text, Severity.WARNING if severe else Severity.NOTE, numbers))
    return found


def _both(flat: list[bool], kinds: list[tuple[str, ...]], j: int, k: int) -> bool:
    """Whether two systematics are normalisations, written with the same modifiers."""
    return flat[j] and flat[k] and kinds[j] == kinds[k]


def _is_flat(up: np.ndarray, nominal: np.ndarray, channel: np.ndarray) -> bool:
    """Whether an effect [process, bin] is the same factor in all bins of each process and channel."""
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(nominal != 0, up / nominal, 0.0)
    for c in range(int(channel.max()) + 1):
        here = relative[:, channel == c]
        if (np.ptp(here, axis=1) > FLAT * abs(here).max(1)).any():
            return False
    return True


def _kinds(subject: Subject) -> list[tuple[str, ...]]:
    """Kinds of modifiers that each systematic has."""
    model = subject.model
    shape = (np.asarray(model.odd) != 0).any((1, 2)) | (np.asarray(model.even) != 0).any((1, 2))
    norm = (np.asarray(model.log_up) != 0).any((1, 2)) | (np.asarray(model.log_down) != 0).any((1, 2))
    return [("normsys",) * bool(n) + ("histosys",) * bool(s) for n, s in zip(norm, shape, strict=True)]
