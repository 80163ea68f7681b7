"""The class of pySTEM, with stemseg's kernels.

``from stemseg.pystem import segmentationSTEM`` takes the place of ``from pystem import
segmentationSTEM``: the same parameters, methods and attributes, the same descriptors and labels, 10 to
1000 times faster. Written from a description of that interface and from measured outputs. Where the
original goes wrong it does right (see the page "From pySTEM"): labels of power spectra and of pooled
descriptors lie where they were found, memberships are those of their patterns, and flat patches
have the score 0 instead of NaN.

``x`` means rows and ``y`` columns. All sizes are in px.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stemseg import _core
from stemseg._errors import not_fitted
from stemseg._images import array
from stemseg._options import options, seed

__all__ = ["KMeans", "PCA", "segmentationSTEM"]

#: Names of descriptors, with the options of stemseg that give them.
DESCRIPTORS = {
    "local_correlation_map": "translation",
    "preselected_translations": "translation",
    "power_spectrum": "power-spectrum",
    "rotational_symmetry_maximum_pooling": "rotation",
    "reflection_symmetry_maximum_pooling": "reflection",
}

#: Names that example notebooks have from earlier versions.
EARLIER = {
    "rotational_symmetry_maximums": "rotational_symmetry_maximum_pooling",
    "reflection_symmetry_maximums": "reflection_symmetry_maximum_pooling",
}

#: Label of pixels without data (NaN): there is none in an image without such pixels.
NO_LABEL = -1


class PCA:
    """Principal components of descriptors, with the attributes of scikit-learn's.

    Attributes
    ----------
    mean_ : ndarray [D]
    components_ : ndarray [q, D]
    explained_variance_, explained_variance_ratio_ : ndarray [q]
    """

    def __init__(self, n_components: int = 5):
        self.n_components = n_components

    def fit(self, X: np.ndarray, y: Any = None) -> PCA:
        """Find the components of ``X`` [N, D], those of largest variance first."""
        X = np.asarray(X, np.float64)
        q = min(self.n_components, *X.shape)
        self.mean_ = X.mean(axis=0)
        centred = X - self.mean_
        variances, vectors = np.linalg.eigh(centred.T @ centred / max(len(X) - 1, 1))
        variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1].T
        # The largest loading is positive, so that signs do not depend on the library.
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], 1)
        self.components_ = (vectors * np.sign(largest))[:q]
        self.explained_variance_ = variances[:q]
        self.explained_variance_ratio_ = variances[:q] / max(variances.sum(), np.finfo(float).tiny)
        self.n_components_ = q
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scores [N, q] of ``X`` [N, D]."""
        return (np.asarray(X, np.float64) - self.mean_) @ self.components_.T

    def fit_transform(self, X: np.ndarray, y: Any = None) -> np.ndarray:
        """`fit`, then `transform`."""
        return self.fit(X).transform(X)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Descriptors [N, D] of scores [N, q]."""
        return np.asarray(X) @ self.components_ + self.mean_


class KMeans:
    """Clusters of scores, with the attributes of scikit-learn's; runs until no label changes.

    Attributes
    ----------
    cluster_centers_ : ndarray [k, q]
    labels_ : ndarray of int32 [N]
    inertia_ : float
    n_iter_ : int
    """

    def __init__(self, n_clusters: int = 2, *, n_init: int = 10, random_state: Any = None, init: Any = None,
                 one_step: bool = False):
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.random_state = random_state
        self.init = init
        self.one_step = one_step

    def fit(self, X: np.ndarray, y: Any = None) -> KMeans:
        """Cluster ``X`` [N, q], from the centres ``init`` [k, q] where there are some."""
        points = np.ascontiguousarray(X, np.float32)
        centres = None if self.init is None else np.ascontiguousarray(self.init, np.float64)
        if centres is not None and centres.shape != (self.n_clusters, points.shape[1]):
            raise ValueError(
                f"kmeans_init_centers has shape {centres.shape}, but {self.n_clusters} patterns of "
                f"{points.shape[1]} components need ({self.n_clusters}, {points.shape[1]})"
            )
        if self.one_step and centres is not None:
            self.cluster_centers_ = centres
            self.labels_ = self.predict(points)
            self.cluster_centers_ = np.array([
                points[self.labels_ == k].mean(axis=0, dtype=np.float64) if (self.labels_ == k).any() else centre
                for k, centre in enumerate(centres)
            ])
            self.inertia_ = float(((points - self.cluster_centers_[self.labels_]) ** 2).sum())
            self.n_iter_ = 1
            return self
        number = "".join(text or "" for _, text in seed(self.random_state))
        labels, self.cluster_centers_, self.inertia_, self.n_iter_ = _core.kmeans(
            points, self.n_clusters, restarts=self.n_init,
            seed=int(number or 0), centroids=centres,
        )
        self.labels_ = labels.astype(np.int32)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The nearest centre of each of ``X`` [N, q]; of equal ones the first."""
        return self.transform(X).argmin(axis=1).astype(np.int32)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Distances [N, k] from the centres."""
        X = np.asarray(X, np.float64)
        return np.stack([np.sqrt(((X - centre) ** 2).sum(1)) for centre in self.cluster_centers_], axis=1)

    def fit_predict(self, X: np.ndarray, y: Any = None) -> np.ndarray:
        """`fit`, and its labels."""
        return self.fit(X).labels_


def _filled(labels: np.ndarray) -> np.ndarray:
    """Site labels, where sites without one have that of the nearest with one (in steps)."""
    labels = labels.copy()
    while (labels == NO_LABEL).any() and (labels != NO_LABEL).any():
        before = labels.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                neighbour = np.roll(before, shift, axis)
                # Nothing comes in from the other side.
                np.moveaxis(neighbour, axis, 0)[0 if shift == 1 else -1] = NO_LABEL
                take = (labels == NO_LABEL) & (neighbour != NO_LABEL)
                labels[take] = neighbour[take]
    return labels


class segmentationSTEM:  # noqa: N801 - the name that users have in their notebooks
    """Segments an image by local symmetry, as pySTEM's class does.

    Parameters
    ----------
    n_patterns : int, default 2
        Number of patterns.
    stride : int, default 5
        Distance of neighbouring sites.
    descriptor_name : str, default "local_correlation_map"
        Or "preselected_translations", "power_spectrum", "rotational_symmetry_maximum_pooling",
        "reflection_symmetry_maximum_pooling".
    n_PCA_components : int, default 5
        Number of principal components; with as few channels there are none.
    upsampling : bool, default True
        Whether labels are those of pixels, else of sites.
    preselected_translations : array_like [n, 2], optional
        Translations, rows and columns.
    window_x, window_y : int, default 21
        Half sizes of the window, rows and columns.
    num_reflection_plane : int, default 10
        Number of mirror axes.
    radius : int, default 20
        Radius of what is compared under rotation and reflection.
    patch_x, patch_y : int, default 20
        Half sizes of the patch, rows and columns.
    max_num_points : int, default 100
        Most translations.
    method : {"direct", "fft"}, default "direct"
        Without meaning here: both give the exact sums.
    sort_labels_by_pattern_size : bool, default True
        Whether 0 is the smallest pattern; the labels of pixels only.
    random_state : int or None
        Seed of k-means; None is 0.
    separability_analysis : bool, default False
        Whether the Fisher separability of each channel is computed.
    num_operations_with_best_sep : int, default 5
        How many of the best channels ``_operations_with_best_sep`` has.
    one_step_kmeans : bool, default False
        Whether k-means ends after one step from ``kmeans_init_centers``: for films.
    pca_fitted : object with ``transform``, optional
        Components of an earlier image, ``_pca`` of that.
    kmeans_init_centers : array_like [k, q], optional
        Centres to begin with, ``_kmeans.cluster_centers_`` of an earlier image.
    device : str, default "auto"
        What computes; stemseg's own.

    Attributes
    ----------
    paras : dict
        The parameters by name; changes count from the next call on.
    _descriptors : ndarray [site rows, site cols, D]
    _translation_vectors : ndarray [D, 2]
    _PCA_components : ndarray [sites, q]
    _pca, _kmeans
        What was fitted.
    _segmentation_labels : ndarray of int32
    _Fisher_separability : ndarray [D]
    _operations_with_best_sep : ndarray
        The translations with the largest separability, or the numbers of the channels.
    """

    def __init__(
        self, n_patterns: int = 2, stride: int = 5, descriptor_name: str = "local_correlation_map",
        n_PCA_components: int = 5, upsampling: bool = True, preselected_translations: Any = None,
        window_x: int = 21, window_y: int = 21, num_reflection_plane: int = 10, radius: int = 20,
        patch_x: int = 20, patch_y: int = 20, max_num_points: int = 100, method: str = "direct",
        sort_labels_by_pattern_size: bool = True, random_state: Any = None,
        separability_analysis: bool = False, num_operations_with_best_sep: int = 5,
        one_step_kmeans: bool = False, pca_fitted: Any = None, kmeans_init_centers: Any = None,
        *, device: str = "auto", step: int | None = None, power_spectrum_logarithm: bool = True,
    ):
        self.paras: dict[str, Any] = {
            # The name that earlier versions had.
            "n_patterns": n_patterns, "stride": stride if step is None else step,
            "descriptor_name": descriptor_name, "n_PCA_components": n_PCA_components,
            "upsampling": upsampling, "preselected_translations": preselected_translations,
            "window_x": window_x, "window_y": window_y, "num_reflection_plane": num_reflection_plane,
            "radius": radius, "patch_x": patch_x, "patch_y": patch_y, "max_num_points": max_num_points,
            "method": method, "sort_labels_by_pattern_size": sort_labels_by_pattern_size,
            "random_state": random_state, "separability_analysis": separability_analysis,
            "num_operations_with_best_sep": num_operations_with_best_sep,
            "one_step_kmeans": one_step_kmeans, "pca_fitted": pca_fitted,
            "kmeans_init_centers": kmeans_init_centers, "device": device,
            "power_spectrum_logarithm": power_spectrum_logarithm,
        }
        self._descriptor()
        self._check()

    def _check(self) -> None:
        if self.paras["method"] not in ("direct", "fft"):
            raise ValueError(f"method={self.paras['method']!r}: give \"direct\" or \"fft\"")

    def _descriptor(self) -> str:
        name = EARLIER.get(self.paras["descriptor_name"], self.paras["descriptor_name"])
        if name not in DESCRIPTORS:
            raise ValueError(f"descriptor_name={name!r}: give one of {', '.join(DESCRIPTORS)}")
        return name

    def _keywords(self) -> dict[str, Any]:
        """The options of stemseg."""
        p, name = self.paras, self._descriptor()
        window = (p["window_x"], p["window_y"])
        made: dict[str, Any] = {
            "n_patterns": 1, "descriptor": DESCRIPTORS[name], "stride": p["stride"],
            "device": p["device"], "outliers": "keep", "n_init": 1,
        }
        if name == "power_spectrum":
            made |= {"window": window, "spectrum": "full"}
            made["spectrum_scale"] = "log" if p["power_spectrum_logarithm"] else "linear"
        elif name == "preselected_translations":
            made |= {"patch": (p["patch_x"], p["patch_y"])}
        elif name == "local_correlation_map":
            made |= {"patch": (p["patch_x"], p["patch_y"]), "window": window, "max_points": p["max_num_points"]}
        else:
            # Centres every stride px, as the original has them.
            made |= {"window": window, "radius": p["radius"], "inner_stride": p["stride"]}
            if name == "reflection_symmetry_maximum_pooling":
                made["axes"] = p["num_reflection_plane"]
        return made

    def get_descriptors(self, image: Any) -> np.ndarray:
        """Descriptors of the sites, [site rows, site cols, D]."""
        pixels = array(image)
        self._check()
        keywords = self._keywords()
        with tempfile.TemporaryDirectory() as folder:
            if self._descriptor() == "preselected_translations":
                keywords["translations"] = self._saved_translations(Path(folder))
            core = _core.segment(pixels, options(keywords), descriptors=True)
        self._take_grid(core, pixels.shape)
        labels = core.site_labels()
        self._descriptors = np.asarray(core.descriptors()).reshape(*labels.shape, -1)
        self._active = labels > 0
        return self._descriptors

    def _saved_translations(self, folder: Path) -> str:
        given = self.paras["preselected_translations"]
        if given is None:
            raise ValueError(
                "preselected_translations=None: give an array [n, 2] of rows and columns, or another "
                "descriptor_name"
            )
        vectors = np.asarray(given)
        if vectors.ndim != 2 or vectors.shape[1] != 2 or len(vectors) == 0:
            raise ValueError(f"preselected_translations has shape {vectors.shape}; give [n, 2]")
        np.save(folder / "translations.npy", vectors.astype(np.int64))
        return str(folder / "translations.npy")

    def _take_grid(self, core: Any, shape: tuple[int, ...]) -> None:
        import json

        of = json.loads(core.summary())["descriptors"]
        grid = of["grid"]
        self._shape = shape
        self._margin = (grid["margin"]["rows"], grid["margin"]["cols"])
        self._stride = grid["stride"]
        name = self._descriptor()
        self._translation_vectors: np.ndarray | None
        if name == "preselected_translations":
            self._translation_vectors = np.asarray(self.paras["preselected_translations"])
        elif name == "local_correlation_map":
            self._translation_vectors = self._translations()
        else:
            self._translation_vectors = None

    def _translations(self) -> np.ndarray:
        """The sub-grid of translations that a window holds, rows outer."""
        windows = (self.paras["window_x"], self.paras["window_y"])
        step = 1
        while np.prod([2 * w // step + 1 for w in windows]) > self.paras["max_num_points"]:
            step += 1
        axes = [np.arange(-w, w + 1, step) for w in windows]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)

    def get_PCA_components(self, descriptors: Any = None) -> np.ndarray:  # noqa: N802
        """Scores of the principal components, [sites, q], of descriptors [..., D]."""
        if descriptors is None:
            descriptors = self._needed("_descriptors")
        flat = np.asarray(descriptors)
        flat = flat.reshape(-1, flat.shape[-1])
        active = self._active_of(len(flat))
        fitted = self.paras["pca_fitted"]
        if fitted is not None:
            self._pca = fitted
        elif flat.shape[1] <= self.paras["n_PCA_components"]:
            self._pca = None
        else:
            self._pca = PCA(self.paras["n_PCA_components"]).fit(flat[active])
        self._PCA_components = flat if self._pca is None else np.asarray(self._pca.transform(flat))
        return self._PCA_components

    def _active_of(self, sites: int) -> np.ndarray:
        active = getattr(self, "_active", None)
        return active.ravel() if active is not None and active.size == sites else np.ones(sites, bool)

    def perform_clustering(self, image: Any) -> np.ndarray:
        """Segment ``image``.

        Returns
        -------
        ndarray of int32, [rows, cols]
            0 the smallest pattern, k - 1 the largest; of the sites, as k-means numbers them, where
            ``upsampling`` is off. Pixels without data (NaN) have -1.
        """
        p = self.paras
        self.get_descriptors(image)
        scores = self.get_PCA_components()
        grid, active = self._descriptors.shape[:2], self._active.ravel()
        self._kmeans = KMeans(
            p["n_patterns"], random_state=p["random_state"], init=p["kmeans_init_centers"],
            one_step=p["one_step_kmeans"],
        ).fit(scores[active])
        labels = np.full(grid[0] * grid[1], NO_LABEL, np.int32)
        labels[active] = self._kmeans.labels_
        self._order = np.arange(p["n_patterns"])
        self._site_labels = labels.reshape(grid)
        if p["separability_analysis"]:
            self._separate()
        self._segmentation_labels = self._site_labels
        if p["upsampling"]:
            self._segmentation_labels = self.perform_upsampling_labels(_filled(self._site_labels))
            if not np.isfinite(np.asarray(image, float)).all():
                self._segmentation_labels[~np.isfinite(np.asarray(image, float))] = NO_LABEL
            if p["sort_labels_by_pattern_size"]:
                self._segmentation_labels = self.sort_labels_by_pattern_size(self._segmentation_labels)
        return self._segmentation_labels

    def perform_upsampling_labels(self, labels: Any = None) -> np.ndarray:
        """Labels [rows, cols] of the pixels, each that of the nearest site (half-way the first)."""
        labels = np.asarray(self._needed("_site_labels") if labels is None else labels)
        if labels.shape != self._needed("_descriptors").shape[:2]:
            raise ValueError(
                f"labels has shape {labels.shape}, but the sites {self._descriptors.shape[:2]}"
            )
        places = [
            np.clip(np.ceil((np.arange(size) - margin) / self._stride - 0.5), 0, sites - 1).astype(int)
            for size, margin, sites in zip(self._shape, self._margin, labels.shape, strict=True)
        ]
        return labels[np.ix_(*places)]

    def sort_labels_by_pattern_size(self, labels: Any = None) -> np.ndarray:
        """The labels with new numbers: 0 has the fewest pixels; equal ones keep their order."""
        labels = np.asarray(self._needed("_segmentation_labels") if labels is None else labels)
        sizes = np.bincount(labels[labels >= 0].ravel(), minlength=self.paras["n_patterns"])
        self._order = np.argsort(sizes, kind="stable")
        new = np.empty_like(self._order)
        new[self._order] = np.arange(len(self._order))
        made = np.where(labels >= 0, new[np.maximum(labels, 0)], NO_LABEL)
        return made.astype(np.int32)

    def perform_soft_segmentation(self, image: Any = None) -> np.ndarray:
        """How far each pixel belongs to each pattern, by the numbers of the labels.

        Returns
        -------
        ndarray of float32
            [rows, cols], the membership in pattern 1, where there are two patterns; else
            [rows, cols, k]. Of the sites where ``upsampling`` is off. 0 to 1; those of a pixel add up
            to 1.
        """
        if image is not None:
            self.perform_clustering(image)
        fitted, scores = self._needed("_kmeans"), self._PCA_components
        active = self._active.ravel()
        within = (scores[active] - fitted.cluster_centers_[fitted.labels_]) ** 2
        variance = np.maximum(within.mean(axis=0), np.finfo(float).tiny)
        exponent = np.stack(
            [-((scores - centre) ** 2 / (2 * variance)).sum(1) for centre in fitted.cluster_centers_], axis=1
        )
        shares = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares = shares[:, self._order].astype(np.float32).reshape(*self._site_labels.shape, -1)
        if self.paras["upsampling"]:
            shares = np.stack(
                [self.perform_upsampling_labels(shares[..., k]) for k in range(shares.shape[-1])], axis=-1
            )
        return shares[..., 1] if shares.shape[-1] == 2 else shares

    def _separate(self) -> None:
        """Between-class over within-class sum of squares of each channel."""
        active = self._active.ravel()
        flat = self._descriptors.reshape(-1, self._descriptors.shape[-1])[active].astype(np.float64)
        labels, mean = self._kmeans.labels_, flat.mean(axis=0)
        between = np.zeros_like(mean)
        within = np.zeros_like(mean)
        for label in np.unique(labels):
            own = flat[labels == label]
            between += len(own) * (own.mean(axis=0) - mean) ** 2
            within += ((own - own.mean(axis=0)) ** 2).sum(axis=0)
        # 0 for 0/0: a channel that never varies.
        floor = 1e-12 * (flat**2).sum(axis=0)
        self._Fisher_separability = np.where(
            between > floor, between / np.maximum(within, np.maximum(floor, np.finfo(float).tiny)), 0
        )
        best = np.argsort(-self._Fisher_separability, kind="stable")
        best = best[: self.paras["num_operations_with_best_sep"]]
        vectors = self._translation_vectors
        self._operations_with_best_sep = best if vectors is None else vectors[best]

    def _needed(self, name: str) -> Any:
        if not hasattr(self, name):
            raise not_fitted("segmentationSTEM")
        return getattr(self, name)
