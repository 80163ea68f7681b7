"""Films on Dask: workers that are lost, and second runs."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import library

import stemseg


@pytest.fixture(scope="module")
def film():
    """Six frames in which a boundary moves."""
    one, _ = stemseg.simulate("plane-group", "p4mm", size=(128, 300), cell=16)
    other, _ = stemseg.simulate("plane-group", "p6mm", size=(128, 300), cell=19)
    frames = []
    for i in range(6):
        frame = one[:, :160].copy()
        frame[:, 60 + 8 * i :] = other[:, 60 + 8 * i : 160]
        frames.append(frame)
    return np.stack(frames)


@pytest.fixture(scope="module")
def model(film):
    return stemseg.dask.fit(film, 2, fit_frames=3, device="cpu")


@pytest.fixture(scope="module")
def client():
    library("distributed")
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            yield client


def kill_one_soon(client, after):
    """Kills a worker that works, after some seconds."""
    pids = client.run(os.getpid)

    def kill():
        time.sleep(after)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def slow(block):
    time.sleep(1.5)
    return block


def test_a_fit_in_steps_is_that_of_one_process(film, client):
    da = __import__("dask.array", fromlist=["from_array"])
    frames = da.from_array(film, chunks=(1, -1, -1))
    for count, settings in [(5, {}), (2, {"preset": "pystem"}), (1, {})]:
        settings = {"device": "cpu", "random_state": 3} | settings
        chosen = np.unique(np.linspace(0, 5, count).round().astype(int))
        expected = stemseg.Segmenter(2, **settings).fit([film[i] for i in chosen]).model_
        assert stemseg.dask.fit(frames, 2, fit_frames=count, client=client, **settings) == expected
        assert stemseg.dask.fit(film.astype(">f8"), 2, fit_frames=count, **settings) == expected


def test_the_first_frame_says_how_large_the_crystals_are(film):
    # The second one is enlarged: described by a period of its own it would be another crystal.
    larger = np.repeat(np.repeat(film[0], 3, 0), 3, 1)[::2, ::2][:128, :160]
    for frames in (np.stack([film[0], larger]), np.stack([larger, film[0]])):
        with library("dask").config.set(scheduler="threads"):
            model = stemseg.dask.fit(frames, 2, fit_frames=2, device="cpu")
        assert model == stemseg.Segmenter(2, device="cpu").fit(list(frames)).model_
        alone = stemseg.Segmenter(2, device="cpu").fit(frames[0]).model_
        assert model.period == alone.period


def test_frames_are_described_where_they_are(film, monkeypatch):
    # Each frame by itself; only what is small is put together.
    seen = []
    step = stemseg.dask._step

    def watched(name, settings, image, *given):
        made = step(name, settings, image, *given)
        sizes = [len(one) for one in given if isinstance(one, bytes)]
        seen.append((name, None if image is None else image.shape, max(sizes, default=0)))
        return made

    monkeypatch.setattr(stemseg.dask, "_step", watched)
    with library("dask").config.set(scheduler="threads"):
        stemseg.dask.fit(film, 2, fit_frames=5, device="cpu")
    names = [name for name, _, _ in seen]
    for name in ("sums", "sites", "points", "cover"):
        assert names.count(name) == 5, names
    assert names.count("merged") == 4 and names.count("kind") == names.count("learnt") == 1
    assert {shape for _, shape, _ in seen} == {None, film.shape[1:]}
    assert max(size for _, _, size in seen) < 2 * film[0].nbytes * 8


def test_a_worker_has_its_own_device(film, monkeypatch):
    assert stemseg.dask._device("auto") == "auto"
    monkeypatch.setenv("STEMSEG_DEVICE", "cpu")
    assert [stemseg.dask._device(named) for named in (None, "auto", "1")] == ["cpu", "cpu", "1"]
    monkeypatch.setenv("STEMSEG_DEVICE", "no such card")
    for count in (1, 2):
        with library("dask").config.set(scheduler="threads"), pytest.raises(RuntimeError, match="no such card"):
            stemseg.dask.fit(film, 2, fit_frames=count)
    with pytest.raises(ValueError, match="client"):
        stemseg.dask.fit(film, 2, fit_frames=2, device="cpu", resources={"GPU": 1})


def test_what_is_not_of_a_step_is_refused():
    steps = stemseg.dask._steps([("clusters", "2")])
    with pytest.raises(ValueError, match="same"):
        steps.merged(b"nothing", b"of the kind")


def test_predict_is_what_the_model_says(film, model):
    da = __import__("dask.array", fromlist=["from_array"])
    frames = da.from_array(film, chunks=(2, 64, 160))
    labels = stemseg.dask.predict(frames, model, device="cpu")
    assert labels.dtype == np.uint8 and labels.chunks == ((2, 2, 2), (128,), (160,))
    expected = np.stack([model.predict(frame, device="cpu") for frame in film])
    np.testing.assert_array_equal(labels.compute(scheduler="threads"), expected)
    moved = [(frame == frame[0, 0]).mean() for frame in expected]
    assert moved[-1] > moved[0] + 0.15, moved


def test_files_and_zarr_are_films(film, model, tmp_path):
    zarr = library("zarr")
    paths = []
    for i, frame in enumerate(film):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], frame)
    expected = stemseg.dask.predict(film, model, device="cpu").compute()
    np.testing.assert_array_equal(stemseg.dask.predict(paths, model, device="cpu").compute(), expected)
    array = zarr.create_array(tmp_path / "film.zarr", shape=film.shape, chunks=(2, 128, 160), dtype=film.dtype)
    array[:] = film
    frames = stemseg.dask.frames_of(tmp_path / "film.zarr")
    assert frames.chunks[0] == (2, 2, 2)
    np.testing.assert_array_equal(stemseg.dask.predict(frames, model, device="cpu").compute(), expected)
    np.save(paths[3], film[3][:100])
    with pytest.raises(ValueError, match="frames of one kind"):
        stemseg.dask.predict(paths, model, device="cpu").compute()


@pytest.mark.timeout(180)
def test_a_worker_that_is_lost_changes_nothing(film, model, client):
    da = __import__("dask.array", fromlist=["from_array"])
    frames = da.from_array(film, chunks=(1, -1, -1)).map_blocks(slow, dtype=film.dtype)
    kill = kill_one_soon(client, 1.0)
    again = stemseg.dask.fit(frames, 2, fit_frames=3, client=client, device="cpu")
    kill.join()
    assert again == model
    client.wait_for_workers(2)
    kill = kill_one_soon(client, 2.0)
    labels = client.compute(stemseg.dask.predict(frames, model, device="cpu")).result()
    kill.join()
    np.testing.assert_array_equal(labels, stemseg.dask.predict(film, model, device="cpu").compute(scheduler="sync"))


@pytest.mark.timeout(180)
def test_a_second_run_touches_nothing(film, model, client, tmp_path):
    place = tmp_path / "film.zarr"
    da = __import__("dask.array", fromlist=["from_array"])
    frames = da.from_array(film, chunks=(2, -1, -1))
    group = stemseg.dask.run(frames, place, n_patterns=2, fit_frames=3, client=client, device="cpu")
    expected = stemseg.dask.predict(film, model, device="cpu").compute()
    np.testing.assert_array_equal(group["labels"][:], expected)
    assert (group["areas"][:].sum(1) == 128 * 160).all() and group["areas"].shape == (6, 3)
    np.testing.assert_array_equal(group["areas"][:, 1], (expected == 1).sum((1, 2)))
    moved = stemseg.kinetics(group).frames
    np.testing.assert_allclose(moved["area_1_percent"], 100 * (expected == 1).mean((1, 2)), atol=1e-4)
    stamps = {path: path.stat().st_mtime_ns for path in Path(place).rglob("*")}
    stemseg.dask.run(frames, place, n_patterns=2, fit_frames=3, client=client, device="cpu")
    assert stamps == {path: path.stat().st_mtime_ns for path in Path(place).rglob("*")}
    # What is missing is done, and nothing else.
    write = library("zarr").open_group(place, mode="r+")
    write["done"][1] = 0
    write["labels"][2:4] = 0
    with pytest.raises(ValueError, match="1 of 3 chunks"):
        stemseg.kinetics(write)
    kept = {path: stamp for path, stamp in stamps.items() if path.parts[-4:-3] == ("c",) and path.parts[-3] != "1"}
    stemseg.dask.run(frames, place, n_patterns=2, fit_frames=3, device="cpu")
    np.testing.assert_array_equal(library("zarr").open_group(place, mode="r")["labels"][:], expected)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


def test_another_film_is_refused(film, model, tmp_path):
    place = tmp_path / "film.zarr"
    settings = {"model": model, "device": "cpu"}
    stemseg.dask.run(film[:2], place, **settings)
    with pytest.raises(ValueError, match="another film"):
        stemseg.dask.run(film[2:4], place, **settings)
    with pytest.raises(ValueError, match="other settings"):
        stemseg.dask.run(film[:2], place, model=model, device="auto")
    with pytest.raises(ValueError, match="another model"):
        stemseg.dask.run(film[:2], place, model=model.with_names("a", "b"), device="cpu")
    with pytest.raises(FileExistsError):
        stemseg.dask.run(film[:2], place, resume=False, **settings)
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match="not the zarr group"):
        stemseg.dask.run(film[:2], tmp_path / "other", **settings)


@pytest.mark.parametrize("frames, kind, words", [
    (np.zeros((4, 4)), ValueError, "frames, rows, cols"),
    (np.zeros((2, 4, 4), complex), TypeError, "real numbers"),
    (np.zeros((0, 4, 4)), ValueError, "no frames"),
])
def test_what_is_no_film_is_refused(frames, kind, words):
    with pytest.raises(kind, match=words):
        stemseg.dask.frames_of(frames)


def test_what_is_no_model_is_refused(film):
    with pytest.raises(TypeError, match="stemseg.Model"):
        stemseg.dask.predict(film, "model.json")
