"""What the documentation shows runs, page by page, and every name in it is there."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys

import pytest
from conftest import ROOT, library

import stemseg

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "python" / "README.md"]
NEEDS = {"from-hyperspy": ("hyperspy", "libertem", "xarray"), "films": ("dask", "zarr"), "first-picture": ("matplotlib",)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_run(page, tmp_path, monkeypatch):
    for name in NEEDS.get(page.stem, ()):
        library(name)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    if page.stem == "README":
        import numpy as np

        np.save("grain.npy", stemseg.simulate("twins", size=256)[0])
        library("matplotlib").use("Agg")
    names = {"__name__": page.stem}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("name", ["stemseg", "stemseg._segment", "stemseg._estimator", "stemseg._dynamics", "stemseg._kinetics"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0 and result.attempted > 0


def test_everything_public_says_what_it_is():
    for name in stemseg.__all__:
        value = getattr(stemseg, name)
        if name.startswith("__"):
            continue
        assert value.__doc__, name
        if inspect.isclass(value):
            for member, what in vars(value).items():
                if callable(what) and not member.startswith("_"):
                    assert what.__doc__, f"{name}.{member}"


def test_pages_name_what_there_is():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for path in re.findall(r"auto(?:function|class|exception|module):: (\S+)", text):
        parts = path.split(".")
        try:
            importlib.import_module(path)
        except ImportError:
            assert hasattr(importlib.import_module(".".join(parts[:-1])), parts[-1]), path


def test_the_site_builds(tmp_path):
    library("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", ROOT / "docs", tmp_path]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "n_patterns" in (tmp_path / "api.html").read_text(encoding="utf-8")
