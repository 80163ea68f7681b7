"""The napari plugin: readers, sample data, widgets and a writer.

``pip install "stemseg[napari]"`` is all: napari finds it by its manifest, ``napari.yaml``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemseg._errors import UnreadableError
from stemseg._model import Model
from stemseg._read import images_in, imread, simulate
from stemseg._segment import Segmentation, segment

Layer = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Layer]] | None:
    """A reader of ``path``, where stemseg reads what is in it; of a list the first decides."""
    first = path if isinstance(path, (str, os.PathLike)) else path[0]
    try:
        entries = images_in(first)
    except (UnreadableError, OSError):
        return None
    return read if any(one["refused"] is None for one in entries) else None


def read(path: str | Sequence[str]) -> list[Layer]:
    """The images of files as layers; of a stack the frames are read when they are looked at."""
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    return [layer for one in paths for layer in _layers(Path(one))]


def _layers(path: Path) -> list[Layer]:
    made: list[Layer] = []
    for number, entry in enumerate(images_in(path)):
        shape = entry["shape"][: len(entry["shape"]) - bool(entry["colour"])]
        if entry["refused"] is not None or len(shape) not in (2, 3):
            continue
        if len(shape) == 3:
            data = _lazy(path, number, tuple(shape))
        else:
            data = np.asarray(imread(path, image_index=number))
        about = {"name": entry["name"] or path.stem, "metadata": {"stemseg": {"path": str(path), "image": number}}}
        if entry["pixel_size_nm"]:
            about |= _scaled(entry["pixel_size_nm"], len(shape))
        made.append((data, about, "image"))
    return made


def _scaled(size: Sequence[float], axes: int) -> dict[str, Any]:
    """Scale and units of a layer whose pixels are ``size`` nm, rows and columns."""
    return {
        "scale": [1.0] * (axes - 2) + [float(one) for one in size],
        "units": ["pixel"] * (axes - 2) + ["nm", "nm"],
    }


def _lazy(path: Path, number: int, shape: tuple[int, ...]) -> Any:
    """A stack whose frames are read one by one."""
    first = np.asarray(imread(path, image_index=number, frame=0))
    try:
        import dask.array as da
    except ImportError:
        return np.stack([np.asarray(imread(path, image_index=number, frame=i)) for i in range(shape[0])])

    def frame(block_info: Any = None) -> np.ndarray:
        index = block_info[None]["array-location"][0][0]
        return np.asarray(imread(path, image_index=number, frame=index))[None]

    chunks = ((1,) * shape[0], (first.shape[0],), (first.shape[1],))
    return da.map_blocks(frame, chunks=chunks, dtype=first.dtype, meta=np.empty((0, 0, 0), first.dtype))


def twins() -> list[Layer]:
    """Sample data: twins, with their true labels."""
    return _sample("twins")


def lattices() -> list[Layer]:
    """Sample data: a hexagonal lattice in a square one, with the true labels."""
    return _sample("square-hexagonal")


def _sample(scene: str) -> list[Layer]:
    image, truth = simulate(scene)
    return [(image, {"name": scene}, "image"), (truth, {"name": f"{scene} truth", "visible": False}, "labels")]


def layers_of(found: Segmentation, like: Any = None) -> list[Layer]:
    """Layers of labels and confidence, with the colours of the report and the place of ``like``."""
    place: dict[str, Any] = {}
    if like is not None:
        place = {"scale": like.scale[-2:], "translate": like.translate[-2:], "units": like.units[-2:]}
    elif found.pixel_size:
        place = _scaled(found.pixel_size, 2)
    name = like.name if like is not None else found._source.name
    colours = {label: [*found.colours[label], 1.0] for label in found.areas} | {0: [0, 0, 0, 0], None: [0, 0, 0, 0]}
    labels = {
        "name": f"{name} patterns", "opacity": 0.5, "colormap": colours,
        "features": {
            "index": [0, *found.areas],
            "share": [np.nan, *(of["fraction"] for of in found.areas.values())],
            "confidence": [np.nan, *(of["confidence"] for of in found.areas.values())],
        },
        "metadata": {"stemseg": {"found": found, "model": found.model, "warnings": found.warnings, "summary": found.summary}},
    }
    confidence = {"name": f"{name} confidence", "visible": False, "colormap": "viridis", "contrast_limits": (0, 1)}
    return [
        (found.labels, labels | place, "labels"),
        (found.confidence, confidence | place, "image"),
    ]


def frame_of(layer: Any, viewer: Any = None) -> np.ndarray:
    """The pixels of an image layer; of a stack those of the frame that is shown."""
    data = layer.data
    if layer.ndim == 2:
        return np.asarray(data)
    if layer.ndim != 3:
        raise ValueError(f"layer '{layer.name}' has {layer.ndim} axes; give an image, or a stack of them")
    step = 0 if viewer is None else int(viewer.dims.current_step[0])
    return np.asarray(data[min(step, data.shape[0] - 1)])


def pixel_size_of(layer: Any) -> tuple[float, float] | None:
    """Size of a layer's pixels, nm, where its axes are lengths."""
    from stemseg._images import pixel_size

    names = {"nanometer": "nm", "micrometer": "um", "picometer": "pm", "angstrom": "A", "meter": "m"}
    units = [names.get(str(unit), "") for unit in layer.units[-2:]]
    return pixel_size(units, layer.scale[-2:])


def segment_widget() -> Any:
    """Image, patterns, period, smoothing, device; progress, and a button that ends the run."""
    from magicgui import magicgui
    from magicgui.widgets import PushButton
    from napari.layers import Image
    from napari.qt.threading import thread_worker
    from napari.utils.notifications import show_warning
    from napari.viewer import Viewer

    state: dict[str, Any] = {"stop": False}

    def run(
        viewer, image, patterns: int = 0, period: float = 0.0, smooth: float = 1.0,
        device: str = "auto", progress: int = 0,
    ) -> None:
        pixels, state["stop"] = frame_of(image, viewer), False
        settings: dict[str, Any] = {
            "period": period or None, "smooth": smooth, "device": device,
            "pixel_size": pixel_size_of(image),
        }

        @thread_worker
        def work() -> Any:
            def tell(stage: str, done: int, total: int) -> None:
                if state["stop"]:
                    raise Stopped

            try:
                return segment(pixels, patterns or "auto", progress=tell, **settings)
            except Stopped:
                return None

        def show(found: Segmentation | None) -> None:
            widget.progress.max, widget.progress.value = 100, 0
            if found is None:
                return
            for data, about, kind in layers_of(found, image):
                getattr(viewer, f"add_{kind}")(data, **about)
            for words in found.warnings:
                show_warning(words)

        widget.progress.max = 0
        worker = work()
        worker.returned.connect(show)
        worker.errored.connect(lambda _: setattr(widget.progress, "max", 100))
        worker.start()

    # Types themselves: those in texts are looked up where these imports are not.
    run.__annotations__ = {"viewer": Viewer, "image": Image, "patterns": int, "period": float, "smooth": float, "device": str, "progress": int}
    widget = magicgui(
        run,
        call_button="Segment",
        patterns={"min": 0, "max": 64, "tooltip": "0: as many as the image shows"},
        period={"min": 0.0, "max": 1000.0, "tooltip": "px; 0: found in the image"},
        smooth={"min": 0.0, "max": 100.0, "step": 0.25},
        device={"choices": ["auto", "cpu", "gpu"]},
        progress={"widget_type": "ProgressBar", "min": 0, "max": 100, "label": "", "value": 0},
    )
    cancel = PushButton(text="Cancel")
    cancel.changed.connect(lambda _: state.update(stop=True))
    widget.append(cancel)
    return widget


class Stopped(Exception):
    """The user ended the run."""


def apply_widget() -> Any:
    """Labels of an image by the model of a file, a result folder, or another layer's patterns."""
    from magicgui import magicgui
    from napari.layers import Image, Labels
    from napari.viewer import Viewer

    def run(viewer, image, patterns=None, model=Path()) -> None:
        own = patterns.metadata.get("stemseg", {}).get("model") if patterns is not None else None
        used = own if own is not None else Model.load(model)
        found = used.segment(frame_of(image, viewer), pixel_size=pixel_size_of(image))
        for data, about, kind in layers_of(found, image):
            getattr(viewer, f"add_{kind}")(data, **about)

    run.__annotations__ = {"viewer": Viewer, "image": Image, "patterns": Labels | None, "model": Path}
    tooltip = "model.json, or a result's summary.json; not needed where patterns has a model"
    return magicgui(run, call_button="Apply", model={"mode": "r", "tooltip": tooltip})


def marks_of(layer: Any, patterns: Any, label: int = 1) -> dict[tuple[int, int], int]:
    """The marks that a layer of points or of labels makes on ``patterns``, from row and column to label.

    A point has the label in the column ``label`` of the layer's features, or else ``label``. Of what is
    painted in a layer of labels, a mark is taken from every square of half a period, the pixel in the
    middle of what is painted there.
    """
    from napari.layers import Points

    def pixel(place: Any) -> tuple[int, int]:
        row, col = patterns.world_to_data(layer.data_to_world(place))[-2:]
        return round(float(row)), round(float(col))

    if isinstance(layer, Points):
        own = layer.features["label"] if "label" in layer.features else [label] * len(layer.data)
        return {pixel(place): int(of) for place, of in zip(layer.data, own)}
    painted = np.asarray(layer.data)
    if painted.ndim != 2:
        raise ValueError(f"layer '{layer.name}' has {painted.ndim} axes; paint marks on an image")
    found = patterns.metadata["stemseg"]["found"]
    side = max(1, round((found.period or 16.0) / 2))
    spots: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for row, col in zip(*np.nonzero(painted)):
        spots.setdefault((int(painted[row, col]), row // side, col // side), []).append((row, col))
    marks = {}
    for (of, _, _), pixels in spots.items():
        away = np.abs(np.array(pixels) - np.mean(pixels, axis=0)).sum(axis=1)
        marks[pixel(pixels[int(np.argmin(away))])] = of
    return marks


def refine(patterns: Any, layer: Any, label: int = 1) -> Segmentation:
    """Patterns under the marks of ``layer`` (see `marks_of`), put into the layer ``patterns``.

    Marks always count on what was found without any: those that are taken out of the layer are undone.
    """
    about = patterns.metadata.get("stemseg", {})
    if "found" not in about:
        raise ValueError(f"layer '{patterns.name}' is not of Segment by symmetry, so it cannot be refined")
    marks = marks_of(layer, patterns, label)
    found = about["found"].refine(marks) if marks else about["found"]
    (data, made, _), _ = layers_of(found, patterns)
    patterns.data, patterns.colormap, patterns.features = data, made["colormap"], made["features"]
    patterns.metadata = {**patterns.metadata, "stemseg": {**made["metadata"]["stemseg"], "found": about["found"]}}
    return found


def refine_widget() -> Any:
    """Patterns corrected by points, or by a few painted pixels."""
    from magicgui import magicgui
    from napari.layers import Labels, Layer
    from napari.utils.notifications import show_info

    def run(patterns, marks, label: int = 1) -> None:
        found = refine(patterns, marks, label)
        if found.notes:
            show_info(found.notes[-1])

    run.__annotations__ = {"patterns": Labels, "marks": Layer, "label": int}
    tooltip = "of points without a feature named label; the number after the last makes a new pattern"
    return magicgui(run, call_button="Refine", label={"min": 1, "max": 254, "tooltip": tooltip})


def write_labels(path: str, layers: list[Layer]) -> list[str]:
    """Labels of one layer as npy, whole numbers of 8 bits where they fit."""
    (data, _, _), *others = layers
    if others:
        raise ValueError(f"there are {len(layers)} layers; save them one by one")
    labels = np.asarray(data)
    fits = labels.size == 0 or (labels.min() >= 0 and labels.max() <= 254)
    target = Path(path) if path.endswith(".npy") else Path(f"{path}.npy")
    with open(target.with_suffix(".npy.part"), "wb") as file:
        np.save(file, labels.astype(np.uint8) if fits else labels)
    os.replace(target.with_suffix(".npy.part"), target)
    return [str(target)]
