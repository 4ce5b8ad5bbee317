"""Options and fixtures of the end-to-end tests: archives of the zoo, the tools of the build, runs of them."""

import os
import subprocess

import pytest

import archives
from genie import toolchain
from zoo import families


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="full-size models, as well as the reduced ones")
    parser.addoption("--target", help="compile for this target and run there, for example cuda:sm_90; default: this CPU")


@pytest.fixture(scope="session")
def is_full(request):
    return request.config.getoption("--all")


def pytest_generate_tests(metafunc):
    """`variant`: the form of an archive and whether the model has its full size. `family_member`: of zoo/families.py."""
    if "variant" in metafunc.fixturenames:
        variants = {"sel": ("sel", False), "raw": ("raw", False)}
        if metafunc.config.getoption("--all"):
            variants["full"] = ("sel", True)
        metafunc.parametrize("variant", variants.values(), ids=variants)
    if "family_member" in metafunc.fixturenames:
        is_whole = metafunc.config.getoption("--all")
        metafunc.parametrize("family_member", families.MODELS if is_whole else families.SAMPLE)


class Tool:
    """A program of the build; a call returns the finished process and never raises for its exit status."""

    def __init__(self, name):
        self.path = toolchain.find(f"bin/{name}")

    def __call__(self, *arguments, folder=None, timeout=600, **options):
        command = [self.path, *map(os.fspath, arguments)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False, **options)


@pytest.fixture(scope="session")
def geniec():
    return Tool("geniec")


@pytest.fixture(scope="session")
def genie_tool():
    return Tool("genie")


@pytest.fixture(scope="session")
def plan_of(geniec, tmp_path_factory, request):
    """plan_of(archive) is the archive's plan, compiled once a test session."""
    folder, plans = tmp_path_factory.mktemp("plans"), {}
    target = request.config.getoption("--target")
    options = ["--target", target] if target else []

    def compile_once(archive):
        if archive not in plans:
            plan = folder / f"{len(plans)}.gplan"
            done = geniec(archive, "-o", plan, *options)
            assert done.returncode == 0, done.stderr[-2000:]
            plans[archive] = plan
        return plans[archive]

    return compile_once


@pytest.fixture(scope="session")
def mlp():
    return archives.zoo("mlp")
