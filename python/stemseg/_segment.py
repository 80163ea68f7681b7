"""`segment`, and what it finds."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stemseg import _boundaries, _core
from stemseg._images import Image
from stemseg._images import image as as_image
from stemseg._model import Model
from stemseg._options import Options, options
from stemseg._progress import Callback, shown
from stemseg._regions import table


def segment(
    image: Any,
    n_patterns: int | str = "auto",
    *,
    period: float | str | None = None,
    smooth: float | None = None,
    min_confidence: float | None = None,
    pixel_size: float | str | tuple[float, float] | None = None,
    roi: Any = None,
    mask: Any = None,
    device: str = "auto",
    memory: int | str | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    progress: bool | Callback | None = None,
    **keywords: Any,
) -> Segmentation:
    """Segment a micrograph into patterns of local symmetry.

    Parameters
    ----------
    image : path, array_like [rows, cols], Signal2D, DataArray or dask array
        Any real numbers, in any memory order; arrays are not copied. Of a file the most likely
        image is taken (``image_index=``, ``frame=`` choose another). Axes of HyperSpy and xarray give the
        pixel size. A masked array is masked.
    n_patterns : int or "auto", default "auto"
        Number of patterns; "auto" takes as many as the image shows, up to 8 ("auto:6": up to 6).
    period : float or str, optional
        Period of the crystals, px or a length as "0.4 nm", where the one that is found is wrong.
    smooth : float, default 1
        How strongly regions are smoothed; 0 keeps every sliver.
    min_confidence : float, default 0
        Pixels below this confidence stay unlabelled, 0 to 1.
    pixel_size : float, str or pair, optional
        Size of a pixel, nm or a length as "15 pm"; a pair is one for the rows and one for the
        columns.
    roi : two slices or str, optional
        Part of the image, for example ``numpy.s_[100:600, 0:512]`` or "100:600,0:512".
    mask : array_like of bool [rows, cols], optional
        True where a pixel does not count, as in ``numpy.ma``; such pixels get label 0.
    device : str, default "auto"
        What computes: "auto", "cpu", "gpu", or part of a GPU's name (see `devices`).
    memory : int or str, optional
        Memory that the run may take, bytes or as "512MiB".
    random_state : int, RandomState or Generator, optional
        Seed of the random choices; without one it is 0, so that results repeat.
    progress : None, True or callable
        True shows a bar of tqdm; a callable is called as ``progress(stage, done, total)``.
    **keywords
        Every option of ``stemseg segment`` that is about the method, with underscores:
        ``boundary_phases``, ``marks`` (see `Segmentation.refine`),
        ``merge`` (see `Segmentation.merge`), ``preset``, ``descriptor``, ``patch``, ``window``, ``stride``, ``max_points``, ``radius``,
        ``inner_stride``, ``folds``, ``axes``, ``reduce``, ``n_components``, ``n_init``, ``border``,
        ``order``, ``nan``, ``outliers``, ``check``, ``image_index``, ``frame`` and others; lengths in px
        or with a unit, pairs as tuples.

    Returns
    -------
    Segmentation

    Raises
    ------
    ValueError, TypeError
        For what cannot be segmented, and settings that cannot be; the text says what to do.
    OSError
        For files that cannot be read.
    RuntimeError
        Where a device that was named is missing or fails.

    Examples
    --------
    >>> import stemseg
    >>> image, truth = stemseg.simulate("square-hexagonal", size=256)
    >>> found = stemseg.segment(image, 2, pixel_size="20 pm")
    >>> found.n_patterns
    2
    """
    keywords |= {
        "n_patterns": n_patterns, "period": period, "smooth": smooth,
        "min_confidence": min_confidence, "pixel_size": pixel_size, "roi": roi, "mask": mask,
        "device": device, "memory": memory, "random_state": random_state, "progress": progress,
    }
    return run(image, keywords)


def run(
    given: Any,
    keywords: dict[str, Any],
    model: Model | None = None,
    scale: str = "auto",
    descriptors: bool = False,
) -> Segmentation:
    """Segments ``given`` with these keywords of `segment`."""
    given_keywords, keywords = keywords, dict(keywords)
    progress, mask = keywords.pop("progress", None), keywords.pop("mask", None)
    taken = as_image(given, mask)
    made = prepared(taken, keywords)
    with shown(progress) as callback:
        core = _core.segment(
            taken.pixels if isinstance(taken.pixels, np.ndarray) else os.fspath(taken.pixels),
            made,
            mask=taken.mask,
            name=taken.name,
            model=None if model is None else model._core,
            scale=scale,
            descriptors=descriptors,
            progress=callback,
        )
    found = Segmentation(core, taken)
    if model is None:
        found._again = given, given_keywords
    return found


def prepared(taken: Image, keywords: dict[str, Any]):
    """The options of ``keywords``, with the pixel size that the image itself has."""
    if taken.pixel_size is not None and keywords.get("pixel_size") is None:
        keywords = {**keywords, "pixel_size": taken.pixel_size}
    return options(keywords)


class Segmentation:
    """What was found in an image.

    Attributes
    ----------
    labels : ndarray of uint8 or uint16, [rows, cols]
        The pattern of each pixel: 1 the largest, 2 the next; 0 has none.
    confidence : ndarray of float32, [rows, cols]
        How sure each label is, 0 to 1. On simulated scenes nine in ten pixels of confidence 0.9
        have the right label.
    n_patterns : int
        Number of patterns.
    period : float or None
        Period of the crystals, px.
    regions : dict of str to ndarray
        The connected regions of the patterns, a table with the names of scikit-image.
    boundary_lines : dict of str to ndarray
        The lines along which regions meet, a table: lengths, normals, roughness, curvature, points.
    triple_points : dict of str to ndarray
        Where lines meet, and the dihedral angles with their standard errors, a table.
    region_map : ndarray of uint32, [rows, cols]
        The number of each pixel's region.
    areas : dict of int to dict
        By label: ``pixels``, ``fraction`` of the image, ``area_nm2`` and its
        ``area_uncertainty_nm2`` (None without a pixel size), mean ``confidence``.
    pixel_size : tuple of float or None
        Size of a pixel, rows and columns, nm.
    warnings : list of str
        Why the result may be wrong; empty where nothing speaks against it.
    notes : list of str
        What was done or decided.
    model : Model
        What labels other images with the same patterns.
    summary : dict
        Everything that ``summary.json`` says.
    """

    def __init__(self, core: _core.Found, taken: Image):
        self._core = core
        self._source = taken
        self.labels: np.ndarray = core.labels()
        self._cache: dict[str, Any] = {}
        self._again: tuple[Any, dict[str, Any]] | None = None

    def refine(self, marks: Mapping[tuple[int, int], int]) -> Segmentation:
        """The image segmented again, where the labels of some pixels are known.

        Parameters
        ----------
        marks : dict
            From row and column of a pixel to its label, as numbers stood without marks. The next
            number after those makes a new pattern of what looks like the surroundings of the mark.
            To undo a mark, leave it out.

        Returns
        -------
        Segmentation
            Marked pixels have their labels, and the patterns follow; its last note says where one more
            mark would help most.

        Examples
        --------
        >>> import stemseg
        >>> image, _ = stemseg.simulate("polycrystal", grains=3, size=256)
        >>> found = stemseg.segment(image, 2)
        >>> found.refine({(128, 128): 1}).labels[128, 128]
        np.uint8(1)
        """
        if self._again is None:
            raise RuntimeError(
                "refine: this segmentation comes from a pickle or a model; call it on what segment gave"
            )
        given, keywords = self._again
        if keywords.get("merge") is not None:
            raise RuntimeError("refine: patterns were merged; call it before, and merge what it gives")
        keywords = {**keywords, "marks": dict(marks) or None}
        if self._core is not None and marks:
            without = {key: value for key, value in keywords.items() if key not in ("progress", "mask")}
            core = self._core.refine(prepared(self._source, without))
            if core is not None:
                found = Segmentation(core, self._source)
                found._again = given, keywords
                return found
        return run(given, keywords)

    def merge(self, *groups: Iterable[int]) -> Segmentation:
        """The image segmented again, where some of the patterns are one.

        Parameters
        ----------
        *groups : iterables of int
            Labels that become one, as numbers stood without this. What is left is numbered anew in
            the order of the smallest labels; boundaries with other patterns stay where they are.

        Returns
        -------
        Segmentation
            Its model finds the same labels in other images.

        Examples
        --------
        >>> import stemseg
        >>> image, _ = stemseg.simulate("polycrystal", grains=3, size=256)
        >>> found = stemseg.segment(image, 3)
        >>> found.merge((2, 3)).n_patterns
        2
        """
        if self._again is None:
            raise RuntimeError(
                "merge: this segmentation comes from a pickle or a model; call it on what segment gave"
            )
        given, keywords = self._again
        if keywords.get("merge") is not None:
            raise RuntimeError("merge: patterns were merged; call it on what segment gave before")
        return run(given, {**keywords, "merge": list(groups) or None})

    def _kept(self, name: str, make):
        if name not in self._cache:
            if self._core is None:
                raise RuntimeError(
                    f"{name}: this segmentation comes from a pickle, which holds its labels, "
                    "confidence, probabilities, summary and model; segment the image again"
                )
            self._cache[name] = make(self._core)
        return self._cache[name]

    @property
    def confidence(self) -> np.ndarray:
        return self._kept("confidence", lambda core: core.confidence())

    def proba(self) -> np.ndarray:
        """How far each pixel belongs to each pattern.

        Returns
        -------
        ndarray of float32, [rows, cols, k]
            0 to 1, by label from 1 on; those of a pixel add up to 1, or are 0 where it has no data.
        """
        return self._kept("proba", lambda core: core.memberships())

    def strain(self, reference: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
        """How regions are strained and turned inside, from the phases of their reflections.

        No pixel counts in another region than its own. How far the scan itself is distorted is in it.

        Parameters
        ----------
        reference : tuple of int, optional
            Row and column of a pixel: the mean lattice of its region is what regions of the same
            pattern with nearly the same lattice are compared with. By default each region is compared
            with its own mean lattice.

        Returns
        -------
        dict of ndarray of float32, [rows, cols]
            ``exx``, ``eyy`` and ``exy`` (x to the right, y upwards), ``rotation_deg``
            (counter-clockwise) and ``error``, the standard error of a strain; NaN where it is not known.
        """
        maps = self._kept(f"strain {reference}", lambda core: core.strain(reference))
        return dict(zip(("exx", "eyy", "exy", "rotation_deg", "error"), maps, strict=True))

    @property
    def features(self) -> np.ndarray:
        """Features of the sites, [site rows, site cols, q]."""
        rows, cols = self.site_labels.shape
        made = self._kept("features", lambda core: core.features())
        return made.reshape(rows, cols, -1)

    @property
    def site_labels(self) -> np.ndarray:
        """Labels of the sites, [site rows, site cols]; 0 for sites without data."""
        return self._kept("site_labels", lambda core: core.site_labels())

    @property
    def summary(self) -> dict[str, Any]:
        return self._kept("summary", lambda core: json.loads(core.summary()))

    @property
    def model(self) -> Model:
        return self._kept("model", lambda core: Model(core.model()))

    @property
    def _remarks(self):
        return self._kept("remarks", lambda core: core.remarks())

    @property
    def notes(self) -> list[str]:
        return self._remarks[0]

    @property
    def warnings(self) -> list[str]:
        return [words for _, words in self._remarks[1]]

    @property
    def warning_codes(self) -> list[str]:
        """The code of each warning, which stays the same where its words change."""
        return [code for code, _ in self._remarks[1]]

    @property
    def n_patterns(self) -> int:
        return len(self.summary["labels"])

    @property
    def period(self) -> float | None:
        return self.summary["lattice"]["period_px"]

    @property
    def device(self) -> str:
        """What computed it."""
        return self.summary["device"]["name"]

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        size = self.summary["input"]["pixel_size_nm"]
        return size and (size["rows"], size["cols"])

    @property
    def areas(self) -> dict[int, dict[str, Any]]:
        return {
            area["label"]: {name: value for name, value in area.items() if name != "label"}
            for area in self.summary["labels"]
        }

    @property
    def region_map(self) -> np.ndarray:
        """The number of each pixel's region, [rows, cols], 0 where it has none: what
        ``skimage.measure.label`` gives of ``labels``, in the order of ``regions``."""
        return self._kept("regions", lambda core: core.regions())[1]

    @property
    def regions(self) -> dict[str, np.ndarray]:
        """The connected regions of all patterns, by label, the largest of each first.

        A table for ``pandas.DataFrame(found.regions)``. Columns that scikit-image's
        ``regionprops_table`` has too are called and measured as there: ``label`` (of ``region_map``), ``area``,
        ``centroid-0`` (row) and ``centroid-1``, ``bbox-0`` to ``bbox-3``, ``equivalent_diameter_area``,
        ``axis_major_length``, ``axis_minor_length``, ``orientation`` (radians from the rows' axis),
        ``feret_diameter_max``, ``solidity`` (of the hull of the pixels' corners). Others are ``pattern`` (its label
        in ``labels``), ``feret_diameter_min``, ``touches_border``, ``mean_confidence`` and ``neighbours`` (tuples of
        labels). Lengths are px; with a pixel size those in nm follow as ``area_nm2``,
        ``equivalent_diameter_area_nm`` and so on.
        """
        return table(json.loads(self._kept("regions", lambda core: core.regions())[0]))

    @property
    def boundary_lines(self) -> dict[str, np.ndarray]:
        """The lines along which two regions meet, at sub-pixel.

        A table for ``pandas.DataFrame(found.boundary_lines)``: ``line`` (its number), ``pattern_1`` and
        ``pattern_2`` (the lower label is to the right of whoever follows ``points``), ``region_1`` and
        ``region_2``, ``closed``, ``begins`` and ``ends`` (numbers of triple points, 0 at the border), ``normal_deg``
        (counter-clockwise from the right, 0 to 180), ``straightness``, ``length``, ``roughness`` (root mean square),
        ``curvature`` (positive where the first pattern bulges) and ``curvature_abs``, and ``points`` (rows and columns,
        [n, 2]). Lengths are px; with a pixel size those in nm follow as ``length_nm`` and so on. What is not
        known is NaN.
        """
        return _boundaries.lines(self._lines["lines"])

    @property
    def triple_points(self) -> dict[str, np.ndarray]:
        """Where three regions meet, or four, from top to bottom.

        A table: ``triple_point`` (its number), ``row`` and ``col``, ``lines``, the numbers of the lines that end
        there, clockwise, and of the region between each and the next ``regions`` (its number), ``patterns`` (its
        label), ``angles_deg`` (the dihedral angle) and ``angles_deg_error`` (its standard error); NaN where a line is
        too short to have a direction.
        """
        return _boundaries.triple_points(self._lines["triple_points"])

    @property
    def _lines(self) -> dict[str, Any]:
        return self._kept("boundary_lines", lambda core: json.loads(core.boundary_lines()))

    @property
    def colours(self) -> np.ndarray:
        """Red, green and blue of label 0 (black) and of each pattern, [k + 1, 3], 0 to 1."""
        made = [[0, 0, 0], *(list(_core.colour(label)) for label in range(1, self.n_patterns + 1))]
        return np.array(made) / 255

    def plot(self, ax: Any = None, *, confidence: bool = False, alpha: float = 0.4):
        """Show the image tinted by label, with a legend and axes in nm where they are known.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default the current axes.
        confidence : bool, default False
            Tint each pixel the less the less sure its label is.
        alpha : float, default 0.4
            Share of the label's colour in a tinted pixel.

        Returns
        -------
        matplotlib Axes
        """
        import matplotlib.pyplot as plt
        from matplotlib.patches import Patch

        ax = plt.gca() if ax is None else ax
        rows, cols = self.labels.shape
        size = self.pixel_size
        height, width = (rows * size[0], cols * size[1]) if size else (rows, cols)
        extent = (0, width, height, 0)
        pixels = self._shown()
        if pixels is not None:
            low, high = np.nanpercentile(pixels, (1, 99))
            ax.imshow(pixels, cmap="gray", vmin=low, vmax=high, extent=extent)
        tint = np.zeros((rows, cols, 4), np.float32)
        tint[..., :3] = self.colours[self.labels]
        tint[..., 3] = alpha if pixels is not None else 1
        if confidence:
            tint[..., 3] *= self.confidence
        tint[self.labels == 0, 3] = 0
        ax.imshow(tint, extent=extent, interpolation="nearest")
        unit = "nm" if size else "px"
        ax.set_xlabel(unit)
        ax.set_ylabel(unit)
        names = self.model.names
        handles = [
            Patch(color=self.colours[label], label=f"{names[label - 1] or label}: {of['fraction']:.1%}")
            for label, of in self.areas.items()
        ]
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
        return ax

    def _shown(self) -> np.ndarray | None:
        """The part of the image that was segmented, to be looked at."""
        pixels = self._source.pixels
        if not isinstance(pixels, np.ndarray):
            from stemseg._read import imread

            of = self.summary["input"]
            frame = of["frame"]
            try:
                pixels = np.asarray(imread(pixels, image_index=of["image"], frame=frame))
            except OSError:
                return None
        roi = self.summary["input"]["roi"]
        return pixels if roi is None else pixels[roi[0] : roi[1], roi[2] : roi[3]]

    def save(
        self,
        path: str | os.PathLike,
        *,
        overwrite: bool = False,
        report: bool = True,
        format: str = "tiff,npy",
        overlay: str = "tint",
        strain: bool | tuple[int, int] = False,
    ) -> Path:
        """Write a result folder, as the command does; it appears whole or not at all.

        Parameters
        ----------
        path : path
            The folder.
        overwrite : bool, default False
            Replace an earlier result there.
        report : bool, default True
            Also write ``report.html``; its maps are made by segmenting the image once more.
        format : str, default "tiff,npy"
            Formats of the label map, joined by commas: tiff, npy, ome-zarr, hspy; of the outlines of its
            regions: roi (Fiji), geojson, svg.
        overlay : {"tint", "lines", "both"}
            How labels are shown in ``overlay.png``.
        strain : bool or tuple of int, default False
            Also write ``strain.tif``, with maps in the report: see `strain`. Row and column of a pixel
            name the region that it is relative to.

        Raises
        ------
        FileExistsError
            Where there is something already.
        """
        made: Options = [("format", format), ("overlay", overlay)]
        made += [("force", None)] if overwrite else []
        if strain is not False:
            made.append(("save", "strain"))
        if not isinstance(strain, bool):
            row, col = strain
            made.append(("strain-reference", f"{int(row)},{int(col)}"))
        if self._core is None:
            raise RuntimeError(
                "save: this segmentation comes from a pickle, which does not hold what a result "
                "folder needs; save its model, or segment the image again"
            )
        return Path(self._core.save(os.fspath(path), made, report))

    def to_hyperspy(self):
        """The label map as a HyperSpy Signal2D, with the axes of the signal that was segmented."""
        from stemseg.hyperspy import to_signal

        return to_signal(self)

    def to_xarray(self):
        """Labels and confidence as an xarray Dataset, with the coordinates of what was segmented."""
        from stemseg._xarray import to_dataset

        return to_dataset(self)

    def __getstate__(self) -> dict[str, Any]:
        # Everything that there is without the run itself.
        if self._core is not None:
            for read in ("confidence", "summary", "model", "_remarks", "site_labels", "features"):
                getattr(self, read)
            self.proba()
        source = Image(self._source.pixels, None, name=self._source.name)
        return {"_core": None, "_source": source, "labels": self.labels, "_cache": self._cache, "_again": None}

    def __repr__(self) -> str:
        rows, cols = self.labels.shape
        shares = ", ".join(f"{of['fraction']:.0%}" for of in self.areas.values())
        period = f", period {self.period:.1f} px" if self.period else ""
        return f"<stemseg.Segmentation {rows}x{cols}: {self.n_patterns} patterns ({shares}){period}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='background:rgb{tuple(_core.colour(label))}'>&nbsp;</td><td>{label}</td>"
            f"<td>{of['fraction']:.1%}</td><td>{_area(of)}</td><td>{of['confidence']:.2f}</td></tr>"
            for label, of in self.areas.items()
        )
        head = "<tr><th></th><th>pattern</th><th>share</th><th>area</th><th>confidence</th></tr>"
        warned = "".join(f"<p>&#9888; {html.escape(words)}</p>" for words in self.warnings)
        picture = ""
        if self._core is not None:
            png = base64.b64encode(bytes(self._core.overlay())).decode()
            picture = f"<img alt='the image tinted by label' style='max-width:480px' src='data:image/png;base64,{png}'>"
        return f"<div>{picture}<table>{head}{rows}</table>{warned}<p>{html.escape(repr(self))}</p></div>"


def _area(of: dict[str, Any]) -> str:
    if of["area_nm2"] is None:
        return f"{of['pixels']} px"
    return f"{of['area_nm2']:.1f} &plusmn; {of['area_uncertainty_nm2']:.1f} nm&sup2;"
