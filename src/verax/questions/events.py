"""Expected events before and after the fit, and what systematics do to them."""

import numpy as np
from matplotlib.figure import Figure

from verax.errors import check_known
from verax.infer import fit
from verax.model import Yields, postfit_yields, prefit_yields
from verax.model.extract import templates
from verax.model.layout import Layout
from verax.model.split import normalisation_part
from verax.model.treatment import acts
from verax.questions.ask import Answer, Asked, Draw
from verax.report import plots, tables
from verax.report.numbers import number
from verax.report.tables import Table
from verax.results import Status


def answer_yields(a: Asked) -> Answer:
    """Events expected in each channel, before and after the fit, beside the observed ones."""
    check_known(a.channels, a.model.channels, "--channel", "channel")
    shown: dict[str, Yields] = {"Pre-fit": prefit_yields(a.model)}
    content: dict[str, object] = {}
    if not a.prefit:
        best = fit(a.model, a.data)
        content["status"] = Status(int(best.status)).name
        shown["Post-fit"] = postfit_yields(a.model, a.data, best)
    counts, channel = np.asarray(a.data.counts), a.model.layout.channel
    made, figures = [], dict[str, Draw]()
    for c, name in enumerate(a.model.channels):
        if a.channels and name not in a.channels:
            continue
        here = channel == c
        columns = {k: (y.by_process[:, here].sum(1), y.process_channel_error[:, c]) for k, y in shown.items()}
        total = {k: (float(y.by_process[:, here].sum()), float(y.channel_error[c])) for k, y in shown.items()}
        seen = float(counts[here].sum())
        made.append(tables.yields(a.model.processes, columns, total, data=seen, title=f"Events in {name}"))
        content[name] = {
            "data": seen,
            **{
                k.lower(): {
                    **{p: [float(v[i]), float(e[i])] for i, p in enumerate(a.model.processes)},
                    "total": list(total[k]),
                }
                for k, (v, e) in columns.items()
            },
        }
        figures[name] = _data_and_model(a, name, *list(shown.items())[-1])
    return Answer(tuple(made), content, figures)


def _data_and_model(a: Asked, channel: str, stage: str, found: Yields) -> Draw:
    """Stacked processes, data, ratio and uncertainty of one channel."""

    def draw() -> Figure:
        return plots.score_distribution(
            templates(a.model),
            channel,
            expected=found.by_process,
            error=found.bin_error,
            data=np.asarray(a.data.counts),
            signal=_signal(a),
            signal_scale=0.0,
            stage=stage,
            xlabel="Bin",
        )

    return draw


def _signal(a: Asked) -> tuple[str, ...]:
    """Processes that the parameter of interest multiplies, where it is a normalisation of some but not all."""
    first = [i for i, name in enumerate(a.model.names[: a.model.n_free]) if name == a.poi]
    if not first:
        return ()
    multiplied = np.asarray(a.model.normfactor_mask)[first[0]].any(axis=1)
    return tuple(p for p, m in zip(a.model.processes, multiplied, strict=True) if m) if not multiplied.all() else ()


def answer_templates(a: Asked) -> Answer:
    """What each systematic does to each process in each channel: its yield, and the rest of its shape."""
    all_of = templates(a.model)
    names = [p.name for p in all_of.systematics]
    check_known(a.systematics, names, "--systematic", "systematic")
    check_known(a.channels, all_of.channels, "--channel", "channel")
    check_known(a.processes, all_of.processes, "--process", "process")
    nominal = np.asarray(all_of.nominal)
    up, down = np.asarray(all_of.up), np.asarray(all_of.down)
    channel = Layout(tuple(len(e) - 1 for e in all_of.edges)).channel
    factor = [np.exp(log) for log in normalisation_part(nominal, up, down, channel)]
    rows, content, figures = [], [], dict[tuple[str, ...], Draw]()
    for k, i, c in np.argwhere(acts(all_of)):
        systematic, process, place = names[k], all_of.processes[i], all_of.channels[c]
        wanted = zip((systematic, process, place), (a.systematics, a.processes, a.channels), strict=True)
        if not all(name in chosen or not chosen for name, chosen in wanted):
            continue
        here = channel == c
        centre = nominal[i, here]
        size = [100 * (float(f[k, i, c]) - 1) for f in factor]
        with np.errstate(divide="ignore", invalid="ignore"):
            shapes = [side[k, i, here] / f[k, i, c] / centre - 1 for side, f in zip((up, down), factor, strict=True)]
        shape = [100 * float(np.nanmax(np.where(centre != 0, abs(s), 0.0), initial=0.0)) for s in shapes]
        rows.append((systematic, process, place, *(number(x, 2, sign=True) for x in size), number(max(shape), 2)))
        content.append(
            {
                "systematic": systematic,
                "process": process,
                "channel": place,
                "nominal": centre,
                "up": up[k, i, here],
                "down": down[k, i, here],
            }
        )

        def draw(systematic: str = systematic, place: str = place, process: str = process) -> Figure:
            return plots.template_variation(all_of, systematic, place, processes=(process,), xlabel="Bin")

        figures[systematic, process, place] = draw
    columns = ("Systematic", "Process", "Channel", "Yield, θ = +1 [%]", "θ = −1 [%]", "Largest shape change [%]")
    return Answer((Table("Variations of the templates", columns, tuple(rows)),), {"variations": content}, figures)
