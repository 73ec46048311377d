"""A question about a workspace does not wait for a compiler: the first answer comes from NumPy."""

import json
import subprocess
import sys

from workspaces import EXAMPLES

QUESTIONS = ("fit", "interval", "scan", "breakdown", "significance", "limit", "ranking", "gof", "audit --toys 0")
WAITED_FOR = ("jax", "jaxlib", "equinox", "jaxtyping", "matplotlib", "scipy")

ASK = f"""
import json, sys
from verax.cli import main
for name in {QUESTIONS}:
    try:
        main([*name.split(), sys.argv[1]])
    except SystemExit as stopped:
        assert not stopped.code, name
    loaded = [m for m in {WAITED_FOR} if m in sys.modules]
    print(json.dumps([name, loaded]), file=sys.stderr)
"""


def test_no_question_imports_what_it_does_not_need(tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(EXAMPLES["shapesys"]))
    asked = subprocess.run([sys.executable, "-c", ASK, str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    found = dict(json.loads(line) for line in asked.stderr.splitlines() if line.startswith("["))
    assert tuple(found) == QUESTIONS
    assert found == {name: [] for name in QUESTIONS}
