"""Import of HistFactory models from HS3 (HEP Statistics Serialization Standard, version 0.2), by way of pyhf's JSON.

The model is HistFactory's (CERN-OPEN-2012-016). Read are distributions of type ``histfactory_dist`` with their data, one
likelihood, its analysis or none, with its initial point and domains (else "default_values" and "default_domain"), functions
that multiply samples, and Gaussian auxiliary distributions. All that is not read, or would mean another likelihood, is
refused by name, in one line.

Where writers differ the file decides, by what it says of its writer or by the bounds that ROOT gives γ (1 + 5σ); else the
caller: whether errors ``vals`` of ``shapesys`` are relative (ROOT) or absolute (pyhs3's examples), and what constrains γ
of ``staterror`` and ``shapesys`` without a constraint (ROOT: Poisson and Gauss; pyhs3: Gauss and Poisson).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from verax.choices import BIN_CONSTRAINTS, SHAPE_ERRORS
from verax.errors import InputError, check_known
from verax.model import Penalty

from ._hs3_functions import Functions, penalty
from ._hs3_modifiers import CODES, Reader
from ._hs3_schema import check_channel, check_document, check_likelihood, edges, table
from ._modifiers import Codes, Rate
from ._read import Imported, imported
from ._schema import Json, check_workspace, numbers, read_json

AUXILIARY = ("gaussian_dist", "multivariate_normal_dist")
"""Types of auxiliary distributions that are read."""


class Content(NamedTuple):
    """A likelihood of a file as a pyhf workspace, and what pyhf's JSON cannot say: more settings, functions, codes."""

    workspace: Json
    settings: list[Json]
    rates: list[Rate]
    penalties: tuple[Penalty, ...]
    normsys: Codes
    histosys: Codes


def is_hs3(spec: Any) -> bool:
    """Whether the content of a JSON file is HS3: it has distributions, or says so in its metadata.

    >>> is_hs3({"metadata": {"hs3_version": "0.2"}}), is_hs3({"channels": []})
    (True, False)
    """
    if not isinstance(spec, Mapping):
        return False
    metadata = spec.get("metadata")
    return "distributions" in spec or (isinstance(metadata, Mapping) and "hs3_version" in metadata)


def from_hs3(
    spec: Json | str | Path,
    *,
    likelihood: str | None = None,
    poi: str | None = None,
    shape_errors: str | None = None,
    bin_constraint: str | None = None,
    mask: Mapping[str, Sequence[int]] | None = None,
) -> Imported:
    """Read the likelihood, data and parameter of interest of an HS3 file.

    Parameters
    ----------
    spec : its content, or a file ("-" for standard input)
    likelihood : name of a likelihood or of an analysis; by default the first of :func:`likelihoods`
    poi : by default the first parameter of interest of an analysis of this likelihood
    shape_errors : whether ``vals`` of ``shapesys`` are "relative" (ROOT) or "absolute"; needed where the file does not tell
    bin_constraint : "gauss" or "poisson", of ``staterror`` and ``shapesys`` that say none; needed where the file does not
        say that ROOT wrote it
    mask : bins to leave out, by channel, numbered from 0, as by :func:`verax.workspace.edit.mask`

    Raises
    ------
    InputError : whatever is wrong with it or cannot be had exactly (other distributions, constraints or codes), naming
        distribution, sample and modifier; all such obstacles are in the one line

    >>> counts = {"axes": [{"name": "mass", "nbins": 1, "min": 0, "max": 1}], "contents": [59.0]}
    >>> signal = {"parameter": "mu", "name": "mu", "type": "normfactor"}
    >>> sample = {"name": "signal", "data": {"contents": [50.0]}, "modifiers": [signal]}
    >>> channel = {"name": "SR", "type": "histfactory_dist", "axes": counts["axes"], "samples": [sample]}
    >>> model, data, poi = from_hs3({
    ...     "metadata": {"hs3_version": "0.2"},
    ...     "distributions": [channel],
    ...     "data": [{"name": "observed", "type": "binned", **counts}],
    ...     "likelihoods": [{"name": "all", "distributions": ["SR"], "data": ["observed"]}],
    ... }, poi="mu")
    >>> model.names, data.counts.tolist()
    (('mu',), [59.0])
    """
    content = read_json(spec) if isinstance(spec, (str, Path)) else spec
    found = read_hs3(content, likelihood, poi, shape_errors, bin_constraint)
    workspace = found.workspace
    config = {"poi": workspace["measurements"][0]["config"]["poi"], "parameters": found.settings}
    codes = {"normsys": found.normsys, "histosys": found.histosys}
    return imported(
        workspace, config, poi, mask, False, **codes, group={}, rates=found.rates, penalties=found.penalties
    )


def read_hs3(
    spec: Json, likelihood: str | None, poi: str | None, shape_errors: str | None, bin_constraint: str | None
) -> Content:
    """One likelihood of the content of a file; parameters keep their names, and those of one modifier's bins share one.

    Raises
    ------
    InputError : as in :func:`from_hs3`
    """
    for name, value, choices in (
        ("shape_errors", shape_errors, SHAPE_ERRORS),
        ("bin_constraint", bin_constraint, BIN_CONSTRAINTS),
    ):
        if value not in (None, *choices):
            raise InputError(name, f"'{value}'", " or ".join(f"'{x}'" for x in choices))
    check_document(spec)
    _survey(spec, likelihood)
    chosen, analysis = _chosen(spec, likelihood)
    distributions, data = table(spec, "distributions"), table(spec, "data")
    functions = Functions(_names(spec, "functions"))
    points, domains = _points(spec, analysis), _domains(spec, analysis)
    reader = Reader(points, domains, functions, distributions, shape_errors, bin_constraint, _by_root(spec))
    channels, observations = [], []
    for name, entry in zip(chosen["distributions"], chosen["data"], strict=True):
        check_channel(distributions[name])
        channels.append(reader.channel(distributions[name]))
        observations.append({"name": name, "data": _contents(entry, data, distributions[name])})
    penalties = _auxiliary(chosen, distributions, reader)
    settings = reader.settings()
    _raise(reader.obstacles)
    interest = poi if poi is not None else next(iter(analysis.get("parameters_of_interest", [])), None)
    measurement = {"name": chosen["name"], "config": {"poi": interest or "", "parameters": []}}
    made = {"version": "1.0.0", "channels": channels, "observations": observations, "measurements": [measurement]}
    check_workspace(made)
    normsys, histosys = (CODES[k][next(iter(reader.codes[k]), [*CODES[k]][-1])][0] for k in ("normsys", "histosys"))
    return Content(made, settings, functions.rates, penalties, normsys, histosys)


def likelihoods(spec: Json) -> tuple[str, ...]:
    """Names of the likelihoods of a file, the default one first: the first that is not of Asimov data by its name.

    Raises
    ------
    InputError : for a file that is not HS3
    """
    names = [*_names(spec, "likelihoods")]
    return tuple(sorted(names, key=lambda n: "asimov" in n.lower()))


def notes(spec: Json, *, likelihood: str | None = None, poi: str | None = None) -> list[str]:
    """Say what :func:`from_hs3` takes for granted of a file that it can read, a line each.

    Parameters
    ----------
    spec : its content
    likelihood, poi : as of :func:`from_hs3`
    """
    found = []
    if "hs3_version" not in spec.get("metadata", {}):
        found.append("the file does not say its hs3_version: read as version 0.2")
    several = _chosen(spec, likelihood)[1].get("parameters_of_interest", [])
    if poi is None and len(several) > 1:
        found.append(f"parameter of interest '{several[0]}', the first of {len(several)}: {', '.join(several[1:6])}")
    return found


def _by_root(spec: Json) -> bool:
    """Whether a file says that ROOT wrote it."""
    packages = spec.get("metadata", {}).get("packages")
    names = [p.get("name") for p in packages if isinstance(p, Mapping)] if isinstance(packages, list) else []
    return "ROOT" in names


def _raise(obstacles: list[InputError]) -> None:
    """Raise InputError for what cannot be imported: the first in full, and the others by what and where."""
    if not obstacles:
        return
    first, *rest = obstacles
    told: dict[str, list[str]] = {}
    for e in rest:
        where, _, what = e.where.rpartition(", ") if e.where.endswith(NATURES) else (e.where, "", "")
        place = where.rpartition("modifier ")[2].rpartition("distribution ")[2]
        told.setdefault(f"{what} {e.got}".strip()[:80], []).append(place)
    more = []
    for text, places in told.items():
        some = [*dict.fromkeys(places)]
        shown = ", ".join(some[:5]) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
        more.append(f"{shown}: {text}")
    action = "; ".join(x for x in (first.action, f"{len(rest)} more obstacles: {'; '.join(more)}" if rest else "") if x)
    raise InputError(first.where, first.got, first.expected, action)


NATURES = ("constraint", "interpolation", "parameter", "parameters", "type")
"""Last words of where obstacles are, that say what they are about."""


def _survey(spec: Json, likelihood: str | None) -> None:
    """Raise InputError for all parts of a file that this reader knows nothing of, each by name and type."""
    obstacles = [
        InputError("HS3", f"no list '{section}'", f"'{section}'")
        for section in ("distributions", "data", "likelihoods")
        if not spec.get(section)
    ]
    distributions, data, functions = (_names(spec, s) for s in ("distributions", "data", "functions"))
    auxiliary: list[str] = []
    wanted, sets = list(distributions), list(data)
    if spec.get("likelihoods"):
        chosen, _ = _chosen(spec, likelihood)
        wanted, sets = chosen["distributions"], [d for d in chosen["data"] if isinstance(d, str)]
        auxiliary = chosen.get("aux_distributions", [])
        where = f"likelihood '{chosen['name']}'"
        if not obstacles:
            check_known([*wanted, *auxiliary], distributions, where, "distribution")
            check_known(sets, data, where, "data")
        wanted, auxiliary = ([n for n in names if n in distributions] for names in (wanted, auxiliary))
        sets = [n for n in sets if n in data]
    kinds: list[tuple[str, Mapping[str, Json], Iterable[str], tuple[str, ...]]] = [
        ("distribution", distributions, wanted, ("histfactory_dist",)),
        ("auxiliary distribution", distributions, auxiliary, AUXILIARY),
        ("data", data, sets, ("binned",)),
    ]
    if obstacles or any(distributions[n].get("type") != "histfactory_dist" for n in wanted):
        kinds.append(("function", functions, functions, ("generic_function", "sum", "product")))
    for what, entries, names, known in kinds:
        for name in names:
            if (kind := entries[name].get("type")) not in known:
                expected = " or ".join(f"'{k}'" for k in known)
                obstacles.append(InputError(f"{what} '{name}', type", f"'{kind}'"[:80], expected))
    _raise(obstacles)


def _auxiliary(chosen: Json, distributions: Mapping[str, Json], reader: Reader) -> tuple[Penalty, ...]:
    """Auxiliary distributions: a Gaussian of a factor is its constraint, others are penalties; each counts once."""
    found = []
    members = {m for n, (_, names) in reader.sets.items() if n in reader.constraints for m in names}
    constrained = {*members, *(n for n, kind in reader.scalars.items() if kind != "normfactor")}
    for name in chosen.get("aux_distributions", ()):
        if name in reader.named:
            continue
        try:
            made = penalty(distributions[name], reader.functions, reader.number)
        except InputError as error:
            reader.obstacles.append(error)
            continue
        plain = [f.name for f in made.formulas if f.name not in reader.functions]
        if twice := [n for n in plain if n in constrained or n in reader.gaussian]:
            where = f"auxiliary distribution '{name}'"
            reader.obstacles.append(InputError(where, f"a second constraint of '{twice[0]}'", "one"))
        elif len(made.formulas) > len(plain) or len(plain) > 1:
            found.append(made)
        elif reader.points.get(plain[0], {}).get("const") is not True:
            reader.gaussian[plain[0]] = made.mean[0], math.sqrt(made.covariance[0][0])
    return tuple(found)


def _chosen(spec: Json, name: str | None) -> tuple[Json, Json]:
    """The likelihood of a name, or the default one, and its analysis, or nothing; a name may be an analysis' too."""
    found, analyses = table(spec, "likelihoods"), _names(spec, "analyses")
    for a in analyses.values():
        check_known([a["likelihood"]], found, f"analysis '{a['name']}'", "likelihood")
    if not found:
        raise InputError("HS3, likelihoods", "an empty list", "one or more")
    by_analysis = name is not None and name not in found and name in analyses
    if name is not None and not by_analysis:
        check_known([name], {**found, **analyses}, "HS3", "likelihood or analysis")
    chosen = found[analyses[str(name)]["likelihood"] if by_analysis else name or likelihoods(spec)[0]]
    check_likelihood(chosen)
    own = [a for a in analyses.values() if a["likelihood"] == chosen["name"]]
    if by_analysis or len(own) > 1:
        same = [a for a in own if a["name"] == (name if by_analysis else chosen["name"])]
        if len(same) != 1:
            seen = f"{len(own)} analyses: {', '.join(a['name'] for a in own)}"[:200]
            raise InputError(
                f"likelihood '{chosen['name']}'", seen, "one, for its domains and initial values", "name it"
            )
        own = same
    if own and own[0].get("prior") is not None:
        raise InputError(f"analysis '{own[0]['name']}'", f"prior '{own[0]['prior']}'"[:80], "none")
    return chosen, own[0] if own else {}


def _names(spec: Json, section: str) -> dict[str, Json]:
    """The entries of a section that may be missing, by name."""
    return table(spec, section) if section in spec else {}


def _contents(entry: Any, data: dict[str, Json], distribution: Json) -> list[float]:
    """Observed events, in the same bins as the distribution's."""
    where = f"data '{entry}' of distribution '{distribution['name']}'"
    if isinstance(entry, (list, tuple)):
        numbers(entry, f"data of distribution '{distribution['name']}'", None)
        return [float(x) for x in entry]
    check_known([entry], data, "likelihood", "data")
    found = data[entry]
    if found.get("type") != "binned":
        raise InputError(where, f"type '{found.get('type')}'"[:80], "'binned'")
    check_known(found, ("name", "type", "axes", "contents"), where, "key")
    ours, theirs = edges(distribution, "distribution"), edges(found, where)
    names, own = ([axis["name"] for axis in node["axes"]] for node in (found, distribution))
    if names != own:
        raise InputError(f"{where}, axes", f"observables {names}"[:80], f"those of the distribution, {own}"[:80])
    same = ours is None or theirs is None or [len(e) for e in ours] == [len(e) for e in theirs]
    if same and ours is not None and theirs is not None:
        for a, b in zip(ours, theirs, strict=True):
            same &= all(
                math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9 * (a[-1] - a[0])) for x, y in zip(a, b, strict=True)
            )
    if not same:
        raise InputError(f"{where}, axes", f"edges {theirs}"[:80], f"those of the distribution, {ours}"[:80])
    numbers(found.get("contents"), f"{where}, contents", None)
    return [float(x) for x in found["contents"]]


def _points(spec: Json, analysis: Json) -> dict[str, Json]:
    """Values and constness by parameter: of the analysis' initial point, else of "default_values", else of the only one."""
    found = _names(spec, "parameter_points")
    names = ["default_values"] if "default_values" in found else list(found)
    if (init := analysis.get("init", analysis.get("parameter_init"))) is not None:
        check_known([init], found, f"analysis '{analysis['name']}', init", "parameter point")
        names = [*(n for n in names if n == "default_values"), init]
    elif len(names) > 1:
        raise InputError(
            "HS3, parameter_points", ", ".join(names)[:200], "'default_values', or one that an analysis names"
        )
    return {p["name"]: p for n in names for p in found[n]["parameters"]}


def _domains(spec: Json, analysis: Json) -> dict[str, Json]:
    """Axes by parameter: of the analysis' domains, else of "default_domain", else of the only one."""
    found = _names(spec, "domains")
    named = [*analysis.get("domains", []), *(analysis[k] for k in ("domain", "parameter_domain") if k in analysis)]
    check_known(named, found, f"analysis '{analysis.get('name')}'", "domain")
    first = ["default_domain"] if "default_domain" in found else list(found)
    if not named and len(first) > 1:
        raise InputError("HS3, domains", ", ".join(first)[:200], "'default_domain', or some that an analysis names")
    axes: dict[str, Json] = {}
    for n in named or first:
        if found[n].get("type", "product_domain") != "product_domain":
            raise InputError(f"domain '{n}'", f"type '{found[n]['type']}'"[:80], "'product_domain'")
        for axis in found[n]["axes"]:
            if axes.setdefault(axis["name"], axis) != axis:
                raise InputError(f"domain '{n}'", f"other bounds of '{axis['name']}'", "those of the other domain")
    default = found["default_domain"]["axes"] if "default_domain" in found else []
    return {**{axis["name"]: axis for axis in default}, **axes}
