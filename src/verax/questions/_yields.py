"""Expected events before and after the fit, and what systematics do to them."""

import numpy as np

from verax.errors import check_known
from verax.infer import fit
from verax.model import Yields, postfit_yields, prefit_yields, templates
from verax.report import Draw, Section, Table, number, tables
from verax.results import Status
from verax.templates import Layout, acts, normalisation_part

from . import _options as options
from ._ask import Query, figure, respond

PREFIT = {
    "slope": "Pre-fit errors: the slope of the yield at nominal times the prior width, of each parameter.",
    "half-difference": "Pre-fit errors: half the difference of the yields at +1 and −1 prior width, of each parameter.",
}


@respond.register
def answer_yields(question: options.Yields, query: Query) -> Section:
    """Find the events expected in each channel, before and after the fit, beside the observed ones."""
    model, data = query.model, query.data
    check_known(question.channels, model.channels, "--channel", "channel")
    shown: dict[str, Yields] = {"Pre-fit": prefit_yields(model, error=question.prefit_error)}
    content, warnings = dict[str, object](), list[str]()
    if not question.prefit:
        best = fit(model, data)
        content["status"] = status = Status(int(best.status)).name
        if best.status > Status.AT_BOUND:
            warnings.append(f"the fit ended with status {status}: its yields describe no data")
        shown["Post-fit"] = postfit_yields(model, data, best)
    counts, channel = np.asarray(data.counts), model.layout.channel
    made, figures = [], {}
    for c, name in enumerate(model.channels):
        if question.channels and name not in question.channels:
            continue
        here = channel == c
        columns = {k: (y.by_process[:, here].sum(1), y.process_channel_error[:, c]) for k, y in shown.items()}
        total = {k: (float(y.by_process[:, here].sum()), float(y.channel_error[c])) for k, y in shown.items()}
        observed = float(counts[here].sum())
        for k, y in shown.items():
            if below := int((y.by_process[:, here].sum(0) < 0).sum()):
                warnings.append(
                    f"{k}: fewer than 0 events expected in {below} of {here.sum()} bins of {name}, which is impossible"
                )
        title, note = f"Events in {name}", PREFIT[question.prefit_error]
        made.append(tables.yields(model.processes, columns, total, data=observed, title=title, note=note))
        content[name] = {
            "data": observed,
            **{
                k.lower(): {
                    **{p: [float(v[i]), float(e[i])] for i, p in enumerate(model.processes)},
                    "total": list(total[k]),
                }
                for k, (v, e) in columns.items()
            },
        }
        stage, last = list(shown.items())[-1]
        figures[name] = (f"{stage} events in {name}.", _data_and_model(query, name, stage, last))
    return Section("Yields", "", figures, made, content, warnings)


def _data_and_model(query: Query, channel: str, stage: str, found: Yields) -> Draw:
    """Draw stacked processes, data, ratio and uncertainty of one channel."""
    return figure(
        "score_distribution",
        templates(query.model),
        channel,
        expected=found.by_process,
        error=found.bin_error,
        data=np.asarray(query.data.counts),
        signal=_signal(query),
        signal_scale=0.0,
        stage=stage,
        xlabel="Bin",
        masked=query.mask.get(channel, ()),
    )


def _signal(query: Query) -> tuple[str, ...]:
    """Find the processes that the parameter of interest multiplies, where it is a normalisation of some but not all."""
    model = query.model
    own = [i for i, name in enumerate(model.names[: model.n_free]) if name == query.poi]
    own += [model.n_free + j for j, f in enumerate(model.functions) if query.poi in f.parameters]
    if not own:
        return ()
    multiplied = np.asarray(model.normfactor_mask)[own].max(axis=(0, 2)).tolist()
    return tuple(p for p, m in zip(model.processes, multiplied, strict=True) if m) if not all(multiplied) else ()


@respond.register
def answer_templates(question: options.Templates, query: Query) -> Section:
    """Find what each systematic does to each process in each channel: its yield, and the rest of its shape."""
    all_of = templates(query.model)
    names = [p.name for p in all_of.systematics]
    check_known(question.systematics, names, "--systematic", "systematic")
    check_known(question.channels, all_of.channels, "--channel", "channel")
    check_known(question.processes, all_of.processes, "--process", "process")
    nominal = np.asarray(all_of.nominal)
    up, down = np.asarray(all_of.up), np.asarray(all_of.down)
    channel = Layout(tuple(len(e) - 1 for e in all_of.edges)).channel
    factor = [np.exp(log) for log in normalisation_part(nominal, up, down, channel)]
    rows, content, figures = [], [], {}
    chosen = (question.systematics, question.processes, question.channels)
    for k, i, c in np.argwhere(acts(all_of)):
        systematic, process, place = names[k], all_of.processes[i], all_of.channels[c]
        label = (systematic, process, place)
        if not all(name in wanted or not wanted for name, wanted in zip(label, chosen, strict=True)):
            continue
        here = channel == c
        centre = nominal[i, here]
        size = [100 * (float(f[k, i, c]) - 1) for f in factor]
        with np.errstate(divide="ignore", invalid="ignore"):
            shapes = [side[k, i, here] / f[k, i, c] / centre - 1 for side, f in zip((up, down), factor, strict=True)]
        shape = [100 * float(np.nanmax(np.where(centre != 0, abs(s), 0.0), initial=0.0)) for s in shapes]
        rows.append((*label, *(number(x, 2, sign=True) for x in size), number(max(shape), 2)))
        named = dict(zip(("systematic", "process", "channel"), label, strict=True))
        content.append({**named, "nominal": centre, "up": up[k, i, here], "down": down[k, i, here]})
        draw = figure("template_variation", all_of, systematic, place, processes=(process,), xlabel="Bin")
        figures[label] = (f"{systematic}, of {process} in {place}.", draw)
    columns = ("Systematic", "Process", "Channel", "Yield, θ = +1 [%]", "θ = −1 [%]", "Largest shape change [%]")
    shown = Table("Variations of the templates", columns, tuple(rows))
    return Section("Template variations", figures=figures, tables=(shown,), content={"variations": content})
