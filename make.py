"""Set up verax in a virtual environment of its own and run it there; needs Python 3.11 or newer and nothing else.

python3 make.py run [ARGUMENTS ...]     verax run, the measurement on the embedded analysis unless told otherwise
python3 make.py test [ARGUMENTS ...]    the test suite; with --all the thorough tests as well
python3 make.py check                   lint, types and import floors
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("make.py: got Python " + sys.version.split()[0] + "; expected 3.11 or newer; run it with such a Python")

ROOT = Path(__file__).resolve().parent
HOME = Path(os.environ.get("VERAX_VENV", ROOT / ".venv"))
NO_TESTS = 5  # pytest's exit code where nothing was selected
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")


def install(extra):
    """Make the environment and install verax with the pinned versions, unless that was done for these pins."""
    pins, project = ROOT / "constraints.txt", ROOT / "pyproject.toml"
    wanted = pins.read_text() + project.read_text()
    stamp = HOME / f"verax-{extra or 'base'}.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    if not BIN.is_dir():
        print(f"making a virtual environment in {HOME}", flush=True)
        venv.create(HOME, with_pip=True)
    print("installing verax with pinned versions", flush=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [BIN / "python", "-m", "pip", "install", "--quiet", "--constraint", pins, "--editable", target]
    subprocess.run(command, check=True)
    stamp.write_text(wanted)


def call(*command):
    """Run a command of the environment in the project's folder."""
    return subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT).returncode


def main(arguments):
    """Do what the first argument says."""
    verb, rest = (arguments or [""])[0], arguments[1:]
    if verb == "run":
        install("")
        return call("verax", "run", *rest)
    if verb == "test":
        install("test")
        suite = ("python", "-m", "pytest", "-n", "2", "-q", *(a for a in rest if a != "--all"))
        code = call(*suite)
        if code or "--all" not in rest:
            return code
        code = call(*suite, "-m", "thorough and not slow")
        return 0 if code == NO_TESTS else code
    if verb == "check":
        install("dev")
        checks = [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)]
        return max([call(*check) for check in checks])
    print(__doc__)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"make.py: the installation failed with exit code {error.returncode}; see the lines above")
