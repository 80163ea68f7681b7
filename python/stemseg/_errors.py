"""Exceptions that Python itself does not have."""

from __future__ import annotations

import sys


class UnreadableError(OSError, ValueError):
    """A file whose content is not an image, or not a model, that stemseg can read.

    ``filename`` names it, ``strerror`` says what is wrong with it and what would be read.
    """


class NotFittedError(ValueError, AttributeError):
    """An estimator was asked before it was fitted; scikit-learn's own where that is loaded."""


def not_fitted(name: str) -> Exception:
    """The error of an estimator that is asked before it was fitted."""
    words = f"this {name} is not fitted yet; call fit with an image first"
    if "sklearn" in sys.modules:
        from sklearn.exceptions import NotFittedError as Theirs

        return type("NotFittedError", (Theirs, NotFittedError), {})(words)
    return NotFittedError(words)
