"""A workspace with four faults, and the verdicts that find them; `verax audit W.json` prints the same as a page."""

from verax.audit import Severity, audit
from verax.workspace import from_pyhf


def histosys(name, up, down):
    return {"name": name, "type": "histosys", "data": {"hi_data": up, "lo_data": down}}


mu = {"name": "mu", "type": "normfactor", "data": None}
jes = histosys("jes", [215.0, 96.0, 31.5], [186.0, 104.0, 28.5])  # fine
model = histosys("model", [222.0, 99.0, 33.0], [208.0, 98.0, 31.0])  # both of its sides move events the same way
simulation = {"name": "gamma", "type": "staterror", "data": [6.0, 4.0, 2.0]}
row = histosys("mc_stat_bin0", [206.0, 100.0, 30.0], [194.0, 100.0, 30.0])  # the first γ once more
again = histosys("jes_2017", [215.0, 96.0, 31.5], [186.0, 104.0, 28.5])  # jes by another name
samples = [
    {"name": "signal", "data": [2.0, 8.0, 12.0], "modifiers": [mu]},
    {"name": "background", "data": [200.0, 100.0, 30.0], "modifiers": [jes, model, simulation, row, again]},
]
workspace = {
    "version": "1.0.0",
    "channels": [{"name": "SR", "samples": samples}],
    "observations": [{"name": "SR", "data": [262, 109, 41]}],  # and far above the background in the first bin
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
}
verdicts = audit(*from_pyhf(workspace))
for verdict in sorted(verdicts, key=lambda v: -v.severity):
    print(f"{verdict.severity.word:9s} {verdict.name}: {verdict.found}")
    if verdict.severity >= Severity.WARNING:
        for finding in verdict.findings[:3]:
            print(f"{'':12s}{finding.place}: {finding.found}")
        print(f"{'':12s}do: {verdict.action}")
faults = {verdict.name for verdict in verdicts if verdict.severity >= Severity.WARNING}
assert faults == {"second minima", "same-side systematics", "simulation rows twice", "systematic twice"}
