"""The drop-in, compared with measured outputs of pySTEM and of the float64 definition."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, needed

import stemseg
from stemseg.pystem import segmentationSTEM

REFERENCE = ROOT / "tests" / "reference"


def cases(folder: Path, *kinds: str):
    return [case for case in json.loads((folder / "cases.json").read_text()) if case["kind"] in kinds]


def of(case, **also):
    made = {"stride": case["stride"], "descriptor_name": "local_correlation_map"}
    for key, name in (("patch", "patch"), ("window", "window")):
        if key in case:
            made |= {f"{name}_x": case[key][0], f"{name}_y": case[key][1]}
    if "max_points" in case:
        made["max_num_points"] = case["max_points"]
    return segmentationSTEM(**made | also)


def index(one, other):
    return stemseg.metrics.adjusted_rand_index(np.asarray(one).astype(int), np.asarray(other).astype(int))


@pytest.mark.parametrize("case", cases(REFERENCE, "translation"), ids=lambda case: case["name"])
def test_translations(case):
    shifts = np.load(REFERENCE / case["shifts"])
    listed = {} if "max_points" in case else {"descriptor_name": "preselected_translations", "preselected_translations": shifts}
    made = of(case, **listed)
    found = made.get_descriptors(np.load(REFERENCE / case["image"]))
    np.testing.assert_allclose(found, np.load(REFERENCE / case["expected"]), atol=2 * case["tolerance"])
    np.testing.assert_array_equal(made._translation_vectors, shifts)
    assert np.isfinite(found).all() and found is made._descriptors


@pytest.mark.parametrize("case", cases(REFERENCE, "segment"), ids=lambda case: case["name"])
def test_segmentations(case):
    image = np.load(REFERENCE / case["image"])
    made = of(case, n_patterns=case["k"], random_state=0)
    labels = made.perform_clustering(image)
    assert labels.dtype == np.int32 and labels.shape == image.shape and set(np.unique(labels)) == set(range(case["k"]))
    sizes = np.bincount(labels.ravel())
    assert (np.diff(sizes) >= 0).all(), "0 is the smallest"
    np.testing.assert_array_equal(labels, made._segmentation_labels)
    made.paras["upsampling"] = False
    sites = made.perform_clustering(image)
    for reference in ("expected_grid", "pystem_grid"):
        assert index(np.load(REFERENCE / case[reference]), sites) >= 0.97, reference
    assert made._kmeans.inertia_ <= case["inertia"] * 1.001


@pytest.mark.parametrize("name", ["segment_hea2", "segment_hea3"])
def test_a_real_image(name):
    folder = needed("golden", "cases.json").parent
    case = next(case for case in cases(folder, "segment") if case["name"] == name)
    image = np.load(needed("data", "real", "pystem_high_entropy_alloy.npy"))
    made = of(case, n_patterns=case["k"], upsampling=False)
    assert index(np.load(folder / case["expected_grid"]), made.perform_clustering(image)) >= 0.97


NAMES = {
    "power_spectrum": "power_spectrum",
    "rotation": "rotational_symmetry_maximum_pooling",
    "reflection": "reflection_symmetry_maximum_pooling",
}


@pytest.mark.parametrize("name", ["power_spectrum_log", "power_spectrum_linear", "rotation_pooled", "reflection_pooled"])
def test_other_descriptors(name):
    folder = needed("golden", "cases.json").parent
    case = next(case for case in cases(folder, *NAMES) if case["name"] == name)
    radius = {"radius": case["radius"]} if "radius" in case else {}
    made = of(case, descriptor_name=NAMES[case["kind"]], power_spectrum_logarithm=case.get("logarithm", True), **radius)
    image = np.load(folder / case["image"]) if (folder / case["image"]).exists() else None
    if image is None:
        pytest.skip(f"no test data: {case['image']}")
    found, expected = made.get_descriptors(image), np.load(folder / case["expected"])
    scale = np.abs(expected).max() if "tolerance_is" in case else 1
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=3 * case["tolerance"] * scale)


def test_parts_are_what_references_say():
    case = cases(REFERENCE, "pca")[0]
    descriptors = np.load(REFERENCE / case["input"])
    made = segmentationSTEM(n_PCA_components=case["components"])
    scores, expected = made.get_PCA_components(descriptors), np.load(REFERENCE / case["expected_features"])
    signs = np.sign((scores * expected).sum(0))
    np.testing.assert_allclose(scores * signs, expected, atol=1e-3)
    assert made._pca.components_.shape == (case["components"], descriptors.shape[-1])
    fisher = cases(REFERENCE, "fisher_separability")[0]
    image = np.load(REFERENCE / "square_hex.npy")
    made = segmentationSTEM(patch_x=8, patch_y=8, window_x=9, window_y=9, max_num_points=49, stride=4, separability_analysis=True)
    made.perform_clustering(image)
    expected = np.load(REFERENCE / fisher["expected"])
    np.testing.assert_allclose(made._Fisher_separability, expected, rtol=0.02, atol=0.02 * expected.max())
    best = made._operations_with_best_sep
    assert best.shape == (5, 2)
    np.testing.assert_array_equal(best[0], made._translation_vectors[expected.argmax()])


@pytest.mark.parametrize("name", ["power_spectrum", "rotational_symmetry_maximum_pooling", "reflection_symmetry_maximum_pooling"])
def test_labels_lie_where_they_were_found(name):
    """The original displaces them by the patch."""
    left = stemseg.simulate("plane-group", "p4mm", size=192, cell=14, dose=None, gradient=0)[0]
    right = stemseg.simulate("plane-group", "p6mm", size=192, cell=18, dose=None, gradient=0)[0]
    image, truth = left.copy(), np.zeros((192, 192), int)
    image[:, 96:], truth[:, 96:] = right[:, 96:], 1
    made = segmentationSTEM(descriptor_name=name, window_x=14, window_y=14, radius=14, stride=2)
    labels = made.perform_clustering(image)
    changes = np.abs(np.diff(labels[60:130], axis=1)).argmax(axis=1)
    assert abs(np.median(changes) - 96) < 10, np.median(changes)


def test_soft_segmentation_is_the_right_way_up():
    image = np.load(REFERENCE / "square_hex.npy")
    made = segmentationSTEM(patch_x=10, patch_y=10, window_x=14, window_y=12, stride=3)
    soft = made.perform_soft_segmentation(image)
    labels = made._segmentation_labels
    assert soft.shape == image.shape and 0 <= soft.min() <= soft.max() <= 1
    assert soft[labels == 1].mean() > 0.9 > 0.1 > soft[labels == 0].mean()
    made.paras["n_patterns"] = 3
    three = made.perform_soft_segmentation(image)
    assert three.shape == (*image.shape, 3)
    np.testing.assert_allclose(three.sum(-1), 1, atol=1e-5)
    assert (three.argmax(-1) == made._segmentation_labels).mean() > 0.95


def test_a_film_keeps_its_labels():
    image = np.load(REFERENCE / "square_hex.npy")
    first = segmentationSTEM(patch_x=10, patch_y=10, window_x=14, window_y=12, stride=3, sort_labels_by_pattern_size=False)
    labels = first.perform_clustering(image)
    for one_step in (False, True):
        later = segmentationSTEM(
            patch_x=10, patch_y=10, window_x=14, window_y=12, stride=3, sort_labels_by_pattern_size=False,
            pca_fitted=first._pca, kmeans_init_centers=first._kmeans.cluster_centers_, one_step_kmeans=one_step,
        )
        np.testing.assert_array_equal(later.perform_clustering(image), labels)
        np.testing.assert_array_equal(later.perform_clustering(image[:, ::-1])[:, ::-1].shape, labels.shape)


def test_vacuum_and_offsets_are_no_trouble():
    image = np.load(REFERENCE / "vacuum.npy")
    truth = np.load(REFERENCE / "vacuum_truth.npy")
    made = segmentationSTEM(patch_x=5, patch_y=5, window_x=8, window_y=8)
    labels = made.perform_clustering(image)
    assert index(truth, labels) > 0.6
    np.testing.assert_array_equal(made.perform_clustering(image.astype(np.float64) + 1e6), labels)
    holed = image.astype(np.float32)
    holed[40:50, 40:50] = np.nan
    labels = made.perform_clustering(holed)
    assert (labels[40:50, 40:50] == -1).all() and (np.delete(labels.ravel(), np.flatnonzero(np.isnan(holed))) >= 0).all()


def test_the_calls_of_the_example_notebooks():
    """Names and keywords of several versions."""
    image = np.load(REFERENCE / "square_hex.npy")
    sizes = {"window_x": 12, "window_y": 12, "patch_x": 8, "patch_y": 8, "radius": 10}
    for name in ("rotational_symmetry_maximums", "reflection_symmetry_maximums"):
        labels = segmentationSTEM(n_patterns=2, step=4, descriptor_name=name, **sizes).perform_clustering(image)
        assert labels.shape == image.shape
    made = segmentationSTEM(2, 4, "power_spectrum", power_spectrum_logarithm=False, **sizes)
    made.paras["power_spectrum_logarithm"] = True
    assert made.perform_clustering(image).max() == 1
    assert made.sort_labels_by_pattern_size().shape == image.shape
    assert made.perform_upsampling_labels().shape == image.shape


@pytest.mark.parametrize("wrong, words", [
    ({"descriptor_name": "nothing"}, "local_correlation_map"),
    ({"method": "slow"}, "fft"),
])
def test_what_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        segmentationSTEM(**wrong)


def test_what_the_image_refuses():
    image = np.load(REFERENCE / "square_hex.npy")
    with pytest.raises(ValueError, match="array \\[n, 2\\]"):
        segmentationSTEM(descriptor_name="preselected_translations").perform_clustering(image)
    with pytest.raises(ValueError, match="px|small"):
        segmentationSTEM(patch_x=90, patch_y=90).perform_clustering(image)
    with pytest.raises(ValueError, match="kmeans_init_centers"):
        segmentationSTEM(patch_x=8, patch_y=8, window_x=9, window_y=9, kmeans_init_centers=[[1, 2]]).perform_clustering(image)
    with pytest.raises(stemseg.NotFittedError):
        segmentationSTEM().get_PCA_components()
    with pytest.raises(ValueError, match="axes"):
        segmentationSTEM().perform_clustering(image[0])
