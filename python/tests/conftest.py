"""What the tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

import stemseg

ROOT = Path(__file__).resolve().parents[2]


def data() -> Path | None:
    """The folder of test data, as the tests of the workspace look for it."""
    named = os.environ.get("STEMSEG_TESTS_DATA")
    if named == "off":
        return None
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def needed(*parts: str) -> Path:
    """A file of the test data; the test is skipped where it is missing, and fails where CI is set."""
    folder = data()
    path = folder and folder.joinpath(*parts)
    if path is None or not path.exists():
        words = f"no test data: {'/'.join(parts)}"
        if os.environ.get("CI") and os.environ.get("STEMSEG_TESTS_DATA") != "off":
            pytest.fail(words)
        pytest.skip(words)
    return path


def library(name: str):
    """A library that the environment of the tests brings."""
    if os.environ.get("CI"):
        return __import__(name)
    return pytest.importorskip(name)


@pytest.fixture(scope="session")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two lattices, with the truth."""
    return stemseg.simulate("square-hexagonal", size=256)


@pytest.fixture(scope="session")
def found(scene):
    return stemseg.segment(scene[0], 2, device="cpu", pixel_size=0.02)
