"""Reading images, and looking at them, at devices and at simulations."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stemseg import _core
from stemseg._images import image as as_image


class Micrograph(np.ndarray):
    """An array ``[rows, cols]`` that knows its pixel size and where it comes from.

    Attributes
    ----------
    pixel_size_nm : tuple of float or None
        Rows and columns, nm.
    about : dict
        What else the file says: ``format``, ``name``, ``date``, ``instrument``, ``notes``.
    """

    pixel_size_nm: tuple[float, float] | None = None
    about: dict[str, Any] = {}

    def __array_finalize__(self, other: Any) -> None:
        # A part of the image has pixels of the same size; what is computed of it need not.
        self.pixel_size_nm = getattr(other, "pixel_size_nm", None)
        self.about = getattr(other, "about", {})

    def __getitem__(self, key: Any):
        part = super().__getitem__(key)
        steps = key if isinstance(key, tuple) else (key,)
        if isinstance(part, Micrograph) and not all(
            isinstance(step, slice) and step.step in (None, 1) for step in steps
        ):
            part.pixel_size_nm = None
        return part

    def __reduce__(self):
        return _restored, (np.asarray(self), self.pixel_size_nm, self.about)


def _restored(pixels: np.ndarray, size, about) -> Micrograph:
    made = pixels.view(Micrograph)
    made.pixel_size_nm, made.about = size, about
    return made


def imread(
    path: str | os.PathLike, *, image_index: int | None = None, frame: int | str | None = None
) -> Micrograph:
    """Read a micrograph of any format that stemseg knows, by its content.

    Parameters
    ----------
    path : path
        dm3, dm4, ser, emi, EMD, MRC, hspy, zspy, TIFF, npy, npz, PNG, JPEG.
    image_index : int, optional
        Image of a file that holds several, from 0; by default the most likely one.
    frame : int or "mean", optional
        Frame of a stack, from 0, or the mean of all; by default the first.

    Returns
    -------
    Micrograph [rows, cols]
        An ndarray in the file's own type, with ``pixel_size_nm``.

    Raises
    ------
    OSError
        Where there is no such file; `UnreadableError` for what is not an image.
    """
    if isinstance(frame, str):
        if frame != "mean":
            raise ValueError(f"frame={frame!r}: give a number, or \"mean\"")
        frame = -1
    elif frame is not None and frame < 0:
        raise ValueError(f"frame={frame}: frames count from 0")
    pixels, about = _core.read(os.fspath(path), image_index, frame)
    made = json.loads(about)
    size = made.pop("pixel_size_nm")
    return _restored(pixels, size and tuple(size), made)


def images_in(path: str | os.PathLike) -> list[dict[str, Any]]:
    """What a file holds, from its headers: name, shape, dtype and pixel size of each image."""
    _, entries = _core.entries(os.fspath(path))
    return json.loads(entries)


@dataclass(frozen=True)
class Lattice:
    """A crystal lattice in an image.

    Attributes
    ----------
    vectors : ndarray [2, 2]
        The two shortest vectors that span it, each as rows and columns, px.
    share : float
        Share of the image's windows that have it, 0 to 1.
    strength : float
        Mean autocorrelation at its shortest vectors, 0 to 1.
    reflections : float
        How many pairs of Bragg reflections carry its contrast.
    """

    vectors: np.ndarray
    share: float
    strength: float
    reflections: float

    @property
    def lengths(self) -> np.ndarray:
        """Lengths of the vectors, px."""
        return np.hypot(self.vectors[:, 0], self.vectors[:, 1])

    @property
    def angle(self) -> float:
        """Angle between the vectors, degrees."""
        one, other = self.vectors
        return float(np.degrees(np.arccos(one @ other / np.prod(self.lengths))))


class Lattices(list):
    """Lattices, the one that most windows have first; ``period`` is the one of the whole, px."""

    period: float | None = None


def lattices(image: Any, *, mask: Any = None, progress: Any = None) -> Lattices:
    """Find the crystal lattices in an image, of any kind that `segment` takes.

    Returns
    -------
    Lattices
        A list of `Lattice`, with ``period`` in px.
    """
    from stemseg._progress import shown

    taken = as_image(image, mask)
    pixels = taken.pixels if isinstance(taken.pixels, np.ndarray) else os.fspath(taken.pixels)
    with shown(progress) as callback:
        found = json.loads(_core.lattices(pixels, mask=taken.mask, progress=callback))
    made = Lattices(
        Lattice(np.array(one["vectors"]), one["share"], one["strength"], one["reflections"])
        for one in found["lattices"]
    )
    made.period = found["period"]
    return made


def devices() -> list[dict[str, Any]]:
    """The GPUs and the CPU, each tried with a self-test of every kernel.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``backend``, ``passes``, ``reason`` and ``auto``: whether
        ``device="auto"`` takes it.
    """
    listing = json.loads(_core.devices())
    return [{**one, "auto": one["name"] == listing["auto"]["name"]} for one in listing["devices"]]


def simulate(
    scene: str,
    *groups: str,
    size: int | tuple[int, int] = 512,
    cell: float | None = None,
    dose: float | None = 50.0,
    jitter: float = 0.3,
    background: float = 0.25,
    gradient: float = 0.1,
    boundary: str = "curved",
    grains: int | None = None,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate a micrograph with its true labels.

    Parameters
    ----------
    scene : str
        tilt-boundary, square-hexagonal, rectangular-oblique, ordered-precipitates,
        coherent-precipitates, twins, polycrystal, crystal-edge, inversion-domains, plane-group or
        plane-groups.
    *groups : str
        Plane groups of the last two, for example "p4mm", "p4".
    size : int or (rows, cols), default 512
        Size of the image, px.
    cell : float, optional
        Lattice parameter, px.
    dose : float or None, default 50
        Mean number of electrons in a pixel; None gives the ideal image.
    jitter, background, gradient : float
        Displacement of rows, px rms; what lies under the columns; slow change of the signal.
    boundary : {"curved", "straight"}
        Course of the boundaries.
    grains : int, optional
        Number of grains of a polycrystal.
    random_state : int, default 0
        Seed of every random choice.

    Returns
    -------
    image : ndarray of float32, [rows, cols]
    labels : ndarray of uint16, [rows, cols]
        The true label of each pixel, from 1.
    """
    if boundary not in ("curved", "straight"):
        raise ValueError(f"boundary={boundary!r}: give \"curved\" or \"straight\"")
    rows, cols = size if isinstance(size, (tuple, list)) else (size, size)
    image, labels, _ = _core.simulate(
        scene, size=(int(rows), int(cols)), groups=list(groups), grains=grains, cell=cell, dose=dose,
        jitter=jitter, background=background, gradient=gradient, straight=boundary == "straight",
        seed=random_state,
    )
    return image, labels


def as_labels(labels: Sequence | np.ndarray) -> np.ndarray:
    """Labels as the measures take them."""
    made = np.asarray(labels)
    if made.ndim != 2 or made.dtype.kind not in "iu":
        raise TypeError(f"labels of shape {made.shape} and type {made.dtype}: give [rows, cols] of whole numbers")
    if made.size and (made.min() < 0 or made.max() > 65535):
        raise ValueError("labels go from 0 to 65535")
    return np.ascontiguousarray(made, dtype=np.uint16)
