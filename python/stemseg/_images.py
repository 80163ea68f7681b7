"""Images of whatever kind, as arrays with what is known of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Lengths in nm.
UNITS = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "Å": 0.1, "Å": 0.1, "A": 0.1, "Ang": 0.1,
    "angstrom": 0.1, "Angstrom": 0.1, "pm": 1e-3, "µm": 1e3, "μm": 1e3, "um": 1e3,
    "micron": 1e3, "mm": 1e6, "m": 1e9,
}


@dataclass
class Image:
    """An image that is to be segmented.

    ``pixels`` is a path, or an array ``[rows, cols]`` in the machine's byte order; ``mask``
    ``[rows, cols]`` is True where a pixel does not count; ``pixel_size`` in nm; ``source`` is what
    was given.
    """

    pixels: np.ndarray | Path
    source: Any
    mask: np.ndarray | None = None
    pixel_size: tuple[float, float] | None = None
    name: str = "array"


def image(given: Any, mask: Any = None) -> Image:
    """The image that ``given`` is: a path, or a two-dimensional array of whatever library."""
    if isinstance(given, (str, os.PathLike)):
        if mask is not None:
            raise TypeError(
                "mask: a mask needs an array; read the image with stemseg.imread first"
            )
        path = Path(given)
        if not path.exists():
            words = "there is no such file; check the name and the folder"
            raise FileNotFoundError(errno.ENOENT, words, str(path))
        return Image(path, given)
    found = Image(np.empty((0, 0)), given)
    data, names = given, type(given).__module__.split(".")[0]
    if hasattr(given, "axes_manager"):
        data = _of_hyperspy(given, found)
    elif names == "xarray":
        data = _of_xarray(given, found)
    elif hasattr(given, "pixel_size_nm"):
        found.pixel_size = given.pixel_size_nm
    if hasattr(data, "dask") and hasattr(data, "compute"):
        data = data.compute()
    if isinstance(data, np.ma.MaskedArray):
        own = np.ma.getmaskarray(data)
        mask = own if mask is None else own | _mask(mask, own.shape)
        data = data.data
    found.pixels = array(data)
    if mask is not None:
        found.mask = _mask(mask, found.pixels.shape)
    return found


def array(data: Any) -> np.ndarray:
    """``data`` as an array ``[rows, cols]`` of real numbers in the machine's byte order.

    Raises
    ------
    TypeError
        For elements that are not real numbers.
    ValueError
        For another number of axes, and for no pixels at all.
    """
    try:
        pixels = np.asarray(data)
    except ValueError as error:
        raise TypeError(f"the image is not an array of numbers ({error})") from error
    kind = pixels.dtype.kind
    if kind == "b":
        raise TypeError(
            "the image is boolean, which shows no lattice; give grey values (a mask goes to mask=)"
        )
    if kind == "c":
        raise TypeError("the image is complex; give numpy.abs(image), or one of its parts")
    if kind not in "iuf":
        raise TypeError(f"the image has elements of type {pixels.dtype}; give real numbers")
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and min(pixels.shape[:2]) > 4:
        raise ValueError(
            f"the image has shape {pixels.shape}, which is colour; give grey values, for example "
            "image[..., :3].mean(axis=-1)"
        )
    if pixels.ndim == 3:
        raise ValueError(
            f"the image has shape {pixels.shape}; give one frame, image[0], or all to "
            "Segmenter.fit"
        )
    if pixels.ndim != 2:
        raise ValueError(
            f"the image has {pixels.ndim} axes, of shape {pixels.shape}; give [rows, cols]"
        )
    if pixels.size == 0:
        raise ValueError(f"the image has no pixels: its shape is {pixels.shape}")
    if pixels.dtype.itemsize > 8:
        pixels = pixels.astype(np.float64)
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    # Arrays that lie in messages between processes need not be aligned.
    return pixels if pixels.flags.aligned else pixels.copy()


def _mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    made = np.asarray(getattr(mask, "data", mask) if hasattr(mask, "axes_manager") else mask)
    if made.shape != shape:
        raise ValueError(
            f"mask has shape {made.shape}, but the image has {shape}; they must agree"
        )
    if made.dtype != bool:
        if made.dtype.kind not in "iuf":
            raise TypeError(f"mask has elements of type {made.dtype}; give booleans")
        made = made != 0
    return made


def pixel_size(units: Iterable[str | None], scales: Iterable[float]) -> tuple[float, float] | None:
    """Rows and columns in nm, or None where ``units`` are no lengths.

    Raises
    ------
    ValueError
        For reciprocal units: no micrograph has them.
    """
    sizes = []
    for unit, scale in zip(units, scales, strict=True):
        text = str(unit or "").strip()
        if text.startswith("1/") or text.endswith(("^-1", "-1", "⁻¹")) or text in ("mrad", "rad"):
            raise ValueError(
                f"the axes are in {text}, so this is a diffraction pattern or a transform; give an "
                "image, or correct the units of its axes"
            )
        sizes.append(abs(float(scale)) * UNITS.get(text, np.nan))
    rows, cols = sizes
    return (rows, cols) if all(np.isfinite(sizes)) and min(sizes) > 0 else None


def _of_hyperspy(signal: Any, found: Image):
    axes = signal.axes_manager
    if axes.navigation_dimension:
        raise ValueError(
            f"the signal is a stack of shape {signal.data.shape}; give one image of it, signal.inav[0], "
            "all to Segmenter.fit, or see stemseg.hyperspy.segment_stack"
        )
    if axes.signal_dimension != 2:
        raise ValueError(
            f"the signal has {axes.signal_dimension} signal axes; give a Signal2D of one image"
        )
    cols, rows = axes.signal_axes
    units = tuple(None if "Undefined" in repr(a.units) else a.units for a in (rows, cols))
    found.pixel_size = pixel_size(units, (rows.scale, cols.scale))
    found.name = signal.metadata.get_item("General.title", "") or "signal"
    return signal.data


def _of_xarray(data: Any, found: Image):
    if data.ndim != 2:
        raise ValueError(
            f"the DataArray has the dimensions {data.dims}; give one image of it, for example "
            f"data.isel({data.dims[0]}=0)"
        )
    units: list[str | None] = []
    scales: list[float] = []
    for dim in data.dims:
        if dim not in data.coords or data.sizes[dim] < 2:
            units.append(None)
            scales.append(1.0)
            continue
        steps = np.diff(np.asarray(data.coords[dim], dtype=float))
        even = np.allclose(steps, steps[0], rtol=1e-3)
        units.append(data.coords[dim].attrs.get("units") if even else None)
        scales.append(steps[0])
    found.pixel_size = pixel_size(units, scales)
    found.name = str(data.name or "array")
    return data.data
