"""Films and archives on Dask: one model for all frames, labels chunk by chunk.

`fit` learns the patterns of frames that are evenly spread over the film: each frame is described where
it is, sums are merged in pairs, and what is small is put together. `predict` maps a model over the
chunks of a film. `run` writes labels into a zarr group, with a marker for each chunk that is finished,
so that a second run does only what is missing. There is no scheduler here: what is set up with
``dask.distributed`` is what computes.

Each worker uses as many threads as Dask gives it. Where its environment has ``STEMSEG_DEVICE``, it
computes on that device unless ``device=`` names one: so each of several workers has a graphics card of
its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemseg import _core
from stemseg._model import Model
from stemseg._options import Options, options

__all__ = ["fit", "frames_of", "predict", "run"]

#: Keywords of a fit that are about reading and computing too.
OWN = ("pixel_size", "device", "memory", "nan", "outliers", "check")


def frames_of(frames: Any, *, chunk: int = 8) -> Any:
    """A dask array ``[frames, rows, cols]``, with whole frames in each chunk.

    Parameters
    ----------
    frames : dask array, zarr array, ndarray or list of paths
        Files have one image each, all of one shape and type.
    chunk : int, default 8
        Frames a chunk, where ``frames`` has no chunks of its own.
    """
    import dask.array as da

    if isinstance(frames, (str, os.PathLike)):
        import zarr

        frames = zarr.open_array(str(frames), mode="r")
    if isinstance(frames, (list, tuple)) and frames and isinstance(frames[0], (str, os.PathLike)):
        return _of_files([Path(path) for path in frames], chunk)
    if not isinstance(frames, da.Array):
        own = getattr(frames, "chunks", None)
        count = own[0] if isinstance(own, tuple) and own and isinstance(own[0], int) else chunk
        if getattr(frames, "ndim", 0) == 3:
            frames = da.from_array(frames, chunks=(count, -1, -1))
    if getattr(frames, "ndim", 0) != 3:
        raise ValueError(
            f"frames has shape {getattr(frames, 'shape', None)}; give [frames, rows, cols], or a list of "
            "files"
        )
    if frames.dtype.kind not in "iuf":
        raise TypeError(f"frames has elements of type {frames.dtype}; give real numbers")
    if 0 in frames.shape:
        raise ValueError(f"there are no frames, or no pixels, in an array of shape {frames.shape}")
    return frames.rechunk({1: -1, 2: -1})


def _of_files(paths: Sequence[Path], chunk: int) -> Any:
    import dask.array as da

    from stemseg._read import imread

    first = imread(paths[0])
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]

    def read(block_info: Any = None) -> np.ndarray:
        start, end = block_info[None]["array-location"][0]
        images = [np.asarray(imread(path)) for path in paths[start:end]]
        for path, image in zip(paths[start:end], images, strict=True):
            if image.shape != first.shape or image.dtype != first.dtype:
                raise ValueError(
                    f"{path} has {image.shape} pixels of {image.dtype}, but {paths[0]} {first.shape} of "
                    f"{first.dtype}; a film has frames of one kind"
                )
        return np.stack(images)

    counts = tuple(min(chunk, len(paths) - start) for start in range(0, len(paths), chunk))
    name = "stemseg-files-" + hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
    chunks = (counts, (first.shape[0],), (first.shape[1],))
    return da.map_blocks(read, chunks=chunks, dtype=first.dtype, name=name, meta=np.empty((0, 0, 0), first.dtype))


def _device(named: str | None) -> str | None:
    """The device of this worker unless another is named; it gets the threads that Dask gives it."""
    try:
        from distributed import get_worker

        # Before any are started.
        os.environ.setdefault("RAYON_NUM_THREADS", str(get_worker().state.nthreads))
    except (ImportError, ValueError, AttributeError):
        pass
    return os.environ.get("STEMSEG_DEVICE", named) if named in (None, "auto") else named


def _steps(settings: Options) -> Any:
    return _core.Steps([(name, _device(value) if name == "device" else value) for name, value in settings])


def _step(name: str, settings: Options, image: np.ndarray | None, *given: Any) -> bytes:
    """One step of a fit, of an image or of what images gave."""
    from stemseg._estimator import _core_pixels
    from stemseg._images import image as as_image

    step = getattr(_steps(settings), name)
    return step(*given) if image is None else step(_core_pixels(as_image(image)), *given)


def _model(settings: Options, *given: Any) -> str:
    return _steps(settings).model(*given).to_json()


def _alone(image: np.ndarray, keywords: dict[str, Any]) -> str:
    from stemseg._estimator import Segmenter

    keywords = keywords | {"device": _device(keywords["device"])}
    return Segmenter(**keywords).fit(image).model_.to_json()


def _in_pairs(parts: list[Any], merge: Any) -> Any:
    """All parts merged: neighbours in pairs, these in pairs, and so on, as in one process."""
    while len(parts) > 1:
        parts = [merge(*parts[i : i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def _labelled(block: np.ndarray, model: str, keywords: dict[str, Any]) -> np.ndarray:
    keywords = keywords | {"device": _device(keywords.get("device", "auto"))}
    made = Model.from_json(model)
    labels = [made.predict(frame, **keywords) for frame in block]
    return np.stack(labels).astype(np.uint8) if labels else np.empty(block.shape, np.uint8)


def fit(
    frames: Any,
    n_patterns: int | str = "auto",
    *,
    fit_frames: int = 8,
    client: Any = None,
    resources: dict[str, float] | None = None,
    **keywords: Any,
) -> Model:
    """Learn the patterns of a film from frames that are evenly spread over it, together.

    Frames stay where they are: of each there are sums over its sites (a matrix of the channels), then
    its share of some 16,000 sites, the features of its sites, and what patterns cover. Dask computes
    a frame again where it does not keep it.

    Parameters
    ----------
    frames
        As in `frames_of`.
    n_patterns : int or "auto"
    fit_frames : int, default 8
        How many frames are taken.
    client : distributed.Client, optional
        Who computes; by default what Dask is set up with.
    resources : dict, optional
        What a worker needs to have for a task, such as ``{"GPU": 1}``; needs ``client``.
    **keywords
        As in `stemseg.Segmenter`.

    Returns
    -------
    Model
        The same bits wherever it was computed, and however often a worker was lost: those of
        `stemseg.Segmenter` on the same frames.
    """
    import dask

    from stemseg._estimator import Segmenter

    frames = frames_of(frames)
    keywords = Segmenter(n_patterns, **keywords).get_params()
    keywords.pop("progress")
    settings = options(keywords)
    count = frames.shape[0]
    chosen = np.unique(np.linspace(0, count - 1, min(fit_frames, count)).round().astype(int))
    images = [dask.delayed(frames[int(i)]) for i in chosen]
    if len(images) == 1:
        return Model.from_json(_computed(dask.delayed(_alone)(images[0], keywords), client, resources))
    task = dask.delayed(_step)

    def step(name: str, *given: Any, image: Any = None) -> Any:
        return task(name, settings, image, *given)

    def of_each(name: str, *given: Any) -> list[Any]:
        return [step(name, number == 0, *given, image=image) for number, image in enumerate(images)]

    kind = step("kind", image=images[0])
    sums = _in_pairs(of_each("sums", kind), lambda *pair: step("merged", *pair))
    learnt = step("learnt", kind, sums, of_each("sites", kind, sums))
    points = of_each("points", kind, learnt)
    centres = step("centres", kind, learnt, points)
    cover = [
        step("cover", number == 0, kind, learnt, centres, own, image=image)
        for number, (image, own) in enumerate(zip(images, points, strict=True))
    ]
    model = dask.delayed(_model)(settings, kind, learnt, centres, cover)
    return Model.from_json(_computed(model, client, resources))


def _computed(task: Any, client: Any, resources: dict[str, float] | None = None) -> Any:
    import dask

    if client is None:
        if resources:
            raise ValueError("resources belong to the workers of a client; give client= too")
        return dask.compute(task)[0]
    return client.compute(task, resources=resources).result()


def predict(frames: Any, model: Model, **keywords: Any) -> Any:
    """Label all frames by a model, chunk by chunk.

    Parameters
    ----------
    frames
        As in `frames_of`.
    model : Model
    **keywords
        ``pixel_size``, ``device``, ``memory`` and others, as in `Model.predict`.

    Returns
    -------
    dask array of uint8, [frames, rows, cols]
    """
    frames = frames_of(frames)
    _check(model)
    return frames.map_blocks(
        _labelled, model=model.to_json(), keywords=keywords, dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )


def _check(model: Any) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}; give a stemseg.Model, as fit returns")
    if model.n_patterns > 254:
        raise ValueError(f"a film is stored in 8 bits, which {model.n_patterns} patterns do not fit")


def _stored(block: np.ndarray, place: str, number: int, first: int, model: str, keywords: dict[str, Any]) -> int:
    """Labels a chunk and writes it; its marker comes last."""
    import zarr

    labels = _labelled(block, model, keywords)
    group = zarr.open_group(place, mode="r+")
    last = first + len(labels)
    group["labels"][first:last] = labels
    k = group["areas"].shape[1]
    group["areas"][first:last] = np.stack([np.bincount(frame.ravel(), minlength=k)[:k] for frame in labels])
    group["done"][number] = 1
    return number


def run(
    src: Any,
    dst: str | os.PathLike,
    *,
    model: Model | None = None,
    n_patterns: int | str = "auto",
    fit_frames: int = 8,
    client: Any = None,
    resources: dict[str, float] | None = None,
    resume: bool = True,
    **keywords: Any,
) -> Any:
    """Label a film into a zarr group; chunks that are there already are not touched.

    Parameters
    ----------
    src
        The film, as in `frames_of`.
    dst : path
        The zarr group, which the workers must be able to write. It gets ``labels`` [frames, rows,
        cols] of uint8, ``areas`` [frames, k + 1] (pixels of label 0, 1, ...), and ``done`` [chunks],
        the markers; its attribute ``stemseg`` holds the model and what it was made of.
    model : Model, optional
        By default the patterns are fitted first, as in `fit`.
    n_patterns, fit_frames, **keywords
        As in `fit`.
    client : distributed.Client, optional
        Who computes; by default what Dask is set up with.
    resources : dict, optional
        As in `fit`.
    resume : bool, default True
        Whether to go on with what is there; else a group that is there is refused.

    Returns
    -------
    zarr.Group

    Raises
    ------
    FileExistsError
        Where there is a group and ``resume=False``, or something that is not one.
    ValueError
        Where the group is of another film, of another model, or of other settings.
    """
    import dask
    import zarr

    frames = frames_of(src)
    place = os.fspath(dst)
    sizes = frames.chunks[0]
    about = {
        "shape": list(frames.shape), "dtype": str(frames.dtype), "chunks": [int(size) for size in sizes],
        "source": frames.name, "settings": _plain(keywords | {"n_patterns": n_patterns, "fit_frames": fit_frames}),
    }
    earlier = _earlier(place, resume)
    if earlier is not None:
        _compare(place, earlier.attrs["stemseg"], about, model)
        group, model = earlier, Model.from_json(earlier.attrs["stemseg"]["model"])
    else:
        if model is None:
            model = fit(frames, n_patterns, fit_frames=fit_frames, client=client, resources=resources, **keywords)
        _check(model)
        group = zarr.open_group(place, mode="w-")
        chunk = max(sizes)
        rows, cols = frames.shape[1:]
        # Writers of neighbouring chunks must not meet in one of the zarr.
        even = all(size == chunk for size in sizes[:-1])
        chunk = chunk if even else 1
        group.create_array("labels", shape=frames.shape, chunks=(chunk, rows, cols), dtype="uint8")
        group.create_array("areas", shape=(frames.shape[0], model.n_patterns + 1), chunks=(chunk, model.n_patterns + 1), dtype="int64")
        group.create_array("done", shape=(len(sizes),), chunks=(1,), dtype="uint8")
        # Last: a group without it is not a whole one.
        group.attrs["stemseg"] = about | {"model": model.to_json()}
    done = np.asarray(group["done"][:])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    own = {name: value for name, value in keywords.items() if name in OWN}
    text = dask.delayed(model.to_json())
    store = dask.delayed(_stored, pure=False)
    blocks = frames.to_delayed().ravel()
    tasks = [
        store(blocks[i], place, i, int(starts[i]), text, own) for i in range(len(sizes)) if not done[i]
    ]
    if tasks:
        _computed(dask.delayed(list)(tasks), client, resources)
    return zarr.open_group(place, mode="r")


def _plain(keywords: dict[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in sorted(keywords.items())}


def _earlier(place: str, resume: bool) -> Any:
    """The group that is there, if it is one of a film."""
    import zarr

    if not os.path.exists(place):
        return None
    if not resume:
        raise FileExistsError(17, "there is something already; give resume=True to go on with it", place)
    try:
        group = zarr.open_group(place, mode="r+")
        json.loads(group.attrs["stemseg"]["model"])
        missing = {"labels", "areas", "done"} - set(group.array_keys())
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise FileExistsError(
            17, f"this is not the zarr group of a film that stemseg began ({error}); give another dst", place
        ) from error
    if missing:
        raise FileExistsError(17, f"the group lacks {', '.join(sorted(missing))}; give another dst", place)
    return group


def _compare(place: str, there: dict[str, Any], now: dict[str, Any], model: Model | None) -> None:
    for name, value in now.items():
        if there[name] != value:
            raise ValueError(
                f"{place} is of another film or other settings: its {name} is {there[name]}, but now {value}; "
                "give another dst"
            )
    if model is not None and Model.from_json(there["model"]) != model:
        raise ValueError(f"{place} was labelled by another model; give that, or another dst")
