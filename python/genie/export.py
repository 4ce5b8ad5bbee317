"""The command `python -m genie.export MODULE:FUNCTION -o model.pt2`.

FUNCTION takes no arguments and returns (model, args), (model, args, kwargs) or (model, args, kwargs, dynamic_shapes).
"""

import argparse
import importlib
import sys

from genie import capture


def _find(source):
    module_name, _, function_name = source.partition(":")
    if not function_name:
        raise ValueError(f"{source!r} is not MODULE:FUNCTION")
    sys.path.insert(0, "")
    return getattr(importlib.import_module(module_name), function_name)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m genie.export", description=__doc__.split("\n\n")[1])
    parser.add_argument("source", metavar="MODULE:FUNCTION", help="what makes the model and its example inputs")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .pt2 archive to write")
    options = parser.parse_args(argv)
    try:
        model, args, *more = _find(options.source)()
        kwargs, dynamic_shapes = (*more, None, None)[:2]
        capture.export(model, args, kwargs, dynamic_shapes, options.output)
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"genie.export: {options.source}: {first_line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
