"""How well a label map agrees with the true one; none depends on how labels are numbered."""

from __future__ import annotations

import json
from typing import Any

from stemseg import _core
from stemseg._read import as_labels

__all__ = ["NO_DATA", "adjusted_rand_index", "scores"]

#: True label of a pixel that holds no data: it does not count.
NO_DATA = 65535


def scores(truth: Any, found: Any, *, margin: int = 40, tolerance: float = 5.0) -> dict[str, Any]:
    """Compare two label maps.

    Parameters
    ----------
    truth, found : array_like of int, [rows, cols]
    margin : int, default 40
        Pixels along every side that do not count: there labels are extended, not found.
    tolerance : float, default 5
        Distance up to which two boundaries are the same, px.

    Returns
    -------
    dict
        ``adjusted_rand_index``, ``mean_iou``, ``ious``, ``boundary_f1``,
        ``boundary_displacement``, ``labelled_without_data``.
    """
    made = _core.scores(as_labels(truth), as_labels(found), margin, float(tolerance))
    return json.loads(made)


def adjusted_rand_index(truth: Any, found: Any, *, margin: int = 0) -> float:
    """Adjusted Rand index of two label maps, 1 where they agree and about 0 where by chance."""
    return scores(truth, found, margin=margin)["adjusted_rand_index"]
