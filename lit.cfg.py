"""The goldens: every `test/*.mlir`, run through the tools of the build that $GENIE_BUILD names."""

import os

import lit.formats

config.name = "genie"
config.test_format = lit.formats.ShTest()
config.suffixes = [".mlir"]
config.excludes = [".venv", "build", "python", "docs", "examples", "measure"]
config.test_source_root = os.path.dirname(__file__)
build = os.environ.get("GENIE_BUILD", os.path.join(config.test_source_root, "build", "dev"))
config.test_exec_root = os.path.join(build, "goldens")

llvm = "/usr/lib/llvm-22/bin"
config.environment["PATH"] = os.pathsep.join([os.path.join(build, "bin"), llvm, os.environ["PATH"]])
config.environment["GENIE_BUILD"] = build
