"""The table of regions, with the names of scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np

# Names of scikit-image for those of regions.csv.
LENGTHS = {
    "equivalent_diameter_area": "equivalent_diameter",
    "axis_major_length": "axis_major_length",
    "axis_minor_length": "axis_minor_length",
    "feret_diameter_max": "feret_diameter_max",
    "feret_diameter_min": "feret_diameter_min",
}


def table(regions: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The columns of ``regions``, each an array with a value for each region."""

    def column(give, kind=float):
        return np.array([give(region) for region in regions], kind)

    made = {
        "label": column(lambda region: region["region"], int),
        "pattern": column(lambda region: region["label"], int),
        "area": column(lambda region: region["area_px"]),
        "centroid-0": column(lambda region: region["centroid_px"][0]),
        "centroid-1": column(lambda region: region["centroid_px"][1]),
    }
    for side in range(4):
        made[f"bbox-{side}"] = column(lambda region, side=side: region["bbox_px"][side], int)
    for name, own in LENGTHS.items():
        made[name] = column(lambda region, own=own: region["shape"][own])
    made["orientation"] = column(lambda region: orientation(region["shape"]["orientation_deg"]))
    made["solidity"] = column(lambda region: region["shape"]["solidity"])
    made["touches_border"] = column(lambda region: region["touches_border"], bool)
    made["mean_confidence"] = column(lambda region: region["confidence"])
    neighbours = np.empty(len(regions), object)
    neighbours[:] = [tuple(region["neighbours"]) for region in regions]
    made["neighbours"] = neighbours
    if regions and regions[0]["shape_nm"] is not None:
        made["area_nm2"] = column(lambda region: region["shape_nm"]["area"])
        for name, own in LENGTHS.items():
            made[f"{name}_nm"] = column(lambda region, own=own: region["shape_nm"][own])
    return made


def orientation(degrees: float) -> float:
    """Radians between the axis of the rows and the longer axis, -pi / 2 to pi / 2, counter-clockwise
    on the image, as scikit-image has it."""
    from_rows = degrees + 90
    return float(np.deg2rad(from_rows - 180 if from_rows > 90 else from_rows))
