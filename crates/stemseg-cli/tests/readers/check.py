"""What stemseg writes, opened by the programs it is written for.

Segments small calibrated and uncalibrated images into 1, 3 and 300 labels in all
formats, reads the results with tifffile, RosettaSciIO (HyperSpy's reader),
ome-zarr-py, napari-ome-zarr and napari's layers, and compares values, types,
colours, sizes and units with labels.npy, summary.json and the image.

    run.sh makes the environment and starts this with the program to test
"""

import json
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np
import tifffile
import zarr
from napari.layers import Image, Labels
from napari_ome_zarr import napari_get_reader
from ome_zarr.format import FormatV04
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v04 import Image as ImageModel
from ome_zarr_models.v04 import ImageLabel as LabelModel
from roifile import ImagejRoi
from rsciio import hspy, tiff
from skimage.draw import polygon2mask

warnings.filterwarnings("error", category=UserWarning, module="zarr")
# napari: colours are given for the labels that there are.
warnings.filterwarnings("ignore", message="color_dict did not provide a default color")

# Okabe and Ito's: orange, sky blue, bluish green.
FIRST_COLOURS = [(230, 159, 0), (86, 180, 233), (0, 158, 115)]

SQUARE, OBLONG = (0.0123456789, 0.0123456789), (0.025, 0.04)


def scene(rows, cols, dtype):
    """Three lattices side by side, with a little noise."""
    r, c = np.mgrid[:rows, :cols].astype(float)
    wave = lambda x, period: np.sin(2 * np.pi * x / period)
    parts = [
        wave(r, 6) + wave(c, 6),
        wave(r + c, 9) * wave(2 * c - r, 7),
        wave(r, 5) * wave(c, 8),
    ]
    image = np.choose((3 * c // cols).astype(int), parts)
    image += np.random.default_rng(1).normal(0, 0.1, image.shape)
    return (1000 + 200 * image).astype(dtype)


def write_image(path, image, size):
    """A TIFF as ImageJ writes it, with the pixel size (rows, cols) in nm."""
    per_nm = None if size is None else (1 / size[1], 1 / size[0])
    metadata = None if size is None else {"unit": "nm"}
    tifffile.imwrite(path, image, imagej=True, resolution=per_nm, metadata=metadata)


class Result:
    """One run of stemseg, and what it says itself."""

    def __init__(self, stemseg, folder, name, shape, dtype, size, clusters, labels):
        self.size, self.name = size, name
        image = folder / f"{name}.tif"
        self.image = scene(*shape, dtype)
        write_image(image, self.image, size)
        self.folder = folder / f"{name}.stemseg"
        options = ["--preset", "pystem", "--patch", "6", "--window", "6", "--stride", "4", "--restarts", "1"]
        formats = ["--format", "tiff,npy,ome-zarr,hspy,roi,geojson,svg", "--labels", labels, "--save", "strain"]
        command = [stemseg, "segment", image, "-k", str(clusters), "--device", "cpu", "--quiet"]
        subprocess.run([*command, *options, *formats], check=True)
        self.labels = np.load(self.folder / "labels.npy")
        self.summary = json.loads((self.folder / "summary.json").read_text())
        assert self.labels.max() == clusters, self.labels.max()
        wanted = {"auto": "uint8" if clusters <= 254 else "uint16"}.get(labels, f"uint{labels[1:]}")
        assert self.labels.dtype == wanted == self.summary["label_type"]
        self.zarr = self.folder / f"{name}.ome.zarr"

    def same(self, found):
        """Whether an array is the label map, type and all."""
        found = np.asarray(found)
        assert found.dtype == self.labels.dtype, (found.dtype, self.labels.dtype)
        assert np.array_equal(found, self.labels)

    def close(self, found, wanted=None):
        """Whether lengths (rows, cols) are the pixel size."""
        wanted = wanted or self.size or (1.0, 1.0)
        assert np.allclose(found, wanted, rtol=1e-9, atol=0), (found, wanted)


def colours_of(attributes):
    """Red, green, blue, alpha by label of an OME-Zarr label image."""
    return {c["label-value"]: tuple(c["rgba"]) for c in attributes["image-label"]["colors"]}


def check_tifffile(result):
    """labels.tif as Fiji sees it: values, colour table, unit and resolution."""
    with tifffile.TiffFile(result.folder / "labels.tif") as file:
        page = file.pages[0]
        result.same(page.asarray())
        assert len(file.series) == 1 and file.series[0].axes == "YX"
        tags, imagej = page.tags, file.imagej_metadata
        resolution = [t.value[0] / t.value[1] for t in (tags["YResolution"], tags["XResolution"])]
        result.close([1 / r for r in resolution])
        assert imagej.get("unit") == ("nm" if result.size else None), imagej
        table = np.asarray(tags["ColorMap"].value).reshape(3, 256).T // 257
        palette = page.photometric == tifffile.PHOTOMETRIC.PALETTE
        assert palette == (result.labels.dtype == "uint8")
    shown = max(255, int(result.labels.max()))
    if not palette:
        assert (imagej["min"], imagej["max"]) == (0, shown), imagej
    colours = colours_of(zarr.open_group(result.zarr / "labels/segmentation", mode="r").attrs)
    assert tuple(table[0]) == (0, 0, 0)
    for entry in range(1, 256):
        label = int(entry * (shown + 1) / 256 + 0.5)
        if label in colours:
            assert tuple(table[entry]) == colours[label][:3], (entry, label)
    with tifffile.TiffFile(result.folder / "confidence.tif") as file:
        confidence = file.asarray()
    assert confidence.dtype == np.float32 and confidence.shape == result.labels.shape
    for label in result.summary["labels"]:
        mean = confidence[result.labels == label["label"]].mean(dtype=float)
        assert abs(mean - label["confidence"]) < 1e-6, (label, mean)


def check_strain(result):
    """strain.tif as Fiji and tifffile see it: channels with names, calibrated, empty where there is no lattice."""
    with tifffile.TiffFile(result.folder / "strain.tif") as file:
        series, imagej = file.series[0], file.imagej_metadata
        maps = series.asarray()
        tags = file.pages[0].tags
    assert series.axes == "CYX" and maps.dtype == np.float32, series.axes
    assert maps.shape == (5, *result.labels.shape), maps.shape
    assert imagej["Labels"] == ["exx", "eyy", "exy", "rotation_deg", "error"], imagej
    assert imagej.get("unit") == ("nm" if result.size else None), imagej
    result.close([1 / (t.value[0] / t.value[1]) for t in (tags["YResolution"], tags["XResolution"])])
    known = {label["label"] for label in result.summary["strain"]["labels"]}
    for label in np.unique(result.labels):
        assert np.isfinite(maps[:, result.labels == label]).any() == (label in known), label


def filled(rings, shape):
    """Where an odd number of rings of corners (x, y) goes round a pixel."""
    mask = np.zeros(shape, bool)
    for ring in rings:
        # Pixel centres lie half a pixel behind corners.
        mask ^= polygon2mask(shape, np.asarray(ring, float)[:, ::-1] - 0.5)
    return mask


def check_roifile(result):
    """rois.zip as roifile and Fiji see it: every region, its colour and its group."""
    rois = ImagejRoi.fromfile(result.folder / "rois.zip")
    colours = colours_of(zarr.open_group(result.zarr / "labels/segmentation", mode="r").attrs)
    found = np.zeros_like(result.labels)
    for roi in rois:
        label = int(roi.name.split("-")[-1])
        assert roi.group == (label if label < 256 else 0), roi.group
        alpha, *colour = roi.stroke_color
        assert (alpha, tuple(colour)) == (255, colours[label][:3]), roi.stroke_color
        rings = roi.coordinates(multi=True) if roi.composite else [roi.coordinates()]
        mask = filled(rings, result.labels.shape)
        assert not found[mask].any()
        found[mask] = label
    result.same(found)


def check_geojson(result):
    """regions.geojson: polygons with holes that cover the pixels of their labels."""
    whole = json.loads((result.folder / "regions.geojson").read_text())
    found = np.zeros_like(result.labels)
    for feature in whole["features"]:
        rings, said = feature["geometry"]["coordinates"], feature["properties"]
        assert all(ring[0] == ring[-1] for ring in rings)
        mask = filled([ring[:-1] for ring in rings], result.labels.shape)
        assert mask.sum() == said["area_px"]
        if result.size:
            assert np.isclose(said["area_nm2"], said["area_px"] * result.size[0] * result.size[1])
        found[mask] = said["label"]
    result.same(found)


def check_boundaries(result):
    """boundaries.geojson: lines along which labels meet, at sub-pixel."""
    whole = json.loads((result.folder / "boundaries.geojson").read_text())
    rows, cols = result.labels.shape
    assert bool(whole["features"]) == (np.count_nonzero(np.unique(result.labels)) > 1)
    for feature in whole["features"]:
        said = feature["properties"]
        assert feature["geometry"]["type"] == "LineString"
        points = np.array(feature["geometry"]["coordinates"])
        assert (points[0] == points[-1]).all() == said["closed"]
        for x, y in points:
            assert -2 < x < cols + 2 and -2 < y < rows + 2
            around = result.labels[max(int(y) - 4, 0) : int(y) + 5, max(int(x) - 4, 0) : int(x) + 5]
            assert set(said["labels"]) <= set(np.unique(around)), (x, y)


def check_axes(result, axes, names):
    """Axes as RosettaSciIO gives them to HyperSpy: rows first."""
    assert [axis["size"] for axis in axes] == list(result.labels.shape)
    assert [axis["name"] for axis in axes] == names
    assert not any(axis["navigate"] for axis in axes)
    result.close([axis["scale"] for axis in axes])
    # Without a unit the readers say None or leave it out.
    units = [axis.get("units") if isinstance(axis.get("units"), str) else None for axis in axes]
    assert units == ["nm" if result.size else None] * 2, units


def check_hyperspy_tiff(result):
    """labels.tif as HyperSpy opens it."""
    (signal,) = tiff.file_reader(str(result.folder / "labels.tif"))
    result.same(signal["data"])
    check_axes(result, signal["axes"], ["height", "width"])


def check_hyperspy_hspy(result):
    """labels.hspy as HyperSpy opens it."""
    (signal,) = hspy.file_reader(str(result.folder / "labels.hspy"))
    result.same(signal["data"])
    check_axes(result, signal["axes"], ["y", "x"])
    for axis in signal["axes"]:
        assert type(axis["navigate"]) is bool and type(axis["is_binned"]) is bool
    assert signal["package"] == "", "HyperSpy warns where it does not know the package"
    general = signal["metadata"]["General"]
    assert general["title"] == f"{result.name} labels"
    assert general["original_filename"] == f"{result.name}.tif"
    assert signal["metadata"]["Signal"]["signal_type"] == ""
    # Neither is known before everything is written.
    later = ("timings_ms", "files")
    summary = {k: v for k, v in result.summary.items() if k not in later}
    assert plain(signal["original_metadata"]["stemseg"]) == plain(summary)


def plain(value):
    """A value without numpy's types, and floats as they are in JSON."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(member) for member in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def check_models(result):
    """The folder follows the specification, as ome-zarr-models checks it."""
    image = ImageModel.from_zarr(zarr.open_group(result.zarr, mode="r"))
    assert image.labels.attributes.labels == ["segmentation"], image.labels
    group = zarr.open_group(result.zarr / "labels/segmentation", mode="r")
    label = LabelModel.from_zarr(group).attributes.image_label
    assert label.source.image == "../../" and len(label.colors) == result.labels.max()
    for array in result.zarr.glob("**/.zarray"):
        assert "node_type" not in json.loads(array.read_text()), "no key of Zarr version 2"


def check_pyramid(result, data, reduce):
    """Each size is made from the one before, down to 512 px."""
    for larger, smaller in zip(data, data[1:]):
        larger, smaller = np.asarray(larger), np.asarray(smaller)
        rows, cols = larger.shape
        even = larger[: rows // 2 * 2, : cols // 2 * 2]
        blocks = even.reshape(rows // 2, 2, cols // 2, 2).swapaxes(1, 2).reshape(rows // 2, -1, 4)
        assert smaller.shape == (-(-rows // 2), -(-cols // 2)), smaller.shape
        reduce(blocks, smaller[: rows // 2, : cols // 2])
    assert max(data[-1].shape) <= 512 and (len(data) == 1 or max(data[-2].shape) > 512)


def is_mean(blocks, found):
    """Means, rounded where the image holds integers."""
    assert np.abs(blocks.astype(float).mean(axis=-1) - found).max() <= 0.5 + 1e-3


def is_most_frequent(blocks, found):
    """The label that most of the four pixels have, the first of equals."""
    count = (blocks[..., :, None] == blocks[..., None, :]).sum(axis=-1)
    first = count.argmax(axis=-1)
    assert np.array_equal(np.take_along_axis(blocks, first[..., None], -1)[..., 0], found)


def check_ome_zarr(result):
    """The folder as ome-zarr-py reads it: image and labels, all sizes."""
    image, _, labels = Reader(parse_url(str(result.zarr), fmt=FormatV04()))()
    first = np.asarray(image.data[0])
    assert first.dtype == result.image.dtype, first.dtype
    assert np.array_equal(first, result.image)
    result.same(labels.data[0])
    check_pyramid(result, image.data, is_mean)
    check_pyramid(result, labels.data, is_most_frequent)
    size = np.array(result.size or (1.0, 1.0))
    for node in (image, labels):
        unit = {"unit": "nanometer"} if result.size else {}
        axes = [{"name": name, "type": "space", **unit} for name in "yx"]
        assert node.metadata["axes"] == axes, node.metadata["axes"]
        for level, transforms in enumerate(node.metadata["coordinateTransformations"]):
            result.close(transforms[0]["scale"], tuple(size * 2**level))
            if level > 0:
                result.close(transforms[1]["translation"], tuple(size * (2**level - 1) / 2))
    properties = labels.metadata["properties"]
    for label in result.summary["labels"]:
        found = properties[label["label"]]
        assert found["area (pixels)"] == label["pixels"]
        assert found["confidence"] == label["confidence"]
        assert found.get("area (nm^2)") == label["area_nm2"]
    colours = colours_of(zarr.open_group(result.zarr / "labels/segmentation", mode="r").attrs)
    assert sorted(colours) == list(range(1, result.labels.max() + 1))
    count = min(3, int(result.labels.max()))
    assert [colours[i + 1] for i in range(count)] == [(*c, 255) for c in FIRST_COLOURS[:count]]


def check_napari(result):
    """The folder in napari: an image and labels in their colours, in nm."""
    layers = napari_get_reader(str(result.zarr))()
    made = []
    for data, options, kind in layers:
        layer = {"image": Image, "labels": Labels}[kind]
        made.append(layer(data, multiscale=len(data) > 1, **options) if len(data) > 1
                    else layer(data[0], **options))
    image, labels = made
    assert isinstance(image, Image) and isinstance(labels, Labels)
    level = labels.data[0] if labels.multiscale else labels.data
    result.same(level)
    for layer in made:
        result.close(layer.scale)
        if result.size:
            assert [str(unit) for unit in layer.units] == ["nanometer"] * 2, layer.units
    colours = colours_of(zarr.open_group(result.zarr / "labels/segmentation", mode="r").attrs)
    for label in np.unique(result.labels)[:20]:
        found = np.round(np.asarray(labels.get_color(int(label))) * 255)
        assert tuple(found) == colours[label], (label, found, colours[label])


def check_film(stemseg, folder):
    """A film as hyperstack and as OME-Zarr: frames, labels, the time between frames."""
    subprocess.run([stemseg, "simulate", "film", "--size", "128", "--frames", "6", "--out", folder / "film.sim",
                    "--quiet"], check=True)
    command = [stemseg, "series", folder / "film.sim" / "film.npy", "-k", "2", "--interval", "40ms", "--register",
               "off", "--device", "cpu", "--quiet", "--out", folder / "film"]
    subprocess.run([*command, "--format", "tiff,npy,ome-zarr"], check=True)
    labels, frames = np.load(folder / "film/labels.npy"), np.load(folder / "film.sim/film.npy")
    with tifffile.TiffFile(folder / "film/labels.tif") as file:
        assert file.series[0].axes == "TYX", file.series[0].axes
        assert np.array_equal(file.asarray(), labels)
        assert np.isclose(file.imagej_metadata["finterval"], 0.04), file.imagej_metadata
    signal = tiff.file_reader(str(folder / "film/labels.tif"))[0]
    assert np.array_equal(signal["data"], labels)
    place = folder / "film/film.ome.zarr"
    ImageModel.from_zarr(zarr.open_group(place, mode="r"))
    image, _, found = Reader(parse_url(str(place), fmt=FormatV04()))()
    assert np.array_equal(np.asarray(found.data[0]), labels)
    assert np.array_equal(np.asarray(image.data[0]), frames)
    assert image.metadata["axes"][0] == {"name": "t", "type": "time", "unit": "second"}
    assert image.metadata["coordinateTransformations"][0][0]["scale"] == [0.04, 1.0, 1.0]
    layers = napari_get_reader(str(place))()
    assert [kind for _, _, kind in layers] == ["image", "labels"]


CHECKS = [
    check_tifffile,
    check_hyperspy_tiff,
    check_hyperspy_hspy,
    check_strain,
    check_roifile,
    check_geojson,
    check_boundaries,
    check_models,
    check_ome_zarr,
    check_napari,
]

CASES = [
    # name, (rows, cols), type of the image, pixel size, labels, stored as
    ("one", (131, 170), "uint16", SQUARE, 1, "auto"),
    ("three", (131, 170), "uint8", OBLONG, 3, "auto"),
    ("large", (701, 1100), "float32", OBLONG, 3, "u32"),
    ("plain", (131, 170), "uint16", None, 3, "u16"),
    ("many", (131, 170), "uint16", OBLONG, 300, "auto"),
]


def main(stemseg):
    """Runs all checks on all cases."""
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            result = Result(stemseg, Path(folder), *case)
            for check in CHECKS:
                try:
                    check(result)
                    passed += 1
                except Exception:
                    failed += 1
                    print(f"FAILED {check.__name__} of {case}")
                    traceback.print_exc(file=sys.stdout)
        try:
            check_film(stemseg, Path(folder))
            passed += 1
        except Exception:
            failed += 1
            print("FAILED check_film")
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
