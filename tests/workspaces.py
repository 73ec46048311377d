"""Small pyhf workspaces, one for each modifier and more, shared by the tests."""

import json


def sample(name, data, *modifiers):
    return {"name": name, "data": data, "modifiers": [{"name": n, "type": t, "data": d} for n, t, d in modifiers]}


def workspace(channels, *, parameters=(), poi="mu", observations=None):
    """A workspace from {channel: [samples]}; observed are the rounded nominal counts, and a few more."""
    observations = observations or {
        c: [round(sum(x) + 2.0) for x in zip(*(s["data"] for s in samples), strict=True)]
        for c, samples in channels.items()
    }
    return {
        "version": "1.0.0",
        "channels": [{"name": c, "samples": list(samples)} for c, samples in channels.items()],
        "observations": [{"name": c, "data": list(d)} for c, d in observations.items()],
        "measurements": [{"name": "m", "config": {"poi": poi, "parameters": list(parameters)}}],
    }


MU = ("mu", "normfactor", None)
LUMI = {"name": "lumi", "inits": [1.1], "bounds": [[0.5, 1.5]], "auxdata": [1.05], "sigmas": [0.03]}
EXAMPLES = {
    "normfactor": workspace({"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("k", "normfactor", None))]}),
    "normfactor in one channel": workspace(
        {
            "a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("k", "normfactor", None))],
            "c": [sample("b", [70.0, 30.0, 20.0]), sample("s", [1.0, 2.0, 3.0], MU, ("k", "normfactor", None))],
        }
    ),
    "lumi": workspace(
        {"a": [sample("s", [5.0, 6.0], MU, ("lumi", "lumi", None)), sample("b", [50.0, 60.0])]}, parameters=[LUMI]
    ),
    "normsys and histosys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample("b", [50.0, 60.0], ("n", "histosys", {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]})),
            ],
            "c": [
                sample("b", [70.0], ("n", "normsys", {"hi": 0.9, "lo": 1.2}), ("o", "normsys", {"hi": 1.0, "lo": 1.0}))
            ],
        }
    ),
    "shapefactor": workspace(
        {
            "a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("f", "shapefactor", None))],
            "c": [sample("b", [70.0, 40.0], ("f", "shapefactor", None))],
        }
    ),
    "shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 2.0, 1.0], MU),
                sample("b", [50.0, 60.0, 20.0, 0.0], ("e", "shapesys", [5.0, 3.0, 0.0, 2.0])),
            ],
        }
    ),
    "two shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("d", "shapesys", [1.0, 0.5])),
                sample("b", [50.0, 60.0], ("e", "shapesys", [5.0, 3.0])),
            ],
        }
    ),
    "staterror": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 1.0], MU, ("st", "staterror", [0.5, 0.4, 0.0])),
                sample("b", [50.0, 60.0, 3.0], ("st", "staterror", [5.0, 3.0, 0.0])),
            ],
        }
    ),
    "staterror of some samples": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0, 4.0], MU),
                sample("b", [50.0, 60.0, 0.0], ("st", "staterror", [5.0, 3.0, 1.0])),
                sample(
                    "o",
                    [10.0, 9.0, 0.0],
                    ("st", "staterror", [2.0, 1.0, 1.0]),
                    ("x", "normsys", {"hi": 1.2, "lo": 0.7}),
                ),
            ],
        }
    ),
    "staterror across channels": workspace(
        {
            "z": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]))],
            "a": [sample("b", [20.0], ("st", "staterror", [1.5]))],
        }
    ),
    "staterror and shapesys": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("st", "staterror", [0.5, 0.4])),
                sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]), ("e", "shapesys", [4.0, 2.0])),
            ],
        }
    ),
    "staterror with settings": workspace(
        {"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 3.0]))]},
        parameters=[{"name": "st", "auxdata": [0.9, 1.2], "sigmas": [0.2, 0.3]}],
    ),
    "staterror with bounds": workspace(
        {"a": [sample("s", [5.0, 6.0], MU), sample("b", [50.0, 60.0], ("st", "staterror", [5.0, 0.0]))]},
        parameters=[{"name": "st", "bounds": [[0.5, 1.5], [0.5, 1.5]], "inits": [0.9, 1.0]}],
    ),
    "fixed": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample("b", [50.0, 40.0], ("st", "staterror", [5.0, 3.0]), ("k", "normfactor", None)),
            ]
        },
        parameters=[
            {"name": "n", "inits": [0.5], "auxdata": [0.3], "fixed": True},
            {"name": "st", "fixed": True},
            {"name": "k", "inits": [1.3], "bounds": [[0.0, 5.0]]},
        ],
    ),
    "everything": workspace(
        {
            "a": [
                sample("s", [5.0, 6.0], MU, ("lumi", "lumi", None), ("n", "normsys", {"hi": 1.2, "lo": 0.7})),
                sample(
                    "b",
                    [50.0, 60.0],
                    ("n", "histosys", {"hi_data": [55.0, 57.0], "lo_data": [44.0, 61.0]}),
                    ("f", "shapefactor", None),
                    ("e", "shapesys", [4.0, 2.0]),
                    ("st", "staterror", [5.0, 3.0]),
                ),
                sample("o", [9.0, 3.0], ("st", "staterror", [2.0, 1.0]), ("lumi", "lumi", None)),
            ],
            "Z": [sample("b", [20.0, 30.0, 40.0], ("f", "shapefactor", None), ("k", "normfactor", None))],
        },
        parameters=[LUMI],
    ),
}


def validation(folder):
    """The set-ups of pyhf's validation tests, by the name of their file, whole workspaces; ``folder`` holds the files.

    Most files have yields only; which modifier uses them is told in pyhf's tests/test_validation.py.
    """
    found = {}
    for path in sorted(folder.glob("*bin*.json")):
        source, name = json.loads(path.read_text()), path.stem
        if "measurements" in source:
            found[name] = source
            continue
        if name == "1bin_lumi":
            y = source["bindata"]
            lumi = ("lumi", "lumi", None)
            samples = [sample("signal", y["sig"], MU), sample("bkg1", y["bkg1"], lumi), sample("bkg2", y["bkg2"], lumi)]
            settings = {"name": "lumi", "inits": [1.0], "bounds": [[0.0, 10.0]], "auxdata": [1.0], "sigmas": [0.1]}
            found[name] = workspace({"a": samples}, parameters=[settings], observations={"a": y["data"]})
            continue
        parts = source.get("channels", {"single": source})
        channels, observations = {}, {}
        for channel, part in parts.items():
            y = part["bindata"]
            samples = [sample("signal", y["sig"], MU)] if "sig" in y else []
            for b in ("bkg", "bkg1", "bkg2", "bkg3"):
                if b in y:
                    samples.append(sample(b, y[b], *_background(name, channel, b, y)))
            channels[channel], observations[channel] = samples, y["data"]
        found[name] = workspace(channels, observations=observations)
    return found


def _background(name, channel, b, y):
    """The modifiers of one background in a validation set-up."""
    if "statex" in name:
        return [("st", "staterror", y[f"{b}err"])] if f"{b}err" in y else []
    if "normsys" in name or "couplednorm" in name:
        wide = b == "bkg2"
        return [("norm", "normsys", {"lo": 0.5 if wide else 0.9, "hi": 1.5 if wide else 1.1})]
    if "histo" in name:
        prefix = "bkgsys" if b == "bkg" else b
        return [("histo", "histosys", {"lo_data": y[f"{prefix}_dn"], "hi_data": y[f"{prefix}_up"]})]
    if "shapefactor" in name:
        return [("coupled", "shapefactor", None)]
    return [(f"error_{channel}", "shapesys", y[f"{b}err"])]


def as_hs3(spec, *, relative):
    """HS3 of a workspace without parameter settings, as ROOT writes it."""
    distributions, data = [], []
    for channel, observed in zip(spec["channels"], spec["observations"], strict=True):
        samples = []
        for sample in channel["samples"]:
            content = {"contents": sample["data"]}
            modifiers = [written(m, sample, content, relative) for m in sample["modifiers"]]
            samples.append({"name": sample["name"], "data": content, "modifiers": modifiers})
        axes = [{"name": f"obs_{channel['name']}", "min": 0.0, "max": 1.0, "nbins": len(observed["data"])}]
        distributions.append(
            {"name": f"model_{channel['name']}", "type": "histfactory_dist", "axes": axes, "samples": samples}
        )
        data.append(
            {"name": f"obsData_{channel['name']}", "type": "binned", "axes": axes, "contents": observed["data"]}
        )
    names = [d["name"] for d in distributions], [d["name"] for d in data]
    return {
        "metadata": {"hs3_version": "0.2"},
        "distributions": distributions,
        "data": data,
        "likelihoods": [{"name": "simPdf_obsData", "distributions": names[0], "data": names[1]}],
        "analyses": [{"name": "simPdf_obsData", "likelihood": "simPdf_obsData", "parameters_of_interest": ["mu"]}],
        "domains": [
            {"name": "default_domain", "type": "product_domain", "axes": [{"name": "mu", "min": 0.0, "max": 10.0}]}
        ],
        "parameter_points": [{"name": "default_values", "parameters": [{"name": "mu", "value": 1.0}]}],
    }


def written(modifier, sample, content, relative):
    name, kind, data = modifier["name"], modifier["type"], modifier["data"]
    entry = {"name": name, "type": kind, "parameter": name}
    if kind == "normsys":
        return entry | {"constraint": "Gauss", "data": data}
    if kind == "histosys":
        sides = {key: {"contents": data[f"{key}_data"]} for key in ("hi", "lo")}
        return entry | {"constraint": "Gauss", "data": sides}
    if kind == "staterror":
        content["errors"] = data
        return entry | {"constraint": "Gauss"}
    if kind == "shapesys":
        vals = [e / x if x else 0.0 for e, x in zip(data, sample["data"], strict=True)] if relative else data
        return entry | {"constraint": "Poisson", "data": {"vals": vals}}
    return entry
