"""Tables of films that are labelled already."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import library

import stemseg


def front(frames=6, speed=2):
    labels = np.ones((frames, 40, 60), np.uint8)
    for frame in range(frames):
        labels[frame, :, 20 + speed * frame :] = 2
    return labels


def test_a_front_has_its_areas_length_and_velocity():
    found = stemseg.kinetics(front(), pixel_size=(0.1, 0.2), frame_interval=0.5, period=6)
    frames = found.frames
    np.testing.assert_array_equal(frames["frame"], range(6))
    np.testing.assert_allclose(frames["time_s"], np.arange(6) * 0.5)
    np.testing.assert_allclose(frames["area_1_nm2"], [40 * (20 + 2 * i) * 0.02 for i in range(6)])
    np.testing.assert_allclose(frames["boundary_1_2_velocity_px_per_frame"][1:], 2)
    assert np.isnan(frames["boundary_1_2_velocity_px_per_frame"][0])
    np.testing.assert_allclose(frames["boundary_1_2_length_px"], 40)
    domains = found.domains
    assert list(domains["label"][:2]) == [1, 2] and len(domains["frame"]) == 12 and not domains["event"].any()
    np.testing.assert_allclose(domains["area_nm2"][domains["label"] == 1], frames["area_1_nm2"])


def test_they_are_those_of_the_command(tmp_path):
    one, _ = stemseg.simulate("plane-group", "p4mm", size=(128, 300), cell=16)
    other, _ = stemseg.simulate("plane-group", "p6mm", size=(128, 300), cell=19)
    film = np.stack([np.where(np.arange(160) < 60 + 8 * i, one[:, :160], other[:, :160]) for i in range(5)])
    np.save(tmp_path / "film.npy", film)
    command = [sys.executable, "-m", "stemseg", "series", tmp_path / "film.npy", "-k", "2", "--register", "off",
               "--device", "cpu", "--no-overlay", "--interval", "0.5s"]
    subprocess.run(command, check=True, capture_output=True)
    place = tmp_path / "film.stemseg"
    summary = json.loads((place / "summary.json").read_text())
    labels = np.load(place / "labels.npy")
    period = json.loads((place / "model.json").read_text())["period_px"]
    assert summary and labels.shape == film.shape
    saved = stemseg.kinetics(labels, period=period, frame_interval=0.5).save(tmp_path / "again")
    for name, own in [("kinetics.csv", ("confidence",)), ("domains.csv", ())]:
        there, again = (list(csv.DictReader((folder / name).open())) for folder in (place, saved))
        assert len(there) == len(again) > 0
        for a, b in zip(there, again, strict=True):
            assert {k: v for k, v in a.items() if k not in (*own, "drift_agreement")} == {
                k: v for k, v in b.items() if k not in (*own, "drift_agreement")}
    with pytest.raises(FileExistsError):
        stemseg.kinetics(labels).save(saved)


def test_frames_are_taken_from_archives(monkeypatch, tmp_path):
    library("dask")
    da, zarr = __import__("dask.array", fromlist=["from_array"]), library("zarr")
    labels = front(7)
    expected = stemseg.kinetics(labels).frames
    monkeypatch.setattr("stemseg._kinetics._AT_ONCE", 3 * labels[0].nbytes)
    array = zarr.create_array(tmp_path / "l.zarr", shape=labels.shape, chunks=(2, 40, 60), dtype="uint8")
    array[:] = labels
    for lazy in (array, da.from_array(labels, chunks=(4, 40, 60))):
        found = stemseg.kinetics(lazy, n_patterns=2).frames
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)
        with pytest.raises(ValueError, match="n_patterns"):
            stemseg.kinetics(lazy)


def test_archives_know_their_crystals(tmp_path):
    library("dask"), library("zarr")
    one, _ = stemseg.simulate("plane-group", "p4mm", size=(128, 300), cell=16)
    other, _ = stemseg.simulate("plane-group", "p6mm", size=(128, 300), cell=19)
    film = np.stack([np.where(np.arange(160) < 60 + 8 * i, one[:, :160], other[:, :160]) for i in range(3)])
    model = stemseg.Segmenter(2, device="cpu", pixel_size=0.05).fit(film[0]).model_
    archive = stemseg.dask.run(film, tmp_path / "film.zarr", model=model, device="cpu")
    found, labels = stemseg.kinetics(archive), np.asarray(archive["labels"][:])
    assert model.pixel_size and model.period != 12
    known = {"period": model.period, "pixel_size": model.pixel_size}
    for name in known:
        less = stemseg.kinetics(labels, **{key: value for key, value in known.items() if key != name})
        assert less._texts != found._texts, f"{name} changes nothing"
    assert stemseg.kinetics(labels, **known)._texts == found._texts


@pytest.mark.parametrize("labels, keywords, kind, words", [
    (np.ones((4, 4), np.uint8), {}, ValueError, "frames, rows, cols"),
    (np.ones((0, 4, 4), np.uint8), {}, ValueError, "frames, rows, cols"),
    (np.ones((2, 4, 4)), {}, TypeError, "whole numbers"),
    (-np.ones((2, 4, 4), int), {}, ValueError, "0 to 65535"),
    (3 * np.ones((2, 4, 4), int), {"n_patterns": 2}, ValueError, "there are 2 patterns"),
    (np.ones((2, 4, 4), int), {"frame_interval": 0}, ValueError, "above 0"),
    (np.ones((2, 4, 4), int), {"pixel_size": -1}, ValueError, "above 0"),
    (np.ones((2, 4, 4), int), {"period": float("nan")}, ValueError, "above 0"),
    (np.ones((2, 4, 4), int), {"n_patterns": 0}, ValueError, "patterns"),
])
def test_what_is_no_labelled_film_is_refused(labels, keywords, kind, words):
    with pytest.raises(kind, match=words):
        stemseg.kinetics(labels, **keywords)


def test_frames_without_labels_are_passed_over():
    labels = front(5)
    labels[2] = 0
    frames = stemseg.kinetics(labels).frames
    assert list(frames["status"]) == ["ok", "ok", "blank", "ok", "ok"]
    np.testing.assert_allclose(frames["boundary_1_2_velocity_px_per_frame"][3:], 2)
