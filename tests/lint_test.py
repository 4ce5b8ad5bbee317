"""The repository keeps its own rules: include arrows, what libgenie links, names and texts."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def load_lint():
    spec = importlib.util.spec_from_file_location("lint", ROOT / "scripts" / "lint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lint = load_lint()


@pytest.mark.parametrize("check", [lint.check_arrows, lint.check_link_map, lint.check_text, lint.check_file_names])
def test_the_repository_passes(check):
    assert list(check()) == []


def test_a_bent_arrow_is_found(monkeypatch):
    monkeypatch.setattr(lint, "tracked", lambda *_: ["runtime/plan/x.c"])
    monkeypatch.setattr(lint, "includes", lambda _: [(3, "runtime/exec/session.h", True), (4, "mlir-c/IR.h", False)])
    arrow, library = sorted(lint.check_arrows())
    assert arrow == "runtime/plan/x.c:3: runtime/plan may not include runtime/exec"
    assert library.startswith("runtime/plan/x.c:4: mlir-c/ headers belong to")
