"""Models: patterns as they were found, which label other images."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from stemseg import _core


class Model:
    """Patterns as they were found in one image or in many, which label any other of the kind.

    Made by `segment` and `Segmenter`, or read with `load`; it pickles.

    Attributes
    ----------
    n_patterns : int
        Number of patterns, k.
    names : list of str or None
        What each pattern is called, by label from 1 on.
    period : float or None
        Period of the crystals, px of the image that it was fitted to.
    pixel_size : tuple of float or None
        Size of a pixel of that image, rows and columns, nm.
    """

    def __init__(self, core: _core.Model):
        self._core = core

    @classmethod
    def load(cls, path: str | os.PathLike) -> Model:
        """Read a model.

        Parameters
        ----------
        path : path
            A ``model.json``, or a result of the command or of `Segmentation.save`, as its folder or
            its ``summary.json``.

        Raises
        ------
        OSError
            Where there is no such file; `UnreadableError` for what is not a model, or one of
            another version.
        """
        return cls(_core.Model.load(os.fspath(path)))

    def save(self, path: str | os.PathLike) -> None:
        """Write the model as JSON; the file is whole or not there, and replaces another."""
        self._core.save(os.fspath(path))

    @classmethod
    def from_json(cls, text: str) -> Model:
        """The model in the content of a ``model.json``."""
        return cls(_core.Model.from_json(text, "model.json"))

    def to_json(self) -> str:
        """What `save` writes."""
        return self._core.to_json()

    def with_names(self, *names: str) -> Model:
        """The same with names for the patterns of labels 1, 2 and on."""
        return Model(self._core.with_names([str(name) for name in names]))

    def predict(self, image: Any, **keywords: Any) -> np.ndarray:
        """Label the pixels of an image; ``keywords`` as in `segment`.

        Returns
        -------
        ndarray of uint8, [rows, cols]
            Labels of this model's patterns; 0 has none. (16 bits above 254 patterns.)
        """
        return self.segment(image, **keywords).labels

    def segment(self, image: Any, *, scale: str = "auto", **keywords: Any):
        """Label the pixels of an image, with everything else that is known of it.

        Parameters
        ----------
        image
            As in `stemseg.segment`.
        scale : {"auto", "own", "model"}
            What says how the image is resampled, so that its crystals repeat like those of the
            model: the pixel sizes, and the model's period where one is missing ("auto"), the
            image's own lattices ("own"), or the model's period in px ("model").
        **keywords
            ``pixel_size``, ``roi``, ``mask``, ``device``, ``memory``, ``progress`` and others of
            `stemseg.segment` that are about reading and computing.

        Returns
        -------
        Segmentation
        """
        from stemseg._segment import run

        fits = {"n_patterns", "period", "smooth", "random_state", "n_init", "n_components"}
        for name in fits & keywords.keys():
            raise TypeError(f"'{name}' is for a fit; a model has its own")
        return run(image, keywords, model=self, scale=scale)

    @property
    def _content(self) -> dict[str, Any]:
        if "_parsed" not in self.__dict__:
            self.__dict__["_parsed"] = json.loads(self.to_json())
        return self.__dict__["_parsed"]

    @property
    def n_patterns(self) -> int:
        return len(self._content["patterns"])

    @property
    def names(self) -> list[str | None]:
        return [pattern.get("name") for pattern in self._content["patterns"]]

    @property
    def period(self) -> float | None:
        return self._content["period_px"]

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        size = self._content["pixel_size_nm"]
        return size and (size["rows"], size["cols"])

    @property
    def centroids(self) -> np.ndarray:
        """Mean features of each pattern, [k, q], by label from 1 on."""
        return np.array([pattern["centroid"] for pattern in self._content["patterns"]])

    def __reduce__(self):
        return Model.from_json, (self.to_json(),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        of = self._content
        families = "+".join(family["family"] for family in of["parameters"]["families"]) if all(
            "family" in family for family in of["parameters"]["families"]
        ) else "model"
        period = f", period {self.period:.1f} px" if self.period else ""
        return f"<stemseg.Model of {self.n_patterns} patterns{period}, {families}>"
