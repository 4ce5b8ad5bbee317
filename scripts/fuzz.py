"""Runs each libFuzzer target of a folder for a while and writes a JUnit file.

A target starts from the seeds in tests/fuzz/TARGET and in the folders that SEEDS gives its name; what it finds new stays
under build/fuzz/corpus. An input that crashes is left under build/fuzz/crashes, and its name is in the report.
"""

import argparse
import pathlib
import subprocess
import sys
import time
from xml.sax.saxutils import quoteattr

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = {
    "plan": ["tests/corpus/plans/good", "tests/corpus/plans/bad"],
    "pt2": ["build/zoo/*/mlp-sel"],
    "safetensors": ["build/zoo/*/mlp-sel"],
    "wire_frame": ["tests/corpus/wire/good", "tests/corpus/wire/bad"],
}


def run(target, seconds):
    """None when the target ran to its end, else the lines that say what happened."""
    found, crashes = ROOT / "build/fuzz/corpus" / target.name, ROOT / "build/fuzz/crashes"
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    seeds = [ROOT / "tests/fuzz" / target.name]
    for prefix, folders in SEEDS.items():
        if target.name.startswith(prefix):
            seeds += [path for folder in folders for path in ROOT.glob(folder)]
    command = [target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
    command += [f"-artifact_prefix={crashes}/{target.name}-", found, *[seed for seed in seeds if seed.is_dir()]]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return None if done.returncode == 0 else done.stderr[-4000:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--junit", type=pathlib.Path, required=True)
    options = parser.parse_args()
    targets, cases = sorted(path for path in options.folder.iterdir() if path.is_file()), []
    for target in targets:
        started = time.monotonic()
        failure = run(target, options.seconds)
        print(f"{target.name}: {'found a bug' if failure else 'passed'} after {time.monotonic() - started:.0f} s", flush=True)
        body = f"<failure message={quoteattr(failure)}/>" if failure else ""
        cases.append(f'<testcase classname="fuzz" name={quoteattr(target.name)}>{body}</testcase>')
    options.junit.write_text(f'<testsuite name="fuzz">{"".join(cases)}</testsuite>\n')
    return 0 if targets and "<failure" not in "".join(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
