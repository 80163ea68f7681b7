"""The napari plugin, on a viewer without a window."""

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


def test_samples_and_writers(viewer, found, tmp_path):
    (image, about, _), (truth, own, _) = stemseg.napari.twins()
    assert viewer.add_image(image, **about).name == "twins" and viewer.add_labels(truth, **own).data.max() >= 2
    written = stemseg.napari.write_labels(str(tmp_path / "labels"), [(found.labels, {}, "labels")])
    assert written == [str(tmp_path / "labels.npy")]
    np.testing.assert_array_equal(np.load(written[0]), found.labels)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npy"]
