"""Import of HistFactory workspaces (CERN-OPEN-2012-016; pyhf's JSON, J. Open Source Softw. 6 (2021) 2823)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from verax.errors import InputError, check_known
from verax.model import BinnedLikelihood, Data, code4, code4p, is_combine

from ._mask import mask as masked
from ._modifiers import Codes, Import
from ._schema import Json, check_workspace, patched, read_json


class Imported(NamedTuple):
    """What a workspace holds: the likelihood, the observed data, and the name of the parameter of interest.

    ``poi`` is None where the measurement names none, or errors of the simulation, which the likelihood profiles.
    """

    model: BinnedLikelihood
    data: Data
    poi: str | None


def from_pyhf(
    workspace: Json | str | Path,
    *,
    measurement: str | None = None,
    poi: str | None = None,
    patch: Any = None,
    patchname: str | None = None,
    normsys: Codes = code4,
    histosys: Codes = code4p,
    convention: str = "histfactory",
    group: Mapping[str, str] | None = None,
    mask: Mapping[str, Sequence[int]] | None = None,
) -> Imported:
    """Read the likelihood, data and parameter of interest of a pyhf workspace.

    Parameters
    ----------
    workspace : its content, or a file ("-" for standard input)
    measurement : by default the first one
    poi : by default the measurement's
    patch : a JSON patch, or a patch set
    patchname : the name of one patch of a set
    normsys : interpolation of factors, ``code4`` or ``code1`` of :mod:`verax.model`
    histosys : interpolation of templates, ``code4p``, ``code2`` or ``code0``
    convention : of profiled ``staterror``, "histfactory" or "combine" (see :func:`verax.model.binned_likelihood`)
    group : row of the uncertainty breakdown for each named parameter, in place of its kind
    mask : bins to leave out, by channel, numbered from 0, as by :func:`verax.workspace.edit.mask`

    Raises
    ------
    InputError : whatever is wrong with it, naming channel, sample and modifier; an unknown measurement, parameter of
        interest or patch (nearest name given); negative expected events at the initial values

    >>> from verax.model import example_model
    >>> from verax.workspace import to_pyhf
    >>> model, data, poi = from_pyhf(to_pyhf(*example_model(), poi="mu"))
    >>> model.names, data.counts.tolist(), poi
    (('mu', 'jes', 'background_norm'), [59.0, 53.0], 'mu')
    """
    spec = read_json(workspace) if isinstance(workspace, (str, Path)) else workspace
    if patch is not None:
        spec = patched(spec, patch, name=patchname)
    check_workspace(spec)
    table = {m["name"]: m["config"] for m in spec["measurements"]}
    check_known([measurement] if measurement is not None else [], table, "workspace", "measurement")
    config = table[measurement] if measurement is not None else spec["measurements"][0]["config"]
    return imported(
        spec, config, poi, mask, is_combine(convention), normsys=normsys, histosys=histosys, group=group or {}
    )


def imported(
    spec: Json,
    config: Json,
    poi: str | None,
    mask: Mapping[str, Sequence[int]] | None,
    combine_convention: bool,
    **options: Any,
) -> Imported:
    """The likelihood of a workspace that has been checked, with one measurement's ``config``; ``options`` of the import."""
    if mask:
        spec = masked({**spec, "measurements": [{"config": config}]}, mask)
        config = spec["measurements"][0]["config"]
    interest = poi if poi is not None else config["poi"] or None
    reader = Import(spec, {p["name"]: p for p in config["parameters"]}, interest, **options)
    fields, data = reader.result(combine_convention)
    if interest is not None and reader.is_profiled(interest):
        if poi is not None:
            raise InputError(
                "parameter of interest", f"'{interest}', errors of the simulation", "a parameter of the fit"
            )
        interest = None
    return Imported(BinnedLikelihood(**fields), data, interest)
