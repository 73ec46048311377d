"""Small pyhf workspaces, one for each modifier and more, shared by the tests."""


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
