"""Signals of HyperSpy and arrays of xarray, in and out."""

import numpy as np
import pytest
from conftest import library, needed

import stemseg


@pytest.fixture(scope="module")
def hs():
    library("hyperspy")
    return __import__("hyperspy.api", fromlist=["signals"])


def signal_of(hs, image, units="nm", scale=0.02):
    axes = [{"name": name, "units": units, "scale": scale, "offset": 1.5, "size": size} for name, size in zip("yx", image.shape, strict=True)]
    return hs.signals.Signal2D(image, axes=axes)


def test_axes_go_in_and_out(hs, scene):
    found = stemseg.segment(signal_of(hs, scene[0], "pm", 20), 2, device="cpu")
    assert found.pixel_size == (pytest.approx(0.02), pytest.approx(0.02))
    expected = stemseg.segment(scene[0], 2, pixel_size=0.02, device="cpu")
    np.testing.assert_array_equal(found.labels, expected.labels)
    labels = found.to_hyperspy()
    np.testing.assert_array_equal(labels.data, found.labels)
    cols, rows = labels.axes_manager.signal_axes
    assert (cols.units, cols.scale, cols.offset, rows.name) == ("pm", 20, 1.5, "y")
    part = stemseg.segment(signal_of(hs, scene[0]), 2, roi=np.s_[20:, 10:], device="cpu").to_hyperspy()
    assert part.axes_manager.signal_axes[1].offset == pytest.approx(1.5 + 20 * 0.02)
    of_array = expected.to_hyperspy()
    assert of_array.axes_manager.signal_axes[0].units == "nm"


def test_stacks_and_lazy_signals(hs, scene):
    frames = np.stack([scene[0], scene[0][::-1], scene[0][:, ::-1], scene[0].T])
    stack = hs.signals.Signal2D(frames)
    for axis in stack.axes_manager.signal_axes:
        axis.units, axis.scale = "nm", 0.02
    with pytest.raises(ValueError, match="inav"):
        stemseg.segment(stack)
    labels, model = stemseg.hyperspy.segment_stack(stack, 2, fit_frames=2, device="cpu")
    assert labels.data.shape == frames.shape and labels.data.dtype == np.uint8 and model.n_patterns == 2
    for frame, found in zip(frames, labels.data, strict=True):
        np.testing.assert_array_equal(found, model.predict(frame, pixel_size=0.02, device="cpu"))
    lazy = stack.as_lazy()
    lazy.data = lazy.data.rechunk((2, 128, 256))
    out = stemseg.hyperspy.apply(model, lazy, device="cpu")
    assert out._lazy and out.data.chunks == ((2, 2), (256,), (256,))
    np.testing.assert_array_equal(out.data.compute(), labels.data)
    assert stemseg.segment(lazy.inav[0], 2, device="cpu").labels.shape == (256, 256)


def test_a_file_of_an_instrument(hs):
    path = needed("data", "formats", "dm3", "multi_signal.dm3")
    signals = hs.load(path)
    signal = next(s for s in (signals if isinstance(signals, list) else [signals]) if s.data.shape == (512, 512))
    found = stemseg.segment(signal, 2, device="cpu")
    cols, rows = found.to_hyperspy().axes_manager.signal_axes
    assert cols.units == signal.axes_manager.signal_axes[0].units
    assert cols.scale == signal.axes_manager.signal_axes[0].scale
    assert found.pixel_size[0] == pytest.approx(0.017751578)
    # The module reads the same.
    np.testing.assert_array_equal(found.labels, stemseg.segment(stemseg.imread(path), 2, device="cpu").labels)


@pytest.mark.parametrize("units", ["1/nm", "nm^-1", "mrad"])
def test_reciprocal_units_are_refused(hs, scene, units):
    with pytest.raises(ValueError, match="diffraction"):
        stemseg.segment(signal_of(hs, scene[0], units))


def test_spectra_are_refused(hs):
    with pytest.raises(ValueError, match="Signal2D"):
        stemseg.segment(hs.signals.Signal1D(np.zeros(30)))


def test_xarray(scene):
    xarray = library("xarray")
    image, _ = scene
    coords = {"row": ("row", np.arange(256) * 0.02 + 3, {"units": "nm"}), "col": ("col", np.arange(256) * 0.2, {"units": "Å"})}
    data = xarray.DataArray(image, dims=("row", "col"), coords=coords, name="haadf")
    found = stemseg.segment(data, 2, device="cpu")
    assert found.pixel_size == (pytest.approx(0.02), pytest.approx(0.02))
    out = found.to_xarray()
    assert out.labels.dims == ("row", "col") and float(out.row[0]) == 3 and out.attrs["n_patterns"] == 2
    np.testing.assert_array_equal(out.labels, found.labels)
    part = stemseg.segment(data, 2, roi=np.s_[20:, 30:], device="cpu").to_xarray()
    assert float(part.row[0]) == pytest.approx(3.4) and part.sizes == {"row": 236, "col": 226}
    plain = stemseg.segment(image, 2, pixel_size=0.02, device="cpu").to_xarray()
    assert plain.x.attrs["units"] == "nm" and float(plain.x[1]) == pytest.approx(0.02)
    with pytest.raises(ValueError, match="isel"):
        stemseg.segment(data.expand_dims(time=2))
    assert stemseg.segment(data.drop_vars("row"), 2, device="cpu").pixel_size is None


def test_dask_arrays(scene):
    dask = library("dask")
    da = __import__("dask.array", fromlist=["from_array"])
    assert dask
    lazy = da.from_array(scene[0], chunks=100)
    np.testing.assert_array_equal(
        stemseg.segment(lazy, 2, device="cpu").labels, stemseg.segment(scene[0], 2, device="cpu").labels
    )
