"""Lets timm be imported where torchvision is not installed.

timm's data-loading half imports torchvision; its models do not need it. A torchvision built for another PyTorch is worse
than none (it fails inside its own import, and transformers tries to import it too), so Genie's environments have none.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types


class _Placeholder(type):
    """A class any attribute of which is a placeholder again; it can be subclassed and called, and does nothing."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(name)


def _placeholder(name):
    return _Placeholder(name, (), {"__init__": lambda self, *args, **kwargs: None})


class _PlaceholderModule(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _placeholder(name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return _PlaceholderModule(spec.name)

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def placeholder():
    """Inside this context, `import torchvision` succeeds without torchvision; afterwards it is absent again."""
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    finder = _Finder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
