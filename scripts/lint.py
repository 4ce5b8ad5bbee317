"""Checks what compilers do not: which folder includes which, what libgenie links, and that generated files are current.

usage: lint.py [--fix]     --fix formats the sources and rewrites generated documents; the rest only a person can fix
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What each folder may include, besides itself, include/ and runtime/base. docs/architecture.md has the reasons.
ARROWS = {
    "include": [],
    "runtime/base": [],
    "runtime/plan": [],
    "runtime/device": ["runtime/plan"],
    "runtime/pool": [],
    "runtime/exec": ["runtime/plan", "runtime/device"],
    "ir": [],
    "passes": ["ir"],
    "codegen": ["ir", "codegen/emit", "codegen/plan", "codegen/kernel"],
    "codegen/kernel": ["ir", "codegen", "runtime/plan"],
    "codegen/plan": ["ir", "codegen", "codegen/emit", "codegen/kernel", "runtime/plan"],
    "codegen/emit": ["ir", "codegen", "codegen/kernel", "codegen/plan", "runtime/plan"],
    "compiler": ["ir", "passes", "codegen", "codegen/kernel", "codegen/plan", "codegen/emit", "runtime/plan", "runtime/pool"],
    "remote_exec/wire": [],
    "remote_exec/identity": [],
    "remote_exec/memory": [],
    "remote_exec/hardening": [],
    "remote_exec/metrics": [],
    "remote_exec/store": ["runtime/plan"],
    "remote_exec/transport": ["remote_exec/wire", "remote_exec/identity", "remote_exec/memory"],
    "remote_exec/node": ["remote_exec/transport", "remote_exec/wire", "runtime/exec", "runtime/plan"],
    "remote_exec/client": ["remote_exec/node", "remote_exec/transport", "remote_exec/wire", "remote_exec/identity",
                           "runtime/exec", "runtime/plan", "runtime/pool"],
    "remote_exec/daemon": ["remote_exec/node", "remote_exec/transport", "remote_exec/wire", "remote_exec/identity",
                           "remote_exec/store", "remote_exec/memory", "remote_exec/hardening", "remote_exec/metrics", "runtime/exec",
                           "runtime/plan", "runtime/device"],
    "tools": ["runtime/plan", "runtime/pool", "remote_exec/client", "remote_exec/transport", "remote_exec/wire"],
    "examples": [],
}

# Which folders may include an outside library's headers.
LIBRARIES = {
    "mlir-c/": ["ir", "passes", "codegen", "compiler"],
    "mlir/": ["ir", "passes", "codegen", "compiler"],
    "llvm-c/": ["codegen"],
    "llvm/": ["ir", "codegen"],
    "ucp/": ["remote_exec/transport"],
}

# Nothing of these is linked into libgenie.
FOREIGN = re.compile(r"\b(LLVM|MLIR|libpython|libtorch|libc10|libstdc\+\+)", re.IGNORECASE)

# Where packages come from and where one machine keeps its files is no business of the repository.
OUTSIDE = re.compile(r"index-url|/(?:work|tmp/venv|root|home)/")


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


def folder_of(path):
    """The longest folder of ARROWS that holds `path`, or None."""
    owners = [folder for folder in ARROWS if path.startswith(folder + "/")]
    return max(owners, key=len, default=None)


def includes(path):
    """(line number, header, is quoted) of each include in a file."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


def check_arrows():
    for path in tracked("*.c", "*.h", "*.cpp", "*.def"):
        folder = folder_of(path)
        for number, header, is_quoted in includes(path):
            for prefix, allowed in LIBRARIES.items():
                if header.startswith(prefix) and not any(path.startswith(name + "/") for name in allowed):
                    yield f"{path}:{number}: {prefix} headers belong to {', '.join(allowed)} only"
            target = folder_of(header) if is_quoted else None
            if folder and target and target not in (folder, "runtime/base", "include", *ARROWS[folder]):
                yield f"{path}:{number}: {folder} may not include {target}"


def check_link_map():
    """libgenie and genied are small and need neither compiler nor Python."""
    build = pathlib.Path(os.environ.get("GENIE_BUILD", ROOT / "build" / "dev"))
    for library in [*build.glob("lib/libgenie.so"), *build.glob("bin/genied")]:
        needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
        symbols = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True).stdout
        for line in needed.splitlines():
            if "NEEDED" in line and FOREIGN.search(line):
                yield f"{library.name}: links {line.split()[-1]}"
        for line in symbols.splitlines():
            if re.search(r"\b(LLVM|mlir|Py)[A-Z_]", line):
                yield f"{library.name}: wants the symbol {line.split()[-1]}"


def check_hardening():
    """What we ship resists: position-independent, relocations read-only, no executable stack, guarded stacks and copies."""
    build = pathlib.Path(os.environ.get("GENIE_BUILD", ROOT / "build" / "dev"))
    shipped = [build / "bin" / name for name in ("genie", "geniec", "genied")] + [build / "lib" / "libgenie.so"]
    for binary in (path for path in shipped if path.exists()):
        text = subprocess.run(["readelf", "-Whld", "--dyn-syms", binary], capture_output=True, text=True, check=True).stdout
        wanted = {
            r"Type: +DYN": "is not position-independent",
            r"GNU_RELRO": "has no read-only relocations",
            r"BIND_NOW|FLAGS_1.*\bNOW\b": "resolves symbols lazily",
            r"GNU_STACK +(\S+ +){5}RW ": "has an executable stack",
            r"__stack_chk_fail": "was built without -fstack-protector-strong",
            r"__\w+_chk\b": "was built without _FORTIFY_SOURCE",
        }
        for pattern, problem in wanted.items():
            if not re.search(pattern, text):
                yield f"{binary.name}: {problem}"
        if re.search(r"LOAD .* RWE ", text):
            yield f"{binary.name}: has a segment that is writable and executable"
        if re.search(r"\((RPATH|RUNPATH|TEXTREL)\)", text):
            yield f"{binary.name}: has a library path of its own, or relocations in its code"


def check_text():
    for path in tracked():
        if path == "scripts/lint.py":
            continue
        try:
            lines = (ROOT / path).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if OUTSIDE.search(line):
                yield f"{path}:{number}: an address or a path of one machine"
            if line != line.rstrip():
                yield f"{path}:{number}: trailing space"


def check_file_names():
    for path in tracked("*.c", "*.h", "*.cpp", "*.py"):
        if re.search(r"(^|_)(util|utils|common|helpers|misc|manager|new|v2)(_|\.)", os.path.basename(path)):
            yield f"{path}: is not named for what it holds"


def check_format(fix):
    files = tracked("*.c", "*.h", "*.cpp")
    if fix:
        subprocess.run(["clang-format-22", "-i", *files], cwd=ROOT, check=True)
        return
    done = subprocess.run(["clang-format-22", "--dry-run", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    for path in sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format-violations" in line}):
        yield f"{path}: is not formatted: ./x fmt"


def check_reference(fix):
    """docs/reference says what the tables say."""
    reference = ROOT / "scripts" / "reference.py"
    command = [sys.executable, reference] + ([] if fix else ["--check"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    yield from (done.stdout + done.stderr[-300:]).splitlines()


def main(arguments):
    fix = arguments == ["--fix"]
    checks = [check_arrows(), check_link_map(), check_hardening(), check_text(), check_file_names(), check_format(fix), check_reference(fix)]
    problems = [problem for check in checks for problem in check]
    print("\n".join(problems) if problems else "lint: nothing to say")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
