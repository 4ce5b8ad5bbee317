"""Small models of the zoo under compute-sanitizer: no kernel reads or writes outside of what is its own."""

import os
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(__file__), ".."), os.path.join(os.path.dirname(__file__), "..", "..", "bench")]

import archives  # noqa: E402
from genie import toolchain  # noqa: E402

MODELS = ("mlp", "dlrm", "bert")


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            archive = archives.zoo(name)
            plan = os.path.join(folder, f"{name}.gplan")
            toolchain.compile_archive(archive.path, plan, ["--target", os.environ.get("GENIE_DEVICE_TARGET", "cuda:sm_90")])
            command = ["compute-sanitizer", "--error-exitcode", "9", toolchain.find("bin/genie"), "run", plan]
            done = subprocess.run([*command, "--inputs", archive.calls[0][0]], capture_output=True, text=True, check=False)
            summary = [line for line in (done.stdout + done.stderr).splitlines() if "SUMMARY" in line]
            print(f"{name}: {' '.join(summary) or done.stderr[-300:]}")
            failures += done.returncode != 0
    return failures


if __name__ == "__main__":
    sys.exit(main())
