"""What the scores of networks are worth: reliability, separation, and whether networks know the events they saw."""

from dataclasses import replace

import numpy as np

from verax.analysis import Campaign, Learning
from verax.check import (
    Overtraining,
    Reliability,
    ReliabilitySums,
    Roc,
    diagram,
    overtraining,
    reliability_sums,
    roc,
)
from verax.data import read_events
from verax.learn import fold_of, is_held_out
from verax.run import Run

from ._learn import stride_of
from ._simulate import Table
from ._summary import score_of


def judged(
    campaign: Campaign, learning: Learning, table: Table, run: Run
) -> tuple[Reliability, dict[str, Roc], dict[str, Overtraining]]:
    """Reliability with signal and background at equal total weight, as networks were trained; ROC; overtraining.

    For the last, half of the events that networks learnt from are scored by networks that saw them, those of the next
    fold, and all others by those that did not: no event is in both samples.
    """
    score, yields = score_of(learning, run), {y.process: y.total for y in table.yields}
    folds, stride, held_out = learning.options.folds, stride_of(learning, table), learning.options.held_out
    s = sum(yields[p] for p in campaign.signal)
    b = sum(yields.values()) - s
    sums: ReliabilitySums | None = None
    parts: dict[str, list[np.ndarray]] = {k: [] for k in ("score", "weight", "label", "channel", "seen", "saw")}
    # Chunks of a fixed size, not the analysis' own: these sums are rounded, and must not depend on it.
    for events in read_events(run.path("simulate") / "nominal.parquet", 65536):
        label, number = np.asarray(events.is_process(campaign.signal)), np.asarray(events.number)
        weight, own = np.asarray(events.weight, np.float64), score(events)
        part = reliability_sums(own, label, weight / np.where(label, 2 * s, 2 * b))
        sums = part if sums is None else sums + part
        turn = number // folds
        seen = (turn % stride == 0) & (turn // stride % 2 == 1) & ~is_held_out(number, held_out)
        some = events.take(np.flatnonzero(seen))
        saw = score(replace(some, number=((fold_of(some.number, folds) + 1) % folds).astype(np.uint32)))
        found = own, weight, label, campaign.selections(events), seen, saw
        for name, values in zip(parts, found, strict=True):
            parts[name].append(values)
    assert sums is not None
    own, weight, label, channel, seen, saw = (np.concatenate(values) for values in parts.values())
    groups = {"": channel >= 0}
    if len(campaign.channels) > 1:
        groups |= {name: channel == i for i, name in enumerate(campaign.channels)}
    curves, compared = dict[str, Roc](), dict[str, Overtraining]()
    for name, chosen in groups.items():
        if all(weight[chosen & kind].sum() > 0 for kind in (label, ~label)):
            curves[name] = roc(own[chosen], label[chosen], weight[chosen])
    for name, kind in (("signal", label), ("background", ~label)):
        two = weight[kind & seen], weight[kind & ~seen]
        if all(w.sum() > 0 for w in two):
            compared[name] = overtraining(saw[kind[seen]], own[kind & ~seen], *two)
    return diagram(sums), curves, compared
