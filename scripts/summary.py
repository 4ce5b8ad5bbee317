"""Counts the JUnit files of a folder and closes a test run with one line: `N passed, N failed, N skipped`.

usage: summary.py FOLDER FILE...     the files named must be there: a runner that left none has failed
"""

import glob
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """(passed, failed, skipped, names of the failed) of one file; a runner that left no result counts as one failure."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return 0, 1, 0, [f"{path}: {error}"]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    names = [f"{case.get('classname')} {case.get('name')}" for case in failed]
    return len(cases) - len(failed) - len(skipped), len(failed), len(skipped), names


def main(folder, *expected):
    paths = sorted(set(glob.glob(f"{folder}/*.xml")) | {f"{folder}/{name}" for name in expected})
    counts = [count(path) for path in paths]
    for name in (name for entry in counts for name in entry[3]):
        print(f"failed: {name}")
    passed, failed, skipped = (sum(entry[i] for entry in counts) for i in range(3))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
