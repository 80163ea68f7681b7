"""Results as xarray datasets."""

from __future__ import annotations

from typing import Any

import numpy as np

from stemseg._segment import Segmentation


def to_dataset(found: Segmentation) -> Any:
    """``labels`` and ``confidence`` with the coordinates of what was segmented.

    Of a DataArray its own dimensions and coordinates, of others ``y`` and ``x``, in nm where the pixel
    size is known (centres of pixels, from 0).
    """
    import xarray

    rows, cols = found.labels.shape
    source = found._source.source
    roi = found.summary["input"]["roi"] or [0, rows, 0, cols]
    if type(source).__module__.split(".")[0] == "xarray":
        part = source.isel({source.dims[0]: slice(*roi[:2]), source.dims[1]: slice(*roi[2:])})
        dims = part.dims
        coords = {name: part.coords[name] for name in part.coords if set(part.coords[name].dims) <= set(dims)}
    else:
        dims = ("y", "x")
        size = found.pixel_size or (1.0, 1.0)
        attrs = {"units": "nm" if found.pixel_size else "px"}
        coords = {
            name: (name, (first + np.arange(count)) * scale, attrs)
            for name, first, count, scale in zip(dims, (roi[0], roi[2]), (rows, cols), size, strict=True)
        }
    labels = xarray.DataArray(
        found.labels, dims=dims, coords=coords, name="labels",
        attrs={"long_name": "pattern, 1 the largest, 0 unlabelled", "flag_values": list(found.areas)},
    )
    confidence = xarray.DataArray(
        found.confidence, dims=dims, coords=coords, name="confidence",
        attrs={"long_name": "how sure each label is", "valid_range": [0.0, 1.0]},
    )
    made = xarray.Dataset({"labels": labels, "confidence": confidence})
    made.attrs = {"n_patterns": found.n_patterns, "stemseg_version": found.summary["stemseg_version"]}
    return made
