"""Keyword arguments as the options of the program, whose names and words they share."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

# Keywords that scikit-learn, scikit-image and HyperSpy have under these names.
RENAMED = {
    "image_index": "image",
    "marks": "mark",
    "n_patterns": "clusters",
    "n_components": "components",
    "n_init": "restarts",
    "random_state": "seed",
}

# Options that are about files, or say what Python says in another way.
NOT_KEYWORDS = {
    "clusters", "components", "image", "restarts", "seed", "force", "format", "help", "jobs", "json", "k",
    "labels", "like", "mask-invert", "no-report", "out", "overlay", "overlay-alpha", "quiet",
    "recursive", "resume", "save", "strain-reference", "table", "verbose", "mask",
}

Options = list[tuple[str, str | None]]


def options(keywords: Mapping[str, Any]) -> Options:
    """The options of the program that mean the same as ``keywords``."""
    made: Options = []
    for name, value in keywords.items():
        option = RENAMED.get(name, name.replace("_", "-"))
        if name not in RENAMED and option in NOT_KEYWORDS:
            raise TypeError(f"there is no keyword argument '{name}'")
        if name == "n_patterns":
            made.append(("clusters", n_patterns(value)))
        elif name == "random_state":
            made.extend(seed(value))
        elif name == "marks" and value is not None:
            made.append(("mark", marks(value)))
        elif name == "merge" and value is not None:
            made.append(("merge", merged(value)))
        elif name == "roi" and value is not None:
            made.append(("roi", region(value)))
        elif value is None or value is False:
            continue
        elif value is True:
            made.append((option, None))
        else:
            made.append((option, words(name, value)))
    return made


def n_patterns(value: Any) -> str:
    """``"auto"``, ``"auto:6"`` or a number, as the program writes it."""
    if isinstance(value, str):
        if value == "auto" or value.startswith("auto:"):
            return value
        raise TypeError(
            f"n_patterns={value!r}: give a whole number without quotes, \"auto\", or \"auto:6\" for "
            "no more than six"
        )
    if value is None:
        return "auto"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"n_patterns={value!r}: give a whole number, or \"auto\"")
    if value < 1:
        raise ValueError(f"n_patterns={value}: give at least 1, or \"auto\"")
    return str(int(value))


def seed(value: Any) -> Options:
    """The seed that a ``random_state`` of scikit-learn stands for."""
    if value is None:
        return []
    if isinstance(value, np.random.RandomState):
        value = value.randint(0, 2**31)
    elif isinstance(value, np.random.Generator):
        value = value.integers(0, 2**31)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"random_state={value!r}: give a whole number of 0 or more, or None")
    if value < 0:
        raise ValueError(f"random_state={value}: give a whole number of 0 or more, or None")
    return [("seed", str(int(value)))]


def marks(value: Mapping[tuple[int, int], int]) -> str:
    """Pixels whose label is known, as the program writes them."""
    try:
        all_marks = [(int(row), int(col), int(label)) for (row, col), label in value.items()]
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(
            f"marks={value!r}: give a dict from pixels to labels, for example {{(120, 340): 2}}"
        ) from error
    return ";".join(f"{row},{col}={label}" for row, col, label in all_marks)


def merged(value: Any) -> str:
    """Groups of labels that become one, as the program writes them."""
    if isinstance(value, str):
        return value
    try:
        groups = [[int(label) for label in group] for group in value]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"merge={value!r}: give a list of groups of labels, for example [(2, 3)]"
        ) from error
    return ",".join("+".join(map(str, group)) for group in groups)


def region(value: Any) -> str:
    """Two slices, a tuple of them or of pairs, or text as ``"100:600,0:512"``."""
    if isinstance(value, str):
        return value
    try:
        rows, cols = value
        return f"{_slice(rows)},{_slice(cols)}"
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"roi={value!r}: give two slices, for example numpy.s_[100:600, 0:512]"
        ) from error


def _slice(value: Any) -> str:
    if isinstance(value, slice):
        if value.step not in (None, 1):
            raise ValueError("a step")
        start, stop = value.start, value.stop
    else:
        start, stop = value
    return ":".join("" if bound is None else str(int(bound)) for bound in (start, stop))


def words(name: str, value: Any) -> str:
    """A value as it stands on a command line."""
    if isinstance(value, str):
        return value
    if isinstance(value, (tuple, list, np.ndarray)):
        # Half sizes of rows and columns; lists of orders, folds and periods.
        joint = "x" if name in ("patch", "window", "pixel_size") else ","
        return joint.join(words(name, one) for one in value)
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        number = repr(float(value))
        # Pixel sizes have a unit, which is nm where a number is given, as in HyperSpy and xarray.
        return f"{number}nm" if name == "pixel_size" else number
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{name}={value!r}: {type(value).__name__} is neither a number nor text")
