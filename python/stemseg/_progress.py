"""Progress as ``None``, ``True`` or a callable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Callback = Callable[[str, int, int], object]


@contextmanager
def shown(progress: bool | Callback | None) -> Iterator[Callback | None]:
    """What is called as ``callback(stage, done, total)``; for ``True`` a bar of tqdm."""
    if progress is None or progress is False:
        yield None
        return
    if callable(progress):
        yield progress
        return
    if progress is not True:
        raise TypeError(
            f"progress={progress!r}: give None, True, or a callable of stage, done and total"
        )
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            "progress=True shows a bar of tqdm, which is not installed: pip install tqdm, or give a "
            "callable"
        ) from error
    with tqdm(leave=False) as bar:

        def step(stage: str, done: int, total: int) -> None:
            if stage != bar.desc.removesuffix(": "):
                bar.reset(total or None)
                bar.set_description(stage, refresh=False)
            bar.total = total or None
            bar.n = done
            bar.refresh()

        yield step
