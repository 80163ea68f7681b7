"""Make the reference data in this folder: simulated micrographs and what independent programs say about them.

Expected values come from the definitions, written naively in float64, and from scikit-learn; pySTEM, where it defines
the same quantity, is run on the same data and must agree. Everything is simulated here from fixed seeds. See README.md.

Usage: python make.py [--out FOLDER]
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # sums in one order, so the same bytes each run

import argparse
import json
import math
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pystem import segmentationSTEM
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

FLAT_SHARE = 0.004  # a patch is flat when its variance is below this share of the image's
STARTS = 100  # k-means starts of which the best counts
COMPONENTS = 5

# ---------------------------------------------------------------------------------------------------------------------
# Simulated micrographs
# ---------------------------------------------------------------------------------------------------------------------


def lattice(shape, a, b, angle, origin=(0.0, 0.0)):
    """Sites of the lattice spanned by a and b (row, column; px), turned by angle (degrees) -> [n, 2] in and around shape."""
    turn = math.radians(angle)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    reach = int(2 * max(shape) / min(np.hypot(*a), np.hypot(*b)))
    index = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    sites = index @ (np.array([a, b]) @ rotation.T) + np.array(shape) / 2 + origin
    inside = np.all((sites > -8) & (sites < np.array(shape) + 8), axis=1)
    return sites[inside]


def columns(shape, sites, width, height):
    """Sum of Gaussian atom columns of standard deviation width (px) -> [rows, cols] f64."""
    rows = np.exp(-((np.arange(shape[0])[:, None] - sites[:, 0]) ** 2) / (2 * width**2))
    cols = np.exp(-((np.arange(shape[1])[:, None] - sites[:, 1]) ** 2) / (2 * width**2))
    return height * rows @ cols.T


def grains(shape, first, second, in_second, width, height):
    """Columns of two lattices, each kept where it belongs -> [rows, cols] f64. in_second(rows, cols) -> bool array."""
    kept = [first[~in_second(*first.T)], second[in_second(*second.T)]]
    return columns(shape, np.concatenate(kept), width, height)


def truth(shape, in_second):
    """Label map [rows, cols] u8: 1 and 2 for the first and the second domain."""
    return np.where(in_second(*np.indices(shape)), 2, 1).astype(np.uint8)


def tilt():
    """Two grains of one rectangular lattice, 24 degrees apart, slanted boundary -> u16 [150, 170], u8 [150, 170]."""
    shape, rng = (150, 170), np.random.default_rng(11)
    in_second = lambda r, c: c - 0.25 * r > 68
    first = lattice(shape, (9.2, 0), (0, 11.4), 5)
    second = lattice(shape, (9.2, 0), (0, 11.4), 29, (3, 1))
    image = rng.poisson(90 + grains(shape, first, second, in_second, 2.1, 160))
    return image.astype(np.uint16), truth(shape, in_second)


def square_hex():
    """A hexagonal domain in a square lattice, round boundary -> f32 [140, 128], u8 [140, 128]."""
    shape, rng = (140, 128), np.random.default_rng(22)
    in_second = lambda r, c: np.hypot(r - 150, c - 20) < 100
    first = lattice(shape, (9.7, 0), (0, 9.7), 12)
    second = lattice(shape, (10.4, 0), (5.2, 10.4 * math.sqrt(0.75)), 3)
    clean = 0.5 + grains(shape, first, second, in_second, 2.0, 1.0)
    image = clean + 0.22 * np.sqrt(clean) * rng.standard_normal(shape)
    return image.astype(np.float32), truth(shape, in_second)


def vacuum():
    """A crystal next to a constant vacuum -> u16 [130, 130], u8 [130, 130].

    Two hot pixels in the vacuum give the 11 x 11 px patches around them 0.8 and 1.3 times the variance that counts as
    flat: the first are flat without being constant, the second are not flat.
    """
    shape, rng = (130, 130), np.random.default_rng(13)
    in_vacuum = lambda r, c: c + 0.3 * r > 95
    clean = 260 + columns(shape, lattice(shape, (9.1, 1.2), (3.0, 9.8), 0), 2.0, 300)
    labels = truth(shape, in_vacuum)
    image = np.where(labels == 2, 120, rng.poisson(clean))
    image[62, 104] += 80
    image[100, 103] += 100
    return image.astype(np.uint16), labels


# ---------------------------------------------------------------------------------------------------------------------
# Translation: the definition, and pySTEM compared with it
# ---------------------------------------------------------------------------------------------------------------------


def step_of(window, max_points):
    """Smallest step whose sub-grid of translations has at most max_points points."""
    step = 1
    while math.prod(2 * w // step + 1 for w in window) > max_points:
        step += 1
    return step


def grid_shifts(window, max_points):
    """The sub-grid of translations from -w to w on both axes, rows outer -> [D, 2] i32."""
    step = step_of(window, max_points)
    axes = [np.arange(-w, w + 1, step) for w in window]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2).astype(np.int32)


def sites_of(shape, patch, window, stride):
    """Rows and columns of the site grid: two integer arrays."""
    margin = np.add(patch, window)
    return [np.arange(m, n - m, stride) for m, n in zip(margin, shape)]


def translation(image, patch, window, stride, shifts):
    """Pearson score of the patch at each site with the patch at site + shift, by direct sums.

    image [rows, cols] of any type; shifts [D, 2]
    -> scores [site rows, site cols, D] f64, and flat [site rows, site cols, D]: whether one of the two patches is flat.
    A score with a flat patch is 0, that of the identity 1.
    """
    values = image.astype(np.float64)
    tau = FLAT_SHARE * values.var()
    patches = sliding_window_view(values, np.multiply(2, patch) + 1)
    rows, cols = sites_of(image.shape, patch, window, stride)
    scores = np.zeros((len(rows), len(cols), len(shifts)))
    flat = np.zeros(scores.shape, bool)
    for i, j in np.ndindex(scores.shape[:2]):
        r, c = rows[i] - patch[0], cols[j] - patch[1]
        here, here_var = centred(patches[r, c][None])
        there, there_var = centred(patches[r + shifts[:, 0], c + shifts[:, 1]])
        assert_clear_of(tau, there_var)
        flat[i, j] = (here_var < tau) | (there_var < tau)
        spread = np.sqrt(here_var * there_var)
        score = (here * there).mean(axis=(1, 2)) / np.where(flat[i, j], 1, spread)
        scores[i, j] = np.where(flat[i, j], 0, score)
    scores[:, :, np.all(shifts == 0, axis=1)] = 1
    return scores, flat


def centred(patches):
    """Patches [n, h, w] less their means, and their population variances [n]."""
    residual = patches - patches.mean(axis=(1, 2), keepdims=True)
    return residual, (residual**2).mean(axis=(1, 2))


def assert_clear_of(tau, variance):
    """No patch may lie so near the threshold that rounding decides whether it is flat."""
    assert np.all(np.abs(variance / tau - 1) > 1e-6), "a patch is on the threshold: change the image"


def pystem(image, patch, window, stride, **options):
    """pySTEM set up for the given half sizes (rows, cols) and stride."""
    return segmentationSTEM(
        patch_x=patch[0], patch_y=patch[1], window_x=window[0], window_y=window[1], stride=stride, **options
    )


def worst(difference):
    """The next of 1, 2, 5 times a power of ten above the largest absolute difference, as text."""
    largest = np.abs(difference).max()
    ladder = (m * 10.0**e for e in range(-12, 3) for m in (1, 2, 5))
    return f"{next(x for x in ladder if x >= largest):.0e}"


def beside_pystem(image, case, shifts, scores, flat):
    """Run pySTEM on a translation case, demand agreement where no patch is flat, and say how well it agrees."""
    place = (case["patch"], case["window"], case["stride"])
    clear = ~flat
    if "max_points" not in case:
        model = pystem(image, *place, descriptor_name="preselected_translations", preselected_translations=shifts)
        difference = (model.get_descriptors(image) - scores)[clear]
        assert np.abs(difference).max() <= 1e-2  # it sums in float32 only
        return f"pySTEM preselected_translations (float32 sums) agrees to {worst(difference)}"
    differences = {}
    for method in ("fft", "direct"):
        model = pystem(image, *place, max_num_points=case["max_points"], method=method)
        found = model.get_descriptors(image)
        assert found.shape == scores.shape and np.array_equal(model._translation_vectors, shifts)
        differences[method] = (found - scores)[clear]
    assert np.abs(differences["fft"]).max() <= 1e-4
    fft, direct = (worst(differences[m]) for m in ("fft", "direct"))
    return f"pySTEM method='fft' agrees to {fft}, method='direct' (float32 sums) to {direct}"


# ---------------------------------------------------------------------------------------------------------------------
# PCA, k-means, separability
# ---------------------------------------------------------------------------------------------------------------------


def pca(descriptors):
    """PCA of descriptors [..., D] -> features [sites, 5] f64 and the fitted scikit-learn PCA."""
    flat = descriptors.reshape(-1, descriptors.shape[-1]).astype(np.float64)
    fitted = PCA(COMPONENTS, svd_solver="full")
    features = fitted.fit_transform(flat)
    return features, fitted


def assert_distinct(descriptors):
    """Neighbouring variances, the first left out included, differ by 3 %: each component is determined up to its sign."""
    variances = np.linalg.eigvalsh(np.cov(descriptors.reshape(-1, descriptors.shape[-1]).T.astype(np.float64)))[::-1]
    assert np.all(variances[1 : COMPONENTS + 1] / variances[:COMPONENTS] < 0.97), variances[: COMPONENTS + 1]


def kmeans(features, k):
    """Best of STARTS converged k-means runs on features [sites, q] -> labels [sites] u8 (0 ..), inertia.

    Demands that the best is a safe reference: every start within 0.1 % of its inertia found the same clusters.
    """
    points = features.astype(np.float64)
    runs = [KMeans(k, n_init=1, tol=0, max_iter=1000, random_state=start).fit(points) for start in range(STARTS)]
    assert max(run.n_iter_ for run in runs) < 1000
    best = min(runs, key=lambda run: run.inertia_)
    near = [run for run in runs if run.inertia_ <= 1.001 * best.inertia_]
    assert min(adjusted_rand_score(best.labels_, run.labels_) for run in near) >= 0.99
    return best.labels_.astype(np.uint8), float(best.inertia_)


def fisher_separability(descriptors, labels):
    """Between-class over within-class sum of squares per channel: descriptors [..., D], labels [...] -> [D] f32.

    Between: sum over classes of (count of the class) (class mean - mean)^2; within: sum over sites of
    (value - mean of its class)^2. 0/0 is 0.
    """
    flat = descriptors.reshape(-1, descriptors.shape[-1]).astype(np.float64)
    classes = [flat[labels.ravel() == label] for label in np.unique(labels)]
    between = sum(len(c) * (c.mean(0) - flat.mean(0)) ** 2 for c in classes)
    within = sum(((c - c.mean(0)) ** 2).sum(0) for c in classes)
    return np.divide(between, within, out=np.zeros_like(within), where=within > 0).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------------
# Cases
# ---------------------------------------------------------------------------------------------------------------------


class Folder:
    """The folder being written: arrays, and the list of cases."""

    def __init__(self, path):
        self.path, self.cases = path, []

    def save(self, name, array):
        """Write NAME.npy and return that name."""
        np.save(self.path / f"{name}.npy", np.ascontiguousarray(array))
        return f"{name}.npy"

    def add(self, **case):
        self.cases.append(case)

    def finish(self):
        text = json.dumps(self.cases, indent=1)
        (self.path / "cases.json").write_text(text + "\n")


def add_translation(folder, name, image_name, image, patch, window, stride, max_points=None, shifts=None):
    """A translation case, on the sub-grid (max_points) or on given shifts -> the expected array as stored (f32)."""
    case = dict(name=name, kind="translation", image=f"{image_name}.npy", patch=patch, window=window)
    case |= dict(max_points=max_points) if max_points else {}
    case |= dict(stride=stride)
    shifts = grid_shifts(window, max_points) if shifts is None else shifts
    assert max_points or window == np.abs(shifts).max(0).tolist()
    scores, flat = translation(image, patch, window, stride, shifts)
    expected = scores.astype(np.float32)
    origin = "float64 definition; " + beside_pystem(image, case, shifts, scores, flat)
    if flat.any():
        origin += f" where no patch is flat; {flat.mean():.0%} of the scores involve a flat patch"
    folder.add(
        **case,
        shifts=folder.save(f"{name}.shifts", shifts),
        expected=folder.save(name, expected),
        tolerance=1e-5,
        origin=origin,
    )
    return expected


def add_translations(folder, images):
    """All translation cases -> the one that PCA, k-means and separability go on with."""
    add = lambda name, image, *rest, **more: add_translation(folder, name, image, images[image], *rest, **more)
    given = np.array([[0, 5], [10, 0], [-7, 8], [6, -9], [0, 0], [-11, -3], [1, 1]], np.int32)
    add("translation_tilt", "tilt", [9, 7], [12, 10], 5, max_points=100)
    add("translation_coarse", "tilt", [6, 11], [14, 9], 7, max_points=20)
    add("translation_wide_patch", "tilt", [50, 60], [15, 15], 1, max_points=25)
    add("translation_small_patch", "tilt", [1, 2], [3, 3], 8, max_points=49)
    add("translation_list", "square_hex", [7, 10], [11, 9], 3, shifts=given)
    add("translation_vacuum", "vacuum", [5, 5], [8, 8], 5, max_points=81)
    return add("translation_square_hex", "square_hex", [8, 8], [9, 9], 4, max_points=49)


def add_statistics(folder, descriptors, name):
    """PCA, k-means and separability of one translation case (descriptors as stored)."""
    features, fitted = pca(descriptors)
    assert_distinct(descriptors)
    features = features.astype(np.float32)
    features_file = folder.save(f"pca_{name}.features", features)
    folder.add(
        name=f"pca_{name}",
        kind="pca",
        input=f"translation_{name}.npy",
        components=COMPONENTS,
        expected_features=features_file,
        explained_variance=fitted.explained_variance_.tolist(),
        explained_variance_ratio=fitted.explained_variance_ratio_.tolist(),
        note="columns are determined up to sign",
        tolerance=1e-3,
    )
    labels = {k: add_kmeans(folder, features, features_file, k, descriptors.shape[:2], name) for k in (2, 3, 4)}
    folder.add(
        name=f"fisher_{name}",
        kind="fisher_separability",
        input=f"translation_{name}.npy",
        labels=f"kmeans_{name}_2.labels.npy",
        expected=folder.save(f"fisher_{name}", fisher_separability(descriptors, labels[2])),
        tolerance=1e-3,
    )


def add_kmeans(folder, features, features_file, k, grid, name):
    """One k-means case on features [sites, 5] -> labels [site rows, site cols]."""
    labels, inertia = kmeans(features, k)
    labels = labels.reshape(grid)
    folder.add(
        name=f"kmeans_{name}_{k}",
        kind="kmeans",
        input=features_file,
        k=k,
        inertia=inertia,
        expected=folder.save(f"kmeans_{name}_{k}.labels", labels),
        note="best of 100 starts; labels up to permutation; inertia must not be above by more than 0.1 %",
    )
    return labels


def add_segment(folder, name, image, true_labels, k, patch, window, stride):
    """The plain pipeline on one image, by the definitions above and by pySTEM."""
    max_points = 100
    scores, _ = translation(image, patch, window, stride, grid_shifts(window, max_points))
    labels, inertia = kmeans(pca(scores)[0], k)
    labels = labels.reshape(scores.shape[:2])
    model = pystem(image, patch, window, stride, n_patterns=k, upsampling=False, random_state=0)
    theirs = model.perform_clustering(image).astype(np.uint8)
    at_sites = true_labels[np.ix_(*sites_of(image.shape, patch, window, stride))]
    score = lambda a, b: round(float(adjusted_rand_score(a.ravel(), b.ravel())), 3)
    folder.add(
        name=f"segment_{name}_{k}",
        kind="segment",
        image=f"{name}.npy",
        k=k,
        window=window,
        patch=patch,
        max_points=max_points,
        stride=stride,
        expected_grid=folder.save(f"segment_{name}_{k}.labels", labels),
        pystem_grid=folder.save(f"segment_{name}_{k}.pystem", theirs),
        truth=f"{name}_truth.npy",
        note="best of 100 starts run to full convergence (no label changes); site labels up to permutation. Required: "
        "inertia not above by more than 0.1 % and an adjusted Rand index >= 0.99. Adjusted Rand index here: with the "
        f"truth at the sites {score(labels, at_sites)}, with pySTEM's own run {score(labels, theirs)}",
        inertia=inertia,
    )


def make(path):
    """Write everything into the folder path."""
    folder = Folder(path)
    scenes = {scene.__name__: scene() for scene in (tilt, square_hex, vacuum)}
    for name, (image, labels) in scenes.items():
        folder.save(name, image)
        folder.save(f"{name}_truth", labels)
    descriptors = add_translations(folder, {name: image for name, (image, _) in scenes.items()})
    add_statistics(folder, descriptors, "square_hex")
    add_segment(folder, "tilt", *scenes["tilt"], k=2, patch=[12, 12], window=[14, 14], stride=3)
    add_segment(folder, "square_hex", *scenes["square_hex"], k=2, patch=[10, 10], window=[14, 12], stride=3)
    folder.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the reference data of this folder.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write (default: this one)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    make(out)
