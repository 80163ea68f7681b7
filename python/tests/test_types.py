"""Stubs and annotations."""

import subprocess
import sys

from conftest import ROOT, library


def test_stubs_are_what_is_there(tmp_path):
    library("mypy")
    ran = subprocess.run([sys.executable, "-m", "mypy.stubtest", "stemseg._core"], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout


def test_annotations_hold(tmp_path):
    library("mypy")
    project = ROOT / "python"
    command = [sys.executable, "-m", "mypy", "--config-file", project / "pyproject.toml", "--cache-dir", tmp_path, project / "stemseg"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
