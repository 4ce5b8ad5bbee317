"""How a benchmark ends: its figures are printed, and kept as bench/results/DATE-LABEL.md and .json when that is asked for."""

import json
import pathlib
import sys

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def add_options(parser, label):
    """--keep [LABEL] and --json; `label` is the default one."""
    parser.add_argument("--keep", metavar="LABEL", nargs="?", const=label, help="write bench/results/DATE-LABEL.md and .json")
    parser.add_argument("--json", action="store_true", help="print JSON")


def keep(result, title, text, label):
    """`result["about"]` is cpu.machine(); `text` is Markdown. Gives the files' path without its suffix."""
    about = result["about"]
    path = RESULTS / f"{about['date'][:10]}-{label}"
    head = f"# {title}, {about['date']}, commit {about['commit']}\n\n{about['cpu']}, {about['cores']} cores; load before the run {about['load_before']:.1f}.\n\n"
    path.with_suffix(".md").write_text(f"{head}{text}\n")
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    return path


def literal(text):
    """Text whose lines Markdown shows as they are."""
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def finish(options, result, title, text, markdown):
    print(json.dumps(result, indent=1) if options.json else text)
    if options.keep:
        print(f"kept as {keep(result, title, markdown, options.keep)}.md and .json", file=sys.stderr)
