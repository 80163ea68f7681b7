"""`segment` and what it finds."""

import json
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import stemseg
from conftest import library


def test_patterns_are_found(scene, found):
    image, truth = scene
    assert found.labels.shape == image.shape and found.labels.dtype == np.uint8
    assert stemseg.metrics.adjusted_rand_index(truth, found.labels, margin=8) > 0.9
    assert found.n_patterns == 2 and set(found.areas) == {1, 2}
    assert found.areas[1]["pixels"] == (found.labels == 1).sum() >= found.areas[2]["pixels"]
    assert found.areas[1]["area_nm2"] == pytest.approx(found.areas[1]["pixels"] * 4e-4)
    assert found.pixel_size == (0.02, 0.02) and 5 < found.period < 40
    assert found.confidence.dtype == np.float32 and 0 <= found.confidence.min() <= found.confidence.max() <= 1


def test_probabilities_add_up_and_hold_the_confidence(found):
    proba = found.proba()
    assert proba.shape == (*found.labels.shape, 2)
    np.testing.assert_allclose(proba.sum(-1), 1, atol=1e-5)
    own = np.take_along_axis(proba, found.labels[..., None].astype(int) - 1, -1)[..., 0]
    np.testing.assert_allclose(own, found.confidence, atol=1e-5)


def test_the_command_gives_the_same_bytes(scene, tmp_path):
    image = scene[0].astype(np.uint16)
    np.save(tmp_path / "image.npy", image)
    words = ["segment", "image.npy", "-k", "2", "--pixel-size", "0.02nm", "--seed", "3", "--device", "cpu"]
    command = [sys.executable, "-m", "stemseg", *words]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    result = tmp_path / "image.stemseg"
    settings = {"pixel_size": "20 pm", "random_state": 3, "device": "cpu"}
    for given in (image, tmp_path / "image.npy"):
        found = stemseg.segment(given, 2, **settings)
        stored = np.load(result / "labels.npy")
        assert found.labels.dtype == stored.dtype and found.labels.tobytes() == stored.tobytes()
        assert found.model.to_json() == (result / "model.json").read_text()
    stored, own = json.loads((result / "summary.json").read_text()), found.summary
    for key in ("parameters", "labels", "boundaries", "warnings", "lattice", "kmeans", "choice"):
        assert stored[key] == own[key], key
    again = stemseg.segment(image, 2, **settings)
    place = again.save(tmp_path / "saved.stemseg")
    for name in ("labels.npy", "labels.tif", "confidence.tif", "overlay.png", "model.json", "features.png", "channels.png"):
        assert (place / name).read_bytes() == (result / name).read_bytes(), name
    assert (place / "report.html").exists()
    with pytest.raises(FileExistsError, match="overwrite=True") as refused:
        again.save(place)
    assert refused.value.filename == str(place)
    again.save(place, overwrite=True, report=False)
    assert not (place / "report.html").exists()


def test_the_command_is_the_program(tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "stemseg", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert run("--version").stdout.strip() == f"stemseg {stemseg.__version__}"
    missing = run("segment", "nothing.npy")
    assert missing.returncode == 2 and "nothing.npy: there is no such file" in missing.stderr
    assert run("segment", "a.npy", "--strife").returncode == 2


@pytest.mark.parametrize("kind", ["fortran", "strided", "reversed", "read-only", "big-endian", "unaligned", "field", "masked", "list"])
def test_any_memory_is_read(scene, kind):
    image = scene[0][:160, :160].astype(np.float32)
    expected = stemseg.segment(image, 2, device="cpu").labels
    if kind == "fortran":
        given = np.asfortranarray(image)
    elif kind == "strided":
        given = np.zeros((320, 480), np.float32)[::2, ::3]
        given[:] = image
    elif kind == "reversed":
        given = image[::-1, ::-1].copy()[::-1, ::-1]
    elif kind == "read-only":
        given = image.copy()
        given.flags.writeable = False
    elif kind == "big-endian":
        given = image.astype(">f4")
    elif kind == "unaligned":
        given = np.frombuffer(b"x" + image.tobytes(), np.uint8)[1:].view(np.float32).reshape(image.shape)
        assert not given.flags.aligned
    elif kind == "field":
        given = np.zeros(image.shape, [("flag", "u1"), ("value", "f4")])["value"]
        given[:] = image
    elif kind == "masked":
        given = np.ma.masked_array(image, np.zeros(image.shape, bool))
    else:
        given = image.tolist()
    before = np.array(given)
    np.testing.assert_array_equal(stemseg.segment(given, 2, device="cpu").labels, expected)
    np.testing.assert_array_equal(before, given)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "g"])
def test_any_real_type_is_read(scene, dtype):
    # Counts that all of them hold exactly.
    image = np.clip(scene[0][:160, :160] / 2, 0, 100).astype("i4")
    expected = stemseg.segment(image, 2, device="cpu")
    found = stemseg.segment(image.astype(dtype), 2, device="cpu")
    assert (found.labels == expected.labels).mean() > 0.999


def test_masks_and_regions(scene):
    image, _ = scene
    mask = np.zeros(image.shape, bool)
    mask[:40] = True
    found = stemseg.segment(image, 2, mask=mask, device="cpu")
    assert (found.labels[mask] == 0).all() and (found.labels[~mask] > 0).all()
    assert (found.proba()[mask] == 0).all()
    masked = stemseg.segment(np.ma.masked_array(image, mask), 2, device="cpu")
    np.testing.assert_array_equal(masked.labels, found.labels)
    part = stemseg.segment(image, 2, roi=np.s_[16:, 10:-20], device="cpu")
    assert part.labels.shape == (240, 226)
    np.testing.assert_array_equal(part.labels, stemseg.segment(image[16:, 10:-20], 2, device="cpu").labels)
    with pytest.raises(ValueError, match="must agree"):
        stemseg.segment(image, 2, mask=mask[1:])


def test_lengths_with_units(scene):
    settings = {"preset": "pystem", "device": "cpu", "pixel_size": "0.02 nm"}
    px = stemseg.segment(scene[0], 2, patch=12, window=(14, 10), **settings)
    nm = stemseg.segment(scene[0], 2, patch="0.24 nm", window="2.8A x 200pm", **settings)
    np.testing.assert_array_equal(px.labels, nm.labels)
    translation = px.summary["parameters"]["families"][0]
    assert "14" in json.dumps(translation) and "10" in json.dumps(translation)
    with pytest.raises(ValueError, match='patch=0.24 nm: .*pixel_size="0.02nm"'):
        stemseg.segment(scene[0], 2, preset="pystem", patch="0.24 nm")


BAD = {
    "1-D": (np.zeros(5), {}, ValueError, "1 axes"),
    "4-D": (np.zeros((2, 3, 4, 5)), {}, ValueError, "4 axes"),
    "film": (np.zeros((7, 30, 30)), {}, ValueError, "give one frame"),
    "RGB": (np.zeros((30, 30, 3)), {}, ValueError, "colour"),
    "complex": (np.zeros((9, 9), complex), {}, TypeError, "numpy.abs"),
    "object": (np.zeros((9, 9), object), {}, TypeError, "real numbers"),
    "ragged": ([[1, 2], [3]], {}, TypeError, "numbers"),
    "text": (np.array([["a"]]), {}, TypeError, "real numbers"),
    "boolean": (np.zeros((9, 9), bool), {}, TypeError, "grey values"),
    "empty": (np.zeros((0, 9)), {}, ValueError, "no pixels"),
    "constant": (np.ones((64, 64)), {}, ValueError, "constant"),
    "small": (np.random.default_rng(0).random((8, 8)), {}, ValueError, "too small"),
    "NaN": (np.full((64, 64), np.nan), {}, ValueError, "finite"),
    "none": (None, {}, TypeError, "real numbers"),
    "no patterns": (None, {"n_patterns": 0}, ValueError, "at least 1"),
    "patterns in quotes": (None, {"n_patterns": "3"}, TypeError, "without quotes"),
    "half a pattern": (None, {"n_patterns": 2.5}, TypeError, "whole number"),
    "unknown keyword": (None, {"strife": 3}, TypeError, "'strife'"),
    "option of files": (None, {"jobs": 3}, TypeError, "'jobs'"),
    "smooth": (None, {"smooth": "much"}, ValueError, "smooth=much: 'much' is not a number"),
    "negative smooth": (None, {"smooth": -1}, ValueError, "smooth=-1: give 0 to 100"),
    "random_state": (None, {"random_state": -1}, ValueError, "random_state=-1"),
    "random_state of text": (None, {"random_state": "x"}, TypeError, "random_state"),
    "n_init": (None, {"n_init": 0}, ValueError, "n_init=0"),
    "border": (None, {"border": "none"}, ValueError, "nearest, blank"),
    "roi": (None, {"roi": np.s_[0:900, :]}, ValueError, "256 rows"),
    "roi of a number": (None, {"roi": 3}, TypeError, "two slices"),
    "memory": (None, {"memory": 1000}, ValueError, "at least that"),
    "device": (None, {"device": "nix"}, RuntimeError, "no adapter"),
    "progress": (None, {"progress": 3}, TypeError, "callable"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_in_words(scene, case):
    image, keywords, kind, words = BAD[case]
    if image is None and keywords:
        image = scene[0]
    with pytest.raises(kind, match=words) as refused:
        stemseg.segment(image, **keywords)
    # Settings are keywords, not options.
    assert "--" not in str(refused.value) and "-k" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        stemseg.segment(tmp_path / "none.tif")
    assert missing.value.filename == str(tmp_path / "none.tif")
    text = tmp_path / "text.tif"
    text.write_text("text")
    for read in (stemseg.segment, stemseg.imread, stemseg.images_in, stemseg.Model.load):
        with pytest.raises(stemseg.UnreadableError) as unreadable:
            read(text)
        assert unreadable.value.filename == str(text)
        assert isinstance(unreadable.value, OSError) and isinstance(unreadable.value, ValueError)


def test_a_segmentation_pickles(found):
    copy = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copy.labels, found.labels)
    np.testing.assert_array_equal(copy.proba(), found.proba())
    np.testing.assert_array_equal(copy.features, found.features)
    assert copy.summary == found.summary and copy.model == found.model and repr(copy) == repr(found)
    assert "<table>" in copy._repr_html_()
    with pytest.raises(RuntimeError, match="pickle"):
        copy.save("anywhere")


def test_it_shows_itself(found):
    assert "256x256: 2 patterns" in repr(found)
    page = found._repr_html_()
    assert "data:image/png;base64,iVBOR" in page and page.count("<tr>") == 3 and "nm&sup2;" in page


def test_progress_is_told(scene):
    seen = []
    stemseg.segment(scene[0], 2, device="cpu", progress=lambda *told: seen.append(told))
    stages = {stage for stage, _, _ in seen}
    assert {"describe", "cluster"} <= stages
    assert all(isinstance(done, int) and 0 <= done <= max(total, done) for _, done, total in seen)


def test_an_exception_of_progress_ends_the_run(scene):
    def stop(stage, done, total):
        raise LookupError(stage)

    with pytest.raises(LookupError):
        stemseg.segment(scene[0], 2, device="cpu", progress=stop)


INTERRUPTED = """
import signal, sys, time, threading, os
import numpy, stemseg
image = numpy.tile(stemseg.simulate("square-hexagonal", size=512)[0], (8, 8))
print("ready", flush=True)
def at(): 
    time.sleep(float(sys.argv[1])); print(time.monotonic(), flush=True); os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=at).start()
try:
    stemseg.segment(image, 3, device="cpu")
    print("not interrupted")
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("after", [0.05, 0.5, 1.0])
def test_an_interrupt_ends_it_within_a_tenth_of_a_second(after):
    command = [sys.executable, "-c", INTERRUPTED, str(after)]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.split()
    assert lines[0] == "ready" and len(lines) == 3, lines
    # A machine that does other things at the same time may be late by itself.
    assert float(lines[2]) - float(lines[1]) < 0.2


def test_other_threads_go_on(scene):
    image = np.tile(scene[0], (4, 4))
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.wait(0.005):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    stemseg.segment(image, 2, device="cpu")
    took = time.monotonic() - begun
    stop.set()
    thread.join()
    during = [at for at in ticks if begun < at < begun + took]
    assert len(during) > took / 0.05, f"{len(during)} ticks in {took} s"


def test_results_do_not_depend_on_who_else_runs(scene):
    images = [scene[0][:200, i : i + 200] for i in range(4)]
    alone = [stemseg.segment(image, 2, device="cpu").labels for image in images]
    together = [None] * 4

    def work(i):
        together[i] = stemseg.segment(images[i], 2, device="cpu").labels

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL") or sys.platform == "darwin", reason="needs fork")
def test_a_fork_is_refused_rather_than_waiting_for_ever():
    code = """
import os, stemseg
image = stemseg.simulate("square-hexagonal", size=128)[0]
child = os.fork()
if child == 0:
    try:
        stemseg.segment(image, 2, device="cpu")
    except RuntimeError as error:
        os._exit(7 if "spawn" in str(error) else 1)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "7", ran.stderr


def test_importing_takes_no_time():
    code = "import sys, time; t = time.perf_counter(); import stemseg; print(time.perf_counter() - t); print('numpy' in sys.modules)"
    ran = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    assert min(float(one[0]) for one in ran) < 0.2 and ran[0][1] == "False"


def test_plot(found, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    axes = found.plot()
    assert axes.get_xlabel() == "nm" and len(axes.get_legend().get_texts()) == 2
    assert axes.images[-1].get_extent() == [0, 256 * 0.02, 256 * 0.02, 0]
    plt.savefig(tmp_path / "plot.png")
    plt.close("all")


def test_regions_are_those_of_scikit_image(found):
    library("skimage")
    from skimage import measure

    regions, numbers = found.regions, found.region_map
    for pattern in (1, 2):
        own = set(np.unique(numbers[found.labels == pattern])) - {0}
        assert own == set(regions["label"][regions["pattern"] == pattern])
        _, count = measure.label(found.labels == pattern, connectivity=1, return_num=True)
        assert count == len(own)
    names = ("area", "centroid", "bbox", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "orientation")
    for name, expected in measure.regionprops_table(numbers.astype(int), properties=("label", *names)).items():
        np.testing.assert_allclose(regions[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)
    assert regions["area"].sum() == (found.labels > 0).sum()
    assert regions["area_nm2"] == pytest.approx(regions["area"] * 4e-4)
    assert all(0 < sure <= 1 for sure in regions["mean_confidence"])


def test_boundary_lines_are_those_of_the_file(found, tmp_path):
    import csv

    found.save(tmp_path / "result")

    def read(name):
        with open(tmp_path / "result" / name, newline="") as file:
            return list(csv.DictReader(file))

    lines, rows = found.boundary_lines, read("boundaries.csv")
    assert len(rows) == len(lines["line"]) > 0
    for name, own in {"length_px": "length", "length_nm": "length_nm", "straightness": "straightness"}.items():
        np.testing.assert_allclose(lines[own], [float(row[name]) for row in rows], rtol=1e-5)
    assert list(lines["closed"]) == [row["closed"] == "yes" for row in rows]
    for points, length, closed in zip(lines["points"], lines["length"], lines["closed"], strict=True):
        path = np.vstack([points, points[:1]]) if closed else points
        assert np.hypot(*np.diff(path, axis=0).T).sum() == pytest.approx(length)
    points, rows = found.triple_points, read("triple_points.csv")
    assert len(rows) == len(points["row"]) == found.summary["boundary_lines"]["triple_points"]


def test_triple_points_are_where_three_patterns_meet():
    image, _ = stemseg.simulate("polycrystal", size=400, grains=3, random_state=1, boundary="straight")
    found = stemseg.segment(image, 3)
    points, lines = found.triple_points, found.boundary_lines
    assert len(points["row"]) >= 1
    for number, own, angles, regions in zip(
        points["triple_point"], points["lines"], points["angles_deg"], points["regions"], strict=True
    ):
        assert len(own) == len(angles) == len(regions)
        assert np.isnan(angles).all() or np.sum(angles) == pytest.approx(360)
        for line in own - 1:
            assert number in (lines["begins"][line], lines["ends"][line])


def test_strain_is_that_of_the_file(found, tmp_path):
    maps = found.strain()
    assert list(maps) == ["exx", "eyy", "exy", "rotation_deg", "error"]
    for values in maps.values():
        assert values.shape == found.labels.shape and values.dtype == np.float32
        assert np.isfinite(values).mean() > 0.5 and np.isnan(values[found.labels == 0]).all()
    assert abs(np.nanmean(maps["exx"])) < 2 * np.nanmean(maps["error"])
    row, col = np.argwhere(np.isfinite(maps["exx"]))[0]
    compared = found.strain((int(row), int(col)))
    saved = found.save(tmp_path / "result", report=False, strain=(int(row), int(col)))
    pages = library("tifffile").imread(saved / "strain.tif")
    for values, page in zip(compared.values(), pages, strict=True):
        np.testing.assert_array_equal(values, page)
    with pytest.raises(ValueError, match="strain"):
        found.strain((100_000, 0))


def test_a_known_lattice_calibrates(scene):
    image, _ = scene
    lattice = next(one for one in stemseg.segment(image, 2, pixel_size=0.02).summary["lattices"] if one["status"] == "found")
    known = f"{1.1 * lattice['a_nm']}nm,{1.1 * lattice['b_nm']}nm,{lattice['gamma_deg']}"
    calibration = stemseg.segment(image, 2, pixel_size=0.02, known_lattice=known).summary["calibration"]
    assert calibration["file_is_wrong"] and calibration["pixel_width_nm"] == pytest.approx(0.022, rel=2e-3)
    with pytest.raises(ValueError, match="hexagonal"):
        stemseg.segment(image, 2, known_lattice="0.3,square")


def test_small_regions_go_to_their_neighbours(scene):
    image, _ = scene
    rough = stemseg.segment(image, 2, smooth=0)
    areas = np.sort(rough.regions["area"])
    least = int(areas[0]) + 1
    tidy = stemseg.segment(image, 2, smooth=0, least_region=least)
    assert tidy.regions["area"].min() >= least
    changed = tidy.labels != rough.labels
    assert 0 < changed.sum() < changed.size / 2
    assert tidy.confidence[changed].max() < 0.5001 and (tidy.confidence[~changed] == rough.confidence[~changed]).all()
    assert tidy.areas[1]["pixels"] == (tidy.labels == 1).sum()
    assert any("given to neighbours" in note for note in tidy.notes)
    assert tidy.summary["least_region_px"] == least
    with pytest.raises(ValueError, match="least_region"):
        stemseg.segment(image, 2, least_region="4nm2")


def test_marks_part_what_was_taken_for_one_pattern():
    image, truth = stemseg.simulate("polycrystal", grains=3, size=256, random_state=4)
    found = stemseg.segment(image, 2, device="cpu")
    deep = {grain: _middle(truth == grain) for grain in (1, 2, 3)}
    labels = {grain: int(found.labels[at]) for grain, at in deep.items()}
    merged = next(g for g in (2, 3) if labels[g] in [labels[other] for other in range(1, g)])
    refined = found.refine({deep[merged]: 3})
    assert refined.n_patterns == 3 and refined.labels[deep[merged]] == 3
    assert stemseg.metrics.adjusted_rand_index(truth, refined.labels, margin=8) > 0.9
    assert refined.notes[-1].startswith("one more mark says most at")
    assert refined.model.n_patterns == 3
    # Without the mark everything is as it was.
    np.testing.assert_array_equal(refined.refine({}).labels, found.labels)
    with pytest.raises(ValueError, match=r"marks=300,1=1: the image has 256 rows"):
        found.refine({(300, 1): 1})
    with pytest.raises(TypeError, match="give a dict from pixels to labels"):
        stemseg.segment(image, 2, marks=[(1, 1)])
    with pytest.raises(RuntimeError, match="comes from a pickle"):
        pickle.loads(pickle.dumps(found)).refine({})


def _middle(own):
    """The pixel that is deepest inside of ``own``, about."""
    depth = np.zeros(own.shape, int)
    shrunk = np.pad(own, 1)
    while shrunk.any():
        depth += shrunk[1:-1, 1:-1]
        shrunk[1:-1, 1:-1] &= shrunk[:-2, 1:-1] & shrunk[2:, 1:-1] & shrunk[1:-1, :-2] & shrunk[1:-1, 2:]
    row, col = np.unravel_index(depth.argmax(), depth.shape)
    return int(row), int(col)
