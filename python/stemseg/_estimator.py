"""`Segmenter`: the method as an estimator of scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from stemseg import _core
from stemseg._errors import not_fitted
from stemseg._images import Image
from stemseg._images import image as as_image
from stemseg._model import Model
from stemseg._progress import shown
from stemseg._segment import Segmentation, prepared, run


class Segmenter:
    """Learns the patterns of an image, or of several together, and finds them in others.

    An estimator as scikit-learn has them, without needing it: ``clone``, ``Pipeline``,
    ``get_params`` and ``check_is_fitted`` work where it is installed. ``X`` is one image of any kind
    that `segment` takes, a list of images, or a film ``[frames, rows, cols]``.

    Parameters
    ----------
    n_patterns, period, smooth, min_confidence, pixel_size, device, memory, random_state
        As in `segment`; so are all others.

    Attributes
    ----------
    labels_ : ndarray [rows, cols], or [frames, rows, cols], or a list of them
        Labels of the images that it was fitted to.
    model_ : Model
    n_patterns_ : int
    period_ : float or None
        Period of the crystals, px.
    segmentation_ : Segmentation
        Of a single image everything that was found; of several that of the first.

    Examples
    --------
    >>> import stemseg
    >>> first, _ = stemseg.simulate("square-hexagonal", size=256)
    >>> second, _ = stemseg.simulate("square-hexagonal", size=256, random_state=1)
    >>> stemseg.Segmenter(2).fit(first).predict(second).shape
    (256, 256)
    """

    _estimator_type = "clusterer"

    def __init__(
        self,
        n_patterns: int | str = "auto",
        *,
        period: float | str | None = None,
        smooth: float | None = None,
        min_confidence: float | None = None,
        pixel_size: float | str | tuple[float, float] | None = None,
        device: str = "auto",
        memory: int | str | None = None,
        random_state: Any = None,
        preset: str | None = None,
        descriptor: str | None = None,
        patch: Any = None,
        window: Any = None,
        stride: Any = None,
        radius: Any = None,
        inner_stride: Any = None,
        max_points: int | None = None,
        folds: Any = None,
        axes: int | None = None,
        reduce: str | None = None,
        n_components: int | None = None,
        n_init: int | None = None,
        order: str | None = None,
        border: str | None = None,
        nan: str | None = None,
        outliers: str | None = None,
        check: str | None = None,
        progress: Any = None,
    ):
        self.n_patterns = n_patterns
        self.period = period
        self.smooth = smooth
        self.min_confidence = min_confidence
        self.pixel_size = pixel_size
        self.device = device
        self.memory = memory
        self.random_state = random_state
        self.preset = preset
        self.descriptor = descriptor
        self.patch = patch
        self.window = window
        self.stride = stride
        self.radius = radius
        self.inner_stride = inner_stride
        self.max_points = max_points
        self.folds = folds
        self.axes = axes
        self.reduce = reduce
        self.n_components = n_components
        self.n_init = n_init
        self.order = order
        self.border = border
        self.nan = nan
        self.outliers = outliers
        self.check = check
        self.progress = progress

    @classmethod
    def _parameters(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; ``deep`` changes nothing, since none is an estimator."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Segmenter:
        """Change parameters, which the next fit takes."""
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"there is no parameter '{name}'; there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: Any = None, *, mask: Any = None) -> Segmenter:
        """Learn the patterns of one image, or of several together.

        Parameters
        ----------
        X
            An image, a list of images, or a film ``[frames, rows, cols]``.
        y
            Not used.
        mask : array_like of bool, optional
            True where a pixel does not count; for several images one for all, or a list.
        """
        self._images: list[Image] = []
        return self._fit(*_images(X, mask))

    def partial_fit(self, X: Any, y: Any = None, *, mask: Any = None) -> Segmenter:
        """Learn the patterns of these images and all that were given before, together.

        The images are kept, and the fit is that of `fit` to all of them in the order in which they
        came, whatever the parts.
        """
        self._images = getattr(self, "_images", [])
        return self._fit(*_images(X, mask))

    def _fit(self, new: list[Image], shape: str) -> Segmenter:
        images = [*self._images, *new]
        keywords = self.get_params()
        progress = keywords.pop("progress")
        if len(images) == 1:
            found = self._segmented(images[0], progress)
            self.model_, self.segmentation_ = found.model, found
            self.labels_ = found.labels
        else:
            sizes = {one.pixel_size for one in images}
            if self.pixel_size is None and len(sizes) > 1:
                raise ValueError(
                    f"images of different pixel sizes ({sizes}, nm) cannot be fitted together; give "
                    "those of one magnification, or pixel_size="
                )
            pairs = [(_core_pixels(one), one.mask) for one in images]
            with shown(progress) as callback:
                made = prepared(images[0], keywords)
                self.model_ = Model(_core.fit(pairs, made, progress=callback))
            each = [self._labelled(one) for one in images]
            self.segmentation_ = each[0]
            self.labels_ = _stacked([one.labels for one in each])
        self._images = images
        self.n_patterns_ = self.model_.n_patterns
        self.period_ = self.model_.period
        return self

    def _segmented(self, image: Image, progress: Any) -> Segmentation:
        keywords = self.get_params() | {"progress": progress, "mask": image.mask}
        return run(_given(image), _with_size(image, keywords))

    def _labelled(self, image: Image) -> Segmentation:
        own = ("pixel_size", "device", "memory", "nan", "outliers", "check", "progress")
        keywords = {name: getattr(self, name) for name in own} | {"mask": image.mask}
        return run(_given(image), _with_size(image, keywords), model=self._model())

    def _model(self) -> Model:
        if not hasattr(self, "model_"):
            raise not_fitted("Segmenter")
        return self.model_

    def _each(self, X: Any, mask: Any, of) -> Any:
        self._model()
        images, shape = _images(X, mask)
        made = [of(self._labelled(one)) for one in images]
        return made[0] if shape == "one" else _stacked(made)

    def predict(self, X: Any, *, mask: Any = None) -> Any:
        """Labels of the pixels, [rows, cols] for each image: the patterns of the fit."""
        return self._each(X, mask, lambda found: found.labels)

    def predict_proba(self, X: Any, *, mask: Any = None) -> Any:
        """How far each pixel belongs to each pattern, [rows, cols, k] for each image."""
        return self._each(X, mask, lambda found: found.proba())

    def transform(self, X: Any, *, mask: Any = None) -> Any:
        """Features of the sites, [site rows, site cols, q] for each image."""
        return self._each(X, mask, lambda found: found.features)

    def fit_predict(self, X: Any, y: Any = None, *, mask: Any = None) -> Any:
        """`fit`, and the labels of what it was fitted to."""
        return self.fit(X, mask=mask).labels_

    def fit_transform(self, X: Any, y: Any = None, *, mask: Any = None) -> Any:
        """`fit`, and the features of what it was fitted to."""
        return self.fit(X, mask=mask).transform(X, mask=mask)

    def score(self, X: Any, y: Any = None, *, mask: Any = None) -> float:
        """Mean confidence of the labelled pixels; with true labels ``y`` the adjusted Rand index."""
        self._model()
        images, _ = _images(X, mask)
        found = [self._labelled(one) for one in images]
        if y is None:
            parts = [one.confidence[one.labels > 0] for one in found]
            return float(np.concatenate(parts).mean(dtype=float))
        from stemseg.metrics import adjusted_rand_index

        truth = [y] if len(found) == 1 and np.ndim(y) == 2 else list(y)
        if len(truth) != len(found):
            raise ValueError(f"y has {len(truth)} label maps, but there are {len(found)} images")
        every = zip(truth, found, strict=True)
        return float(np.mean([adjusted_rand_index(t, f.labels) for t, f in every]))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        inputs = InputTags(two_d_array=True, three_d_array=True, allow_nan=True)
        return Tags(
            estimator_type="clusterer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=inputs,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Images that were fitted to are not part of what was learnt.
        return {name: value for name, value in self.__dict__.items() if name != "_images"}

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default and value != defaults[name].default
        ]
        return f"Segmenter({', '.join(changed)})"


def _images(X: Any, mask: Any) -> tuple[list[Image], str]:
    """The images that ``X`` is, and whether it is "one" or "several"."""
    several = isinstance(X, (list, tuple)) and not _is_rows(X)
    colour = getattr(X, "ndim", 0) == 3 and X.shape[-1] in (3, 4) and X.shape[0] > 4
    if getattr(X, "ndim", 0) == 3 and not colour and not hasattr(X, "axes_manager"):
        several = True
    if hasattr(X, "axes_manager") and X.axes_manager.navigation_dimension == 1:
        X, several = [X.inav[i] for i in range(X.axes_manager.navigation_size)], True
    if not several:
        return [as_image(X, mask)], "one"
    if len(X) == 0:
        raise ValueError("there is no image; give at least one")
    same = mask is None or getattr(mask, "ndim", 0) == 2
    masks = [mask] * len(X) if same else list(mask)
    if len(masks) != len(X):
        raise ValueError(f"there are {len(masks)} masks for {len(X)} images; give one for each")
    return [as_image(one, own) for one, own in zip(X, masks, strict=True)], "several"


def _is_rows(X: Any) -> bool:
    """Whether a list is one image, as rows of numbers."""
    first = X[0] if len(X) else None
    return isinstance(first, (list, tuple)) and len(first) > 0 and np.ndim(first[0]) == 0


def _stacked(made: list[np.ndarray]) -> Any:
    return np.stack(made) if len({one.shape for one in made}) == 1 else made


def _core_pixels(image: Image) -> Any:
    return image.pixels if isinstance(image.pixels, np.ndarray) else str(image.pixels)


def _given(image: Image) -> Any:
    return image.pixels


def _with_size(image: Image, keywords: dict[str, Any]) -> dict[str, Any]:
    if keywords.get("pixel_size") is None:
        return keywords | {"pixel_size": image.pixel_size}
    return keywords
