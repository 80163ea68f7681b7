"""The estimator, models, reading, lattices, simulations and measures."""

import json
import pickle

import numpy as np
import pytest
from conftest import library, needed

import stemseg
from stemseg import Segmenter


@pytest.fixture(scope="module")
def pair():
    return [stemseg.simulate("square-hexagonal", size=200, random_state=seed) for seed in (1, 2)]


def agreement(truth, found):
    return stemseg.metrics.adjusted_rand_index(truth, found, margin=8)


def test_a_model_labels_other_images(pair, tmp_path):
    (first, _), (second, truth) = pair
    model = stemseg.segment(first, 2, device="cpu").model
    labels = model.predict(second, device="cpu")
    assert agreement(truth, labels) > 0.8
    model.with_names("square", "hexagonal").save(tmp_path / "model.json")
    loaded = stemseg.Model.load(tmp_path / "model.json")
    assert loaded.names == ["square", "hexagonal"] and loaded != model
    assert loaded.with_names("a", "b") == model.with_names("a", "b")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(loaded)).predict(second, device="cpu"), labels)
    assert loaded.n_patterns == 2 and loaded.centroids.shape[0] == 2 and "2 patterns" in repr(loaded)
    with pytest.raises(TypeError, match="n_patterns"):
        model.predict(second, n_patterns=3)
    with pytest.raises(ValueError, match="scale"):
        model.predict(second, scale="x")


def test_a_model_of_another_version_is_refused(pair, tmp_path):
    made = json.loads(stemseg.segment(pair[0][0], 2, device="cpu").model.to_json())
    for change, words in (({"format": 99}, "newer stemseg"), ({"format": None}, "not a stemseg model"), ({"mean": [1.0]}, "values instead")):
        path = tmp_path / "model.json"
        path.write_text(json.dumps(made | change))
        with pytest.raises(stemseg.UnreadableError, match=words):
            stemseg.Model.load(path)


def test_an_estimator_fits_and_predicts(pair):
    (first, truth), (second, others) = pair
    segmenter = Segmenter(2, device="cpu")
    with pytest.raises(stemseg.NotFittedError, match="fit"):
        segmenter.predict(first)
    labels = segmenter.fit_predict(first)
    np.testing.assert_array_equal(labels, stemseg.segment(first, 2, device="cpu").labels)
    np.testing.assert_array_equal(labels, segmenter.labels_)
    assert segmenter.n_patterns_ == 2 and segmenter.period_ > 5 and isinstance(segmenter.model_, stemseg.Model)
    assert agreement(others, segmenter.predict(second)) > 0.8
    assert segmenter.predict_proba(second).shape == (200, 200, 2)
    features = segmenter.transform(second)
    assert features.ndim == 3 and features.shape[:2] == segmenter.segmentation_.site_labels.shape
    assert 0.5 < segmenter.score(second) <= 1 and segmenter.score(second, others) > 0.8
    with pytest.raises(ValueError, match="no parameter 'n_clusters'"):
        segmenter.set_params(n_clusters=3)


def test_several_images_are_one_fit(pair):
    images, truths = zip(*pair, strict=True)
    segmenter = Segmenter(2, device="cpu").fit(list(images))
    assert segmenter.labels_.shape == (2, 200, 200)
    for truth, labels in zip(truths, segmenter.labels_, strict=True):
        assert agreement(truth, labels) > 0.8
    # The same patterns have the same labels in both.
    together = agreement(np.concatenate(truths), np.concatenate(segmenter.labels_))
    assert together > 0.8
    film = Segmenter(2, device="cpu").fit(np.stack(images))
    np.testing.assert_array_equal(film.labels_, segmenter.labels_)
    parts = Segmenter(2, device="cpu").partial_fit(images[0]).partial_fit(images[1])
    assert parts.model_ == segmenter.model_
    # The third part does not make it forget the first.
    third = parts.partial_fit(images[0]).model_
    assert third == Segmenter(2, device="cpu").fit([*images, images[0]]).model_
    with pytest.raises(ValueError, match="no image"):
        Segmenter().fit([])
    mask = np.zeros((200, 200), bool)
    mask[:20] = True
    assert (Segmenter(2, device="cpu").fit(list(images), mask=mask).labels_[:, :20] == 0).all()


def test_it_is_an_estimator_of_scikit_learn(pair):
    library("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils.validation import check_is_fitted

    image = pair[0][0]
    segmenter = Segmenter(2, smooth=2, random_state=3, device="cpu")
    copy = clone(segmenter)
    assert copy is not segmenter and copy.get_params() == segmenter.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(image)
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    pipeline = Pipeline([("halve", FunctionTransformer(lambda image: image / 2)), ("segment", segmenter)])
    labels = pipeline.fit_predict(image)
    expected = stemseg.segment(image / 2, 2, smooth=2, random_state=3, device="cpu").labels
    np.testing.assert_array_equal(labels, expected)
    pipeline.set_params(segment__smooth=0.5)
    assert pipeline.fit(image).named_steps["segment"].smooth == 0.5
    assert pipeline.transform(image).ndim == 3
    check_is_fitted(pipeline.named_steps["segment"])
    again = pickle.loads(pickle.dumps(pipeline.named_steps["segment"]))
    np.testing.assert_array_equal(again.predict(image), pipeline.named_steps["segment"].predict(image))
    assert clone(pipeline).named_steps["segment"].smooth == 0.5


def test_reading(scene, tmp_path):
    np.save(tmp_path / "a.npy", scene[0])
    image = stemseg.imread(tmp_path / "a.npy")
    np.testing.assert_array_equal(image, scene[0])
    assert image.pixel_size_nm is None and image.about["format"] == "npy"
    np.save(tmp_path / "stack.npy", np.stack([scene[0], 2 * scene[0]]))
    np.testing.assert_array_equal(stemseg.imread(tmp_path / "stack.npy", frame=1), 2 * scene[0])
    np.testing.assert_allclose(stemseg.imread(tmp_path / "stack.npy", frame="mean"), 1.5 * scene[0])
    with pytest.raises(ValueError, match="frame"):
        stemseg.imread(tmp_path / "stack.npy", frame=7)
    np.savez(tmp_path / "two.npz", a=scene[0], b=scene[0].T)
    np.testing.assert_array_equal(stemseg.imread(tmp_path / "two.npz", image_index=1), scene[0].T)
    one = stemseg.segment(tmp_path / "two.npz", 2, image_index=1, device="cpu")
    np.testing.assert_array_equal(one.labels, stemseg.segment(scene[0].T, 2, device="cpu").labels)
    with pytest.raises(ValueError, match="image_index=7"):
        stemseg.segment(tmp_path / "two.npz", 2, image_index=7)
    assert stemseg.images_in(tmp_path / "stack.npy")[0]["shape"] == [2, 256, 256]


def test_instruments_files_know_their_pixels():
    path = needed("data", "formats", "dm3", "multi_signal.dm3")
    image = stemseg.imread(path)
    assert image.pixel_size_nm[0] == pytest.approx(0.017751578)
    assert image[10:300, :200].pixel_size_nm == image.pixel_size_nm and image[::2].pixel_size_nm is None
    part = image[10:300, :200]
    found = stemseg.segment(part, 2, device="cpu")
    assert found.pixel_size == part.pixel_size_nm
    assert pickle.loads(pickle.dumps(image)).pixel_size_nm == image.pixel_size_nm


def test_lattices_devices_and_scenes(scene):
    lattices = stemseg.lattices(scene[0])
    assert len(lattices) >= 2 and lattices.period > 5
    assert lattices[0].vectors.shape == (2, 2) and 40 < lattices[0].angle < 140
    devices = stemseg.devices()
    assert any(one["kind"] == "cpu" for one in devices) and sum(one["auto"] for one in devices) == 1
    image, labels = stemseg.simulate("plane-groups", "p4mm", "p4", size=(128, 160), dose=None)
    assert image.shape == labels.shape == (128, 160) and image.dtype == np.float32
    with pytest.raises(ValueError, match="scene"):
        stemseg.simulate("nothing")


def test_measures():
    truth = np.zeros((100, 100), int)
    truth[:, 50:] = 1
    scores = stemseg.metrics.scores(truth, 1 - truth, margin=5)
    assert scores["adjusted_rand_index"] == 1 and scores["mean_iou"] == 1
    noise = np.random.default_rng(0).integers(0, 2, truth.shape)
    assert abs(stemseg.metrics.adjusted_rand_index(truth, noise)) < 0.05
    with pytest.raises(ValueError, match="shape|agree"):
        stemseg.metrics.scores(truth, truth[:, :80])
    with pytest.raises(TypeError, match="whole numbers"):
        stemseg.metrics.scores(truth, truth * 0.5)
