"""Finds geniec and libgenie, and compiles archives to plans."""

import glob
import os
import shutil
import subprocess


class GenieError(RuntimeError):
    """What Genie cannot do, in one line."""


def _homes():
    """Folders with bin/geniec and lib/libgenie.so, best first: what the user names, the build around this package, PATH."""
    for variable in ("GENIE_HOME", "GENIE_BUILD"):
        if os.environ.get(variable):
            yield os.environ[variable]
    repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for preset in ("release", "dev"):
        yield os.path.join(repository, "build", preset)
    on_path = shutil.which("geniec")
    if on_path:
        yield os.path.dirname(os.path.dirname(os.path.realpath(on_path)))


def find(*patterns):
    """The first file that matches one of the patterns in one of the folders."""
    for home in _homes():
        for pattern in patterns:
            for path in glob.glob(os.path.join(home, pattern)):
                return path
    raise GenieError(f"{os.path.basename(patterns[0])} is nowhere: set GENIE_HOME to Genie's build or install folder")


def geniec():
    return find("bin/geniec")


def libgenie():
    return find("lib/libgenie.so", "lib/*/libgenie.so", "bin/libgenie.so")


def compile_archive(archive, plan, options=()):
    """Runs `geniec archive -o plan`; GenieError carries the first line that geniec printed."""
    command = [geniec(), os.fspath(archive), "-o", os.fspath(plan), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise GenieError(lines[0] if lines else f"geniec ended with {done.returncode} and said nothing")
