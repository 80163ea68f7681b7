"""What is compiled; the package in front of it is what people see."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Found", "Model", "colour", "command", "devices", "dynamics", "entries", "fit", "kmeans", "lattices", "read",
    "scores", "segment", "simulate", "version",
]

_Options = Sequence[tuple[str, str | None]]
_Progress = Callable[[str, int, int], object] | None
_Mask = NDArray[np.bool_] | None

@final
class Model:
    @staticmethod
    def load(path: str | PathLike[str]) -> Model: ...
    @staticmethod
    def from_json(text: str, place: str | PathLike[str]) -> Model: ...
    def to_json(self) -> str: ...
    def save(self, path: str | PathLike[str]) -> None: ...
    def with_names(self, names: Sequence[str]) -> Model: ...

@final
class Found:
    def labels(self) -> NDArray[np.integer]: ...
    def confidence(self) -> NDArray[np.float32]: ...
    def memberships(self) -> NDArray[np.float32]: ...
    def regions(self) -> tuple[str, NDArray[np.uint32]]: ...
    def site_labels(self) -> NDArray[np.uint16]: ...
    def features(self) -> NDArray[np.float32]: ...
    def descriptors(self) -> NDArray[np.float32] | None: ...
    def clustering(self) -> tuple[NDArray[np.float64], float, list[int]]: ...
    def components(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def summary(self) -> str: ...
    def remarks(self) -> tuple[list[str], list[tuple[str, str]]]: ...
    def model(self) -> Model: ...
    def overlay(self) -> bytes: ...
    def save(
        self, path: str | PathLike[str], options: _Options, report: bool, progress: _Progress = None
    ) -> PathLike[str]: ...

def segment(
    image: NDArray | str | PathLike[str],
    options: _Options,
    *,
    mask: _Mask = None,
    name: str | PathLike[str] = ...,
    model: Model | None = None,
    scale: str = "auto",
    descriptors: bool = False,
    progress: _Progress = None,
) -> Found: ...
def dynamics(
    film: NDArray[np.float32],
    *,
    more_terms: Sequence[str],
    drift: tuple[float, float],
    label: int | None = None,
    terms: Sequence[str] | None = None,
    units: tuple[float, float, float, str, bool] | None = None,
    seed: int = 0,
    progress: _Progress = None,
) -> tuple[str, NDArray[np.float32] | None, NDArray[np.float32]]: ...
def fit(
    images: Sequence[tuple[NDArray | str, _Mask]], options: _Options, *, progress: _Progress = None
) -> Model: ...
def kmeans(
    points: NDArray[np.float32],
    clusters: int,
    *,
    restarts: int = 10,
    seed: int = 0,
    centroids: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.float64], float, int]: ...
def read(
    path: str | PathLike[str], image: int | None = None, frame: int | None = None
) -> tuple[NDArray, str]: ...
def entries(path: str | PathLike[str]) -> tuple[str, str]: ...
def lattices(
    image: NDArray | str | PathLike[str], *, mask: _Mask = None, progress: _Progress = None
) -> str: ...
def devices() -> str: ...
def simulate(
    scene: str,
    *,
    size: tuple[int, int],
    groups: Sequence[str],
    grains: int | None,
    cell: float | None,
    dose: float | None,
    jitter: float,
    background: float,
    gradient: float,
    straight: bool,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.uint16], str]: ...
def scores(
    truth: NDArray[np.uint16], found: NDArray[np.uint16], margin: int, tolerance: float
) -> str: ...
def colour(label: int) -> bytes: ...
def command(words: Sequence[str]) -> int: ...
def version() -> str: ...
