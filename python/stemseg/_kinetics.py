"""Areas, boundaries and domains of a film that is labelled already."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stemseg import _core

_TEXT = ("status", "event", "with")
_COUNTS = ("frame", "domain", "label", "area_px", "cut")

#: Bytes of frames that are taken from an archive at once.
_AT_ONCE = 64 << 20


@dataclass(frozen=True)
class Kinetics:
    """What `kinetics` found: two tables, each a dict of arrays with one value for each line.

    Attributes
    ----------
    frames : dict of str to ndarray
        A line for each frame; columns as in ``kinetics.csv`` of ``stemseg series``. Numbers are NaN
        where there is nothing to tell.
    domains : dict of str to ndarray
        A line for each connected domain in each frame, as in ``domains.csv``.
    """

    frames: dict[str, np.ndarray]
    domains: dict[str, np.ndarray]
    _texts: tuple[str, str] = field(repr=False)

    def save(self, folder: str | os.PathLike) -> Path:
        """Write ``kinetics.csv`` and ``domains.csv`` into a folder, which is made where it is not there.

        Raises
        ------
        FileExistsError
            Where one of the two is there.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for name in ("kinetics.csv", "domains.csv"):
            if (place / name).exists():
                raise FileExistsError(17, "there is a table already; give another folder", str(place / name))
        for name, text in zip(("kinetics.csv", "domains.csv"), self._texts, strict=True):
            (place / name).write_text(text, encoding="utf-8")
        return place


def kinetics(
    labels: Any,
    *,
    n_patterns: int | None = None,
    period: float | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    frame_interval: float | None = None,
) -> Kinetics:
    """How areas, boundaries and domains of a labelled film change: the tables of ``stemseg series``.

    Frames are taken one after the other, so a film may be larger than memory.

    Parameters
    ----------
    labels : array [frames, rows, cols], or zarr group
        Labels of 0 (none) to ``n_patterns``: an ndarray, a dask or zarr array; or the group that
        `stemseg.dask.run` made, which knows the number of patterns, the period and the pixel size.
    n_patterns : int, optional
        By default the largest label of an ndarray; other arrays need it.
    period : float, optional
        Period of the crystals, px: domains smaller than a cell do not count, and the error of a
        velocity is taken from pieces of two. By default 12.
    pixel_size : float or tuple of float, optional
        Size of a pixel, or its height and width, nm.
    frame_interval : float, optional
        Time between frames, s.

    Returns
    -------
    Kinetics

    Examples
    --------
    >>> import numpy as np
    >>> import stemseg
    >>> labels = np.ones((4, 40, 60), np.uint8)
    >>> for frame in range(4):
    ...     labels[frame, :, 30 + 2 * frame:] = 2
    >>> found = stemseg.kinetics(labels, pixel_size=0.1, frame_interval=0.5)
    >>> found.frames["boundary_1_2_velocity_px_per_frame"][1:]
    array([2., 2., 2.])
    """
    if hasattr(labels, "attrs") and "stemseg" in getattr(labels, "attrs", {}):
        from stemseg._model import Model

        model = Model.from_json(labels.attrs["stemseg"]["model"])
        n_patterns = n_patterns or model.n_patterns
        period = period or model.period
        pixel_size = pixel_size if pixel_size is not None else model.pixel_size
        done = np.asarray(labels["done"][:])
        if not done.all():
            raise ValueError(
                f"{int((done == 0).sum())} of {done.size} chunks are not labelled yet; let stemseg.dask.run end"
            )
        labels = labels["labels"]
    if getattr(labels, "ndim", None) != 3:
        labels = np.asarray(labels)
    if labels.ndim != 3 or 0 in labels.shape:
        raise ValueError(f"labels has shape {labels.shape}; give [frames, rows, cols]")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels has elements of type {labels.dtype}; give whole numbers")
    if n_patterns is None:
        if not isinstance(labels, np.ndarray):
            raise ValueError("n_patterns is needed where labels are not in memory")
        n_patterns = max(1, int(labels.max()))
    size = None
    if pixel_size is not None:
        rows, cols = np.broadcast_to(np.asarray(pixel_size, float), 2).tolist()
        if not (0 < rows < np.inf and 0 < cols < np.inf):
            raise ValueError(f"pixel_size={pixel_size!r}: give nm above 0")
        size = (rows, cols)
    account = _core.Kinetics(n_patterns, period=period, pixel_size=size, interval=frame_interval)
    for frame in _frames(labels):
        if frame.min() < 0 or frame.max() > 65535:
            raise ValueError(f"labels go from {frame.min()} to {frame.max()}; give 0 to 65535")
        account.add(np.ascontiguousarray(frame, np.uint16))
    texts = account.finish()
    frames, domains = (_table(text) for text in texts)
    return Kinetics(frames, domains, texts)


def _frames(labels: Any) -> Iterator[np.ndarray]:
    each = max(1, _AT_ONCE // (labels.shape[1] * labels.shape[2] * labels.dtype.itemsize))
    chunks = getattr(labels, "chunks", None)
    if chunks:
        first = chunks[0] if isinstance(chunks[0], int) else max(chunks[0])
        # Whole chunks: each is read once.
        each = max(first, each // first * first)
    for start in range(0, labels.shape[0], each):
        yield from np.asarray(labels[start : start + each])


def _table(text: str) -> dict[str, np.ndarray]:
    head, *lines = csv.reader(io.StringIO(text))
    columns = zip(*lines, strict=True) if lines else ([] for _ in head)
    return {name: _column(name, values) for name, values in zip(head, columns, strict=True)}


def _column(name: str, values: Any) -> np.ndarray:
    if name in _TEXT:
        return np.array(values, str)
    if name in _COUNTS:
        return np.array(values, int)
    return np.array([float(value) if value else np.nan for value in values], float)
