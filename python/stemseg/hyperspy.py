"""HyperSpy signals in and out.

`stemseg.segment` and `stemseg.Segmenter` take signals of one image as they are; what is here makes
signals of results, and labels stacks frame by frame. No signal type is registered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stemseg._model import Model
from stemseg._segment import Segmentation

__all__ = ["apply", "segment_stack", "to_signal"]


def to_signal(found: Segmentation, values: np.ndarray | None = None) -> Any:
    """A Signal2D of the label map, or of other ``values`` [rows, cols] at its pixels.

    Axes have the names, units, scales and offsets of the signal that was segmented; of an array with
    a pixel size they are in nm. Metadata name the settings.
    """
    from hyperspy.signals import Signal2D

    data = found.labels if values is None else np.asarray(values)
    source = found._source.source
    roi = found.summary["input"]["roi"] or [0, data.shape[0], 0, data.shape[1]]
    if hasattr(source, "axes_manager"):
        cols, rows = source.axes_manager.signal_axes
        axes = [
            {"name": axis.name, "units": axis.units, "scale": axis.scale, "size": size,
             "offset": axis.offset + first * axis.scale}
            for axis, size, first in zip((rows, cols), data.shape, (roi[0], roi[2]), strict=True)
        ]
    else:
        size = found.pixel_size or (1.0, 1.0)
        units = "nm" if found.pixel_size else "px"
        axes = [
            {"name": name, "units": units, "scale": scale, "size": count, "offset": first * scale}
            for name, scale, count, first in zip("yx", size, data.shape, (roi[0], roi[2]), strict=True)
        ]
    signal = Signal2D(data, axes=axes)
    what = "labels" if values is None else "values"
    signal.metadata.General.title = f"{found._source.name} {what}"
    signal.metadata.set_item("stemseg.n_patterns", found.n_patterns)
    signal.metadata.set_item("stemseg.version", found.summary["stemseg_version"])
    signal.metadata.set_item("stemseg.areas", {str(label): of["pixels"] for label, of in found.areas.items()})
    return signal


def apply(model: Model, signal: Any, **keywords: Any) -> Any:
    """Label every image of a signal by a model, frame by frame.

    Parameters
    ----------
    model : Model
    signal : Signal2D
        One image, or a stack with any number of navigation axes; of a lazy signal the result is
        lazy, in the same chunks of frames.
    **keywords
        As in `Model.predict`.

    Returns
    -------
    Signal2D of uint8
        Labels, with the axes of the signal.
    """
    from stemseg._images import pixel_size

    axes = signal.axes_manager
    if axes.signal_dimension != 2:
        raise ValueError(f"the signal has {axes.signal_dimension} signal axes; give a Signal2D")
    if keywords.get("pixel_size") is None:
        cols, rows = axes.signal_axes
        units = tuple(None if "Undefined" in repr(a.units) else a.units for a in (rows, cols))
        keywords["pixel_size"] = pixel_size(units, (rows.scale, cols.scale))
    shape = tuple(axis.size for axis in axes.signal_axes[::-1])

    def of_frames(block: np.ndarray) -> np.ndarray:
        frames = block.reshape(-1, *block.shape[-2:])
        labels = [model.predict(frame, **keywords).astype(np.uint8) for frame in frames]
        return np.stack(labels).reshape(block.shape)

    if getattr(signal, "_lazy", False):
        data = signal.data.rechunk({-2: -1, -1: -1})
        labels = data.map_blocks(of_frames, dtype=np.uint8, meta=np.empty((0,) * data.ndim, np.uint8))
    else:
        labels = of_frames(np.asarray(signal.data))
    assert labels.shape[-2:] == shape
    made = signal._deepcopy_with_new_data(labels)
    made.metadata.General.title = f"{signal.metadata.get_item('General.title', 'signal')} labels"
    return made


def segment_stack(signal: Any, n_patterns: int | str = "auto", *, fit_frames: int = 8, **keywords: Any):
    """Fit patterns to some frames of a stack together, and label all frames by them.

    Parameters
    ----------
    signal : Signal2D
        A stack with one navigation axis; it may be lazy.
    n_patterns : int or "auto"
    fit_frames : int, default 8
        How many frames, evenly spread, the patterns are fitted to.
    **keywords
        As in `stemseg.Segmenter`.

    Returns
    -------
    labels : Signal2D of uint8
    model : Model
    """
    from stemseg._estimator import Segmenter

    count = signal.axes_manager.navigation_size
    if signal.axes_manager.navigation_dimension != 1:
        raise ValueError("the signal has not one navigation axis; give a stack of images")
    chosen = np.unique(np.linspace(0, count - 1, min(fit_frames, count)).round().astype(int))
    model = Segmenter(n_patterns, **keywords).fit([signal.inav[int(i)] for i in chosen]).model_
    own = {"pixel_size", "device", "memory", "nan", "outliers", "check", "progress"}
    return apply(model, signal, **{k: v for k, v in keywords.items() if k in own}), model


