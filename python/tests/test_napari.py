"""The napari plugin, on a viewer without a window."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import library, needed

import stemseg


@pytest.fixture
def viewer():
    library("napari")
    from napari.components import ViewerModel

    return ViewerModel()


def test_the_manifest_names_what_there_is():
    npe2 = library("npe2")
    manifest = npe2.PluginManifest.from_distribution("stemseg")
    assert manifest.display_name == "stemseg"
    manifest.validate_imports()
    commands = {command.id for command in manifest.contributions.commands}
    for part in (manifest.contributions.readers, manifest.contributions.widgets, manifest.contributions.writers, manifest.contributions.sample_data):
        assert part and all(one.command in commands for one in part)


def test_files_become_layers(viewer, scene, tmp_path):
    np.save(tmp_path / "stack.npy", np.stack([scene[0], scene[0].T]))
    read = stemseg.napari.get_reader(str(tmp_path / "stack.npy"))
    (data, about, kind), = read(str(tmp_path / "stack.npy"))
    assert kind == "image" and data.shape == (2, 256, 256) and about["name"] == "stack"
    layer = viewer.add_image(data, **about)
    np.testing.assert_array_equal(stemseg.napari.frame_of(layer), scene[0])
    viewer.dims.set_current_step(0, 1)
    np.testing.assert_array_equal(stemseg.napari.frame_of(layer, viewer), scene[0].T)
    (tmp_path / "text.npy").write_text("text")
    assert stemseg.napari.get_reader(str(tmp_path / "text.npy")) is None
    assert stemseg.napari.get_reader(str(tmp_path / "none.npy")) is None


def test_instruments_files_are_calibrated(viewer):
    path = str(needed("data", "formats", "dm3", "multi_signal.dm3"))
    layers = stemseg.napari.get_reader(path)(path)
    data, about, _ = next(layer for layer in layers if layer[0].shape == (512, 512))
    layer = viewer.add_image(data, **about)
    assert stemseg.napari.pixel_size_of(layer) == (pytest.approx(0.017751578), pytest.approx(0.017751578))


def test_results_become_layers(viewer, scene, found):
    image = viewer.add_image(scene[0], name="grain", scale=(0.02, 0.02), translate=(1, 2), units=("nm", "nm"))
    labels, confidence = [getattr(viewer, f"add_{kind}")(data, **about) for data, about, kind in stemseg.napari.layers_of(found, image)]
    np.testing.assert_array_equal(labels.data, found.labels)
    np.testing.assert_allclose(labels.get_color(1)[:3], found.colours[1], atol=0.01)
    np.testing.assert_allclose(labels.scale, image.scale)
    np.testing.assert_allclose(confidence.translate, image.translate)
    assert labels.metadata["stemseg"]["model"] == found.model and list(labels.features["index"]) == [0, 1, 2]
    assert stemseg.napari.pixel_size_of(image) == (pytest.approx(0.02), pytest.approx(0.02))
    assert stemseg.napari.pixel_size_of(viewer.add_image(scene[0])) is None


def test_marks_in_layers_refine_patterns(viewer):
    image, truth = stemseg.simulate("polycrystal", grains=3, size=256, random_state=4)
    two = stemseg.segment(image, 2, device="cpu")
    place = {"scale": (0.02, 0.02), "translate": (1.0, 2.0)}
    grains = viewer.add_image(image, name="grains", **place)
    (data, about, _), _ = stemseg.napari.layers_of(two, grains)
    patterns = viewer.add_labels(data, **about)
    three = two.refine({(128, 128): 3})
    # A point lies in the world, with a label of its own or that of the widget.
    world = [1.0 + 0.02 * 128, 2.0 + 0.02 * 128]
    for points, label in (
        (viewer.add_points([world], features={"label": [3]}), 1),
        (viewer.add_points([[128, 128]], **place), 3),
    ):
        assert stemseg.napari.marks_of(points, patterns, label) == {(128, 128): 3}
        stemseg.napari.refine(patterns, points, label)
        np.testing.assert_array_equal(patterns.data, three.labels)
    assert patterns.metadata["stemseg"]["model"] == three.model
    np.testing.assert_allclose(patterns.get_color(3)[:3], three.colours[3], atol=0.01)
    # Painted: a mark for each half period, in what is painted.
    painted = np.zeros(image.shape, np.uint8)
    painted[126:131, 125:132] = 3
    painted[40, 200] = truth[40, 200]
    layer = viewer.add_labels(painted, **place)
    marks = stemseg.napari.marks_of(layer, patterns)
    assert 2 <= len(marks) <= 5 and all(painted[at] == label for at, label in marks.items())
    # Without marks everything is as it was found.
    layer.data = np.zeros_like(painted)
    stemseg.napari.refine(patterns, layer)
    np.testing.assert_array_equal(patterns.data, two.labels)
    with pytest.raises(ValueError, match="Segment by symmetry"):
        stemseg.napari.refine(viewer.add_labels(painted), layer)


def test_samples_and_writers(viewer, found, tmp_path):
    (image, about, _), (truth, own, _) = stemseg.napari.twins()
    assert viewer.add_image(image, **about).name == "twins" and viewer.add_labels(truth, **own).data.max() >= 2
    written = stemseg.napari.write_labels(str(tmp_path / "labels"), [(found.labels, {}, "labels")])
    assert written == [str(tmp_path / "labels.npy")]
    np.testing.assert_array_equal(np.load(written[0]), found.labels)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npy"]


WINDOW = """
import time, numpy as np, stemseg, napari
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=False)
image, _ = stemseg.simulate("square-hexagonal", size=200)
viewer.add_image(image, name="grain", scale=(0.02, 0.02), units=("nm", "nm"))
widget = stemseg.napari.segment_widget()
viewer.window.add_dock_widget(widget, name="Segment")
widget.patterns.value, widget.device.value = 2, "cpu"
widget()
until = time.time() + 60
while len(viewer.layers) < 3 and time.time() < until:
    QApplication.processEvents()
    time.sleep(0.01)
expected = stemseg.segment(image, 2, pixel_size=0.02, device="cpu")
np.testing.assert_array_equal(viewer.layers[1].data, expected.labels)
apply = stemseg.napari.apply_widget()
viewer.window.add_dock_widget(apply, name="Apply")
apply.image.value, apply.patterns.value = viewer.layers[0], viewer.layers[1]
apply()
np.testing.assert_array_equal(viewer.layers[3].data, expected.model.predict(image, pixel_size=0.02))
refine = stemseg.napari.refine_widget()
viewer.window.add_dock_widget(refine, name="Refine")
viewer.add_points([[20, 20]], name="marks", scale=(0.02, 0.02), features={"label": [2]})
refine.patterns.value, refine.marks.value = viewer.layers[1], viewer.layers["marks"]
refine()
np.testing.assert_array_equal(viewer.layers[1].data, expected.refine({(20, 20): 2}).labels)
viewer.layers.remove("marks")
viewer.layers[1].data = expected.labels
widget()
widget[-1].changed.emit(True)  # Cancel
until = time.time() + 5
while time.time() < until:
    QApplication.processEvents()
    time.sleep(0.01)
assert len(viewer.layers) == 5, viewer.layers
print("shown")
viewer.close()
"""


@pytest.mark.timeout(180)
def test_widgets_in_a_window(tmp_path):
    """Needs xvfb and a binding of Qt, which most machines of tests lack."""
    if shutil.which("xvfb-run") is None or not any(importlib.util.find_spec(name) for name in ("PyQt6", "PySide6")):
        pytest.skip("no xvfb-run, or no PyQt6")
    script = tmp_path / "window.py"
    script.write_text(WINDOW)
    command = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", sys.executable, script]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.stdout.strip().endswith("shown"), ran.stderr[-2000:]
