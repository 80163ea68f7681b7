"""The tables of boundary lines and triple points."""

from __future__ import annotations

from typing import Any

import numpy as np

COURSE = ("length", "roughness", "curvature", "curvature_abs")


def lines(found: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The columns of the lines, each an array with a value for each; NaN where nothing is known."""

    def end(line: dict[str, Any], which: int) -> int:
        if line["ends"] is None or line["ends"][which] == "border":
            return 0
        return line["ends"][which]["triple-point"]

    made = {
        "line": column(found, lambda line: line["line"], int),
        "pattern_1": column(found, lambda line: line["labels"][0], int),
        "pattern_2": column(found, lambda line: line["labels"][1], int),
        "region_1": column(found, lambda line: line["regions"][0], int),
        "region_2": column(found, lambda line: line["regions"][1], int),
        "closed": column(found, lambda line: line["closed"], bool),
        "begins": column(found, lambda line: end(line, 0), int),
        "ends": column(found, lambda line: end(line, 1), int),
        "normal_deg": column(found, lambda line: line["normal_deg"]),
        "straightness": column(found, lambda line: line["straightness"]),
    }
    for name in COURSE:
        made[name] = column(found, lambda line, name=name: line["px"][name])
    if found and found[0]["nm"] is not None:
        for name in COURSE:
            made[f"{name}_nm"] = column(found, lambda line, name=name: line["nm"][name])
    made["points"] = objects(found, lambda line: np.array(line["points"], float).reshape(-1, 2))
    return made


def triple_points(found: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """The columns of the triple points."""

    def of_sectors(name: str, kind=float):
        return objects(found, lambda point: np.array([own[name] for own in point["sectors"]], kind))

    return {
        "triple_point": column(found, lambda point: point["triple_point"], int),
        "row": column(found, lambda point: point["at_px"][0]),
        "col": column(found, lambda point: point["at_px"][1]),
        "lines": objects(found, lambda point: np.array(point["lines"], int)),
        "regions": of_sectors("region", int),
        "patterns": of_sectors("label", int),
        "angles_deg": of_sectors("angle_deg"),
        "angles_deg_error": of_sectors("angle_deg_error"),
    }


def column(found: list[dict[str, Any]], give, kind=float) -> np.ndarray:
    return np.array([give(one) for one in found], kind)


def objects(found: list[dict[str, Any]], give) -> np.ndarray:
    """One array for each, of its own length."""
    made = np.empty(len(found), object)
    for i, one in enumerate(found):
        made[i] = give(one)
    return made
