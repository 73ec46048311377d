"""What every comparison writes: one layout of the page and of the JSON beside it."""

import json
from pathlib import Path


def read_comparison(folder: Path) -> dict:
    """The sections of comparison.json, by title, after checks of what all four comparisons share."""
    content = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert set(content) == {"settings", "sections"}
    assert {"seeds", "note"} < set(content["settings"])
    trials = [t for section in content["sections"].values() for t in section.get("trials", ())]
    assert trials
    for trial in trials:
        assert set(trial) == {"subject", "row", "seed", "result", "seconds", "problem"}
        assert trial["seed"] in content["settings"]["seeds"]
        assert trial["seconds"] > 0
    page = (folder / "comparison.html").read_text(encoding="utf-8")
    for text in (*content["sections"], content["settings"]["note"], *(t["row"] for t in trials)):
        assert text in page
    return content["sections"]
