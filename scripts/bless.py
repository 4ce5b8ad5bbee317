"""Rewrites the expectations of goldens that no longer hold: GENIE_BLESS=1 ./x test, or python scripts/bless.py FILE...

Of a CHECK line that nothing matches, the pattern becomes the line that FileCheck takes for the one meant: as much of it
as the pattern had, with its captures, and other values as wildcards. Look at the difference before you keep it: a golden
states a promise, and what it says now may not be the one that was meant. What has no such line is left for a person.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = re.compile(r"//\s*RUN:\s*(.*\|\s*FileCheck\s+%s.*)")
FAILED = re.compile(r":(\d+):\d+: error: [\w-]+: expected string not found in input")
INTENDED = re.compile(r"<stdin>:(\d+):\d+: note: possible intended match here")
VALUE = re.compile(r"%[\w#]+")


def run(command, path):
    """The command's output, and what FileCheck says of it ("" when it passes)."""
    producer, _, checker = command.rpartition("|")
    fill = lambda text: text.replace("%s", str(path)).replace("%S", str(path.parent)).strip()  # noqa: E731
    made = subprocess.run(fill(producer), shell=True, capture_output=True, text=True, cwd=ROOT, check=False)
    checked = subprocess.run(fill(checker), shell=True, input=made.stdout, capture_output=True, text=True, check=False)
    return made.stdout, "" if checked.returncode == 0 else checked.stderr


def pattern_of(line, old):
    """The pattern for output `line` in place of pattern `old`."""
    names = re.findall(r"%\[\[\w+(?::[^\]]*)?\]\]", old)
    values = iter(names)
    text = line.strip()
    for mark in (" {", " : (", " : tensor"):  # attributes and types only where the old pattern had them
        if mark not in old:
            text = text.split(mark)[0]
    if not re.match(r"%\S+ = ", old):
        text = re.sub(r"^%\S+ = ", "", text)
    text = text.replace("[[", "{{\\[\\[}}")
    return VALUE.sub(lambda match: match.group() if match.group().startswith("%arg") else next(values, "%{{.*}}"), text)


def bless(path):
    """Rewrites `path`; the lines changed, or None where a person is needed."""
    changed = 0
    for command in (run for run in RUN.findall(path.read_text()) if "%t" not in run):  # lit's folders are lit's
        for _ in range(100):
            output, complaint = run(command, path)
            if not complaint:
                break
            failed, intended = FAILED.search(complaint), INTENDED.search(complaint)
            if not failed or not intended:
                return None
            lines, at = path.read_text().splitlines(keepends=True), int(failed.group(1)) - 1
            head, directive, old = re.match(r"(.*?)([A-Z][\w-]*:\s*)(.*)", lines[at]).groups()
            new = pattern_of(output.splitlines()[int(intended.group(1)) - 1], old)
            if new == old:
                return None
            lines[at] = f"{head}{directive}{new}\n"
            path.write_text("".join(lines))
            changed += 1
    return changed


def main(arguments):
    build = os.environ.get("GENIE_BUILD", str(ROOT / "build" / "dev"))
    os.environ["PATH"] = os.pathsep.join([f"{build}/bin", "/usr/lib/llvm-22/bin", os.environ["PATH"]])
    goldens = [pathlib.Path(name).resolve() for name in arguments] or sorted(ROOT.glob("*/**/test/*.mlir"))
    code = 0
    for path in goldens:
        if path.is_relative_to(ROOT / "build") or not RUN.search(path.read_text()):
            continue
        changed = bless(path)
        if changed is None:
            print(f"{path.relative_to(ROOT)}: needs a person")
            code = 1
        elif changed:
            print(f"{path.relative_to(ROOT)}: {changed} lines rewritten")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
