"""The equation of motion of a segmented film."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stemseg import _core
from stemseg._progress import Callback, shown

# Share by which another pattern must change more to be taken: of two that replace each other, the
# first is.
_MORE = 0.01


@dataclass(frozen=True)
class Term:
    """A term of an equation.

    Attributes
    ----------
    term : str
        Its name, such as ``"Phi^2 Phi_x"``.
    coefficient, std : float
        Its coefficient and that one's standard deviation, in the units of the equation.
    kept : float
        Share of resamplings in which the best equation of this size has the term.
    """

    term: str
    coefficient: float
    std: float
    kept: float


@dataclass(frozen=True)
class Equation:
    """What `dynamics` found.

    Attributes
    ----------
    verdict : str
        ``"equation"``, ``"nothing-moves"``, or ``"no-equation"`` where no equation of the library
        explains the film; the nearest is then given.
    equation, latex : str
        ``"Phi_t = ..."``, and the same in LaTeX.
    units : str
        Units of length and time.
    terms : tuple of Term
        Its terms.
    reasons, notes : tuple of str
        Why this equation, and what one should know.
    simulated : ndarray [frames, rows, cols] or None
        The equation, simulated from the first frame.
    residuals : ndarray [rows, cols]
        Root mean square error of Phi_t, 1 / frame; NaN where nothing changes.
    summary : dict
        All that was found, as in ``equation.json`` of ``stemseg dynamics``.
    """

    verdict: str
    equation: str
    latex: str
    units: str
    terms: tuple[Term, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    simulated: np.ndarray | None = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    summary: dict[str, Any] = field(repr=False)

    def __getitem__(self, term: str) -> Term:
        """The term of this name; KeyError where the equation has none."""
        for own in self.terms:
            if own.term == term:
                return own
        raise KeyError(f"{term!r}: the equation has {', '.join(own.term for own in self.terms) or 'no terms'}")

    def __str__(self) -> str:
        said = {"nothing-moves": "nothing moves: ", "no-equation": "no equation explains the film; the nearest: "}
        return f"{said.get(self.verdict, '')}{self.equation}   ({self.units})"

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"


def dynamics(
    film: Any,
    *,
    label: int | None = None,
    terms: Sequence[str] | None = None,
    more_terms: Sequence[str] = (),
    drift: tuple[float, float] = (0.0, 0.0),
    pixel_size: float | tuple[float, float] | None = None,
    frame_interval: float | None = None,
    dx: float | None = None,
    dt: float | None = None,
    random_state: int = 0,
    progress: bool | Callback | None = None,
) -> Equation:
    """Find the partial differential equation that the boundaries of a film obey.

    The same as the command ``stemseg dynamics``: sparse regression in weak form on powers of Phi times
    its derivatives. x counts columns and y rows.

    Parameters
    ----------
    film : array or path of an .npy file
        Memberships Phi between 0 and 1, or labels, ``[frames, rows, cols]``; memberships in several
        patterns ``[frames, k, rows, cols]``; or u(t, x) as ``[times, cols]``. NaN where they are not
        known.
    label : int, optional
        Pattern of memberships in several, or label that is taken as 1; by default what changes most.
    terms : sequence of str, optional
        Terms that are tried instead of the usual ones, such as ``["Phi", "Phi^2", "Phi_xx"]``.
    more_terms : sequence of str
        Terms that are tried as well.
    drift : (float, float)
        Known velocity of the whole film along x and y, px a frame.
    pixel_size : float or (float, float), optional
        Size of a pixel, or of its rows and columns, nm: the equation is given in nm as well.
    frame_interval : float, optional
        Time between frames, s: the equation is given in s as well.
    dx, dt : float, optional
        Of u(t, x): distances of columns and of times, in whatever units; the equation is in these.
    random_state : int
        Seed of the resampling.
    progress : None, True or callable
        True shows a bar of tqdm; a callable is called as ``progress(stage, done, total)``.

    Returns
    -------
    Equation

    Examples
    --------
    >>> import numpy as np, stemseg
    >>> t, y, x = np.ogrid[:20, :48, :64]
    >>> front = 20 + 4 * np.sin(y / 9) + 0.75 * t
    >>> found = stemseg.dynamics(0.5 - 0.5 * np.tanh((x - front) / 4))
    >>> found.terms[0].term, round(found.terms[0].coefficient, 2)
    ('Phi_x', -0.75)
    """
    values = _values(film)
    if values.ndim == 4:
        values, label = _of_patterns(values, label), None
    line = values.ndim == 2
    for name, given in {"pixel_size": pixel_size, "frame_interval": frame_interval}.items():
        if line and given is not None:
            raise ValueError(f"{name}: u(t, x) has none; give dx and dt")
    for name, given in {"dx": dx, "dt": dt}.items():
        if not line and given is not None:
            raise ValueError(f"{name}: only u(t, x) has it; give pixel_size and frame_interval")
    units = _of_line(dx, dt) if line else _of_stack(pixel_size, frame_interval)
    stack = np.ascontiguousarray(values[:, None] if line else values, dtype=np.float32)
    with shown(progress) as callback:
        text, simulated, residuals = _core.dynamics(
            stack,
            label=label,
            terms=None if terms is None else list(terms),
            more_terms=list(more_terms),
            drift=(float(drift[0]), float(drift[1])),
            units=units,
            seed=random_state,
            progress=callback,
        )
    summary = json.loads(text)
    own = tuple(Term(*(entry[name] for name in ("term", "coefficient", "std", "kept"))) for entry in summary["terms"])
    return Equation(
        summary["verdict"], summary["equation"], summary["latex"], summary["units"], own,
        tuple(summary["reasons"]), tuple(summary["notes"]), simulated, residuals, summary,
    )


def _values(film: Any) -> np.ndarray:
    """The film as an array of two to four axes."""
    if isinstance(film, (str, os.PathLike)):
        film = np.load(os.fspath(film), mmap_mode="r", allow_pickle=False)
    values = np.asarray(film)
    if not 2 <= values.ndim <= 4:
        raise ValueError(
            f"film of {values.ndim} axes: give [frames, rows, cols], [frames, patterns, rows, cols], or u(t, x)"
        )
    if values.dtype.kind not in "fiub":
        raise TypeError(f"film of {values.dtype}: give memberships from 0 to 1, or labels")
    return values


def _of_patterns(values: np.ndarray, label: int | None) -> np.ndarray:
    """The memberships in one of several patterns."""
    patterns = values.shape[1]
    if label is None:
        with warnings.catch_warnings():
            # Of a frame without values there is no mean.
            warnings.simplefilter("ignore", RuntimeWarning)
            change = np.abs(np.nanmean(values[-1], axis=(1, 2)) - np.nanmean(values[0], axis=(1, 2)))
        change = np.nan_to_num(change)
        label = 1 + int(np.argmax(change * (1 + _MORE) >= change.max()))
    if not 1 <= label <= patterns:
        raise ValueError(f"label={label}: the film has memberships in {patterns} patterns; give 1 to {patterns}")
    return values[:, label - 1]


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name}={value}: give a number above 0")
    return float(value)


def _of_stack(pixel_size: Any, interval: float | None) -> tuple[float, float, float, str, bool] | None:
    if pixel_size is None and interval is None:
        return None
    rows, cols = (1.0, 1.0) if pixel_size is None else np.broadcast_to(pixel_size, 2).tolist()
    lengths, times = ("px" if pixel_size is None else "nm"), ("frames" if interval is None else "s")
    time = 1.0 if interval is None else _positive("frame_interval", interval)
    return _positive("pixel_size", cols), _positive("pixel_size", rows), time, f"{lengths}, {times}", False


def _of_line(dx: float | None, dt: float | None) -> tuple[float, float, float, str, bool] | None:
    if dx is None and dt is None:
        return None
    lengths, times = ("px" if dx is None else "units of dx"), ("frames" if dt is None else "units of dt")
    length = 1.0 if dx is None else _positive("dx", dx)
    return length, length, 1.0 if dt is None else _positive("dt", dt), f"{lengths}, {times}", True
