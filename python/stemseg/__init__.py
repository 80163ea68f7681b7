"""Unsupervised segmentation of atomic-resolution STEM micrographs by local symmetry.

>>> import stemseg
>>> micrograph, truth = stemseg.simulate("tilt-boundary", size=256)
>>> found = stemseg.segment(micrograph, 2)
>>> found.labels.shape
(256, 256)

Everything is loaded when it is first used, so that importing this module takes no time.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from stemseg._core import version as _version

__version__ = _version()

if sys.platform == "linux":
    # Mesa's Vulkan drivers print an error where this is not set, though nothing is drawn.
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())

_PLACES = {
    "segment": "_segment",
    "Segmentation": "_segment",
    "Segmenter": "_estimator",
    "Model": "_model",
    "imread": "_read",
    "images_in": "_read",
    "lattices": "_read",
    "Lattices": "_read",
    "devices": "_read",
    "dynamics": "_dynamics",
    "Equation": "_dynamics",
    "kinetics": "_kinetics",
    "Kinetics": "_kinetics",
    "simulate": "_read",
    "UnreadableError": "_errors",
    "NotFittedError": "_errors",
}
_MODULES = ("metrics", "pystem", "hyperspy", "dask", "napari")

__all__ = [*_PLACES, "metrics", "pystem", "__version__"]

if TYPE_CHECKING:
    from stemseg import metrics, pystem
    from stemseg._dynamics import Equation, dynamics
    from stemseg._errors import NotFittedError, UnreadableError
    from stemseg._estimator import Segmenter
    from stemseg._kinetics import Kinetics, kinetics
    from stemseg._model import Model
    from stemseg._read import Lattices, devices, images_in, imread, lattices, simulate
    from stemseg._segment import Segmentation, segment


def __getattr__(name: str):
    if name in _PLACES:
        value = getattr(importlib.import_module(f"stemseg.{_PLACES[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"stemseg.{name}")
    raise AttributeError(f"module 'stemseg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
