use std::io::Read;
use std::path::PathBuf;

use ndarray::{Array2, ArrayView2};
use ome_zarr_metadata::Validate;
use ome_zarr_metadata::v0_4::OmeNgffGroupAttributes;
use stemseg_testing::npy::Element;

use super::super::content::{OmeZarrFilm, OmeZarrFrame};
use super::*;
use stemseg::image::micrograph::{Micrograph, NonFinite, Pixel};

fn image<T: Pixel>(pixels: ArrayView2<'_, T>, size: Option<PixelSize>) -> Micrograph {
    Micrograph::new(pixels, None, NonFinite::Fail).unwrap().with_pixel_size(size)
}

fn colour(label: usize) -> [u8; 3] {
    [label as u8, 2, 3]
}

/// Writes image and labels, and gives the folder.
fn written(
    micrograph: &Micrograph,
    dtype: &str,
    labels: &Array2<u16>,
    kind: LabelType,
) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.ome.zarr");
    let properties = vec![Map::from_iter([("confidence".to_owned(), json!(0.5))]); 3];
    let labels = &labels.view();
    let name = "x";
    let content = OmeZarr { name, micrograph, dtype, labels, kind, palette: &colour, properties };
    write_ome_zarr(&path, &content).unwrap();
    (place, path)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// An array of the folder, put together from its chunks; `tests/readers` opens it with
/// other programs.
fn read<T: Element + Default>(folder: &Path, below: &str) -> Array2<T> {
    read_frame(folder, below, None)
}

/// The same of a frame, of a film with that number of frames.
fn read_frame<T: Element + Default>(
    folder: &Path,
    below: &str,
    frame: Option<(usize, usize)>,
) -> Array2<T> {
    let mut folder = folder.join(below);
    let metadata = json_of(&folder.join(".zarray"));
    if let Some((frame, frames)) = frame {
        assert_eq!((&metadata["shape"][0], &metadata["chunks"][0]), (&json!(frames), &json!(1)));
        folder.push(frame.to_string());
    }
    let axes = [0, 1].map(|axis| axis + usize::from(frame.is_some()));
    let lengths = |key: &str| axes.map(|axis| metadata[key][axis].as_u64().unwrap() as usize);
    let (shape, chunk) = (lengths("shape"), lengths("chunks"));
    let order = if size_of::<T>() == 1 { '|' } else { '<' };
    assert_eq!(metadata["dtype"], format!("{order}{}", T::CODE));
    assert_eq!((&metadata["zarr_format"], &metadata["order"]), (&json!(2), &json!("C")));
    assert_eq!(
        (&metadata["compressor"]["id"], &metadata["filters"]),
        (&json!("zlib"), &Value::Null)
    );
    let mut array = Array2::default(shape);
    for row in 0..shape[0].div_ceil(chunk[0]) {
        for col in 0..shape[1].div_ceil(chunk[1]) {
            let Ok(packed) = fs::read(folder.join(format!("{row}/{col}"))) else { continue };
            let mut bytes = Vec::new();
            flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len(), chunk[0] * chunk[1] * size_of::<T>(), "a chunk of full size");
            for (index, value) in bytes.chunks_exact(size_of::<T>()).enumerate() {
                let at = (row * chunk[0] + index / chunk[1], col * chunk[1] + index % chunk[1]);
                if let Some(to) = array.get_mut(at) {
                    *to = T::from_bytes(value);
                }
            }
        }
    }
    array
}

fn attributes(folder: &Path, below: &str) -> Map<String, Value> {
    let folder = folder.join(below);
    assert_eq!(json_of(&folder.join(".zgroup")), json!({ "zarr_format": 2 }));
    json_of(&folder.join(".zattrs")).as_object().unwrap().clone()
}

#[test]
fn image_and_labels_come_back_and_the_metadata_is_valid() {
    let pixels = Array2::from_shape_fn((1100, 700), |(r, c)| ((r * 31 + c * 17) % 60_000) as u16);
    let labels = Array2::from_shape_fn((1100, 700), |(r, c)| ((r / 9 + c / 7) % 4) as u16);
    let size = PixelSize { rows: 0.0123456789, cols: 0.02 };
    let micrograph = image(pixels.view(), Some(size));
    let (_place, folder) = written(&micrograph, "uint16", &labels, LabelType::U32);
    assert_eq!(read::<u16>(&folder, "0"), pixels);
    assert_eq!(read::<u32>(&folder, "labels/segmentation/0"), labels.mapv(u32::from));
    assert_eq!(read::<u16>(&folder, "2").dim(), (275, 175));
    for path in ["", "labels", "labels/segmentation"] {
        let attributes = Value::Object(attributes(&folder, path));
        let parsed: OmeNgffGroupAttributes = serde_json::from_value(attributes).unwrap();
        parsed.validate().unwrap();
        assert_eq!(parsed.version(), "0.4");
    }
    let multiscales = &attributes(&folder, "")["multiscales"][0];
    assert_eq!(multiscales["axes"][0], json!({"name": "y", "type": "space", "unit": "nanometer"}));
    let transforms = &multiscales["datasets"][1]["coordinateTransformations"];
    assert_eq!(transforms[0]["scale"], json!([2.0 * size.rows, 2.0 * size.cols]));
    assert_eq!(transforms[1]["translation"], json!([0.5 * size.rows, 0.5 * size.cols]));
    let label = &attributes(&folder, "labels/segmentation")["image-label"];
    assert_eq!(label["source"]["image"], "../../");
    assert_eq!(label["colors"].as_array().map(Vec::len), Some(3));
    assert_eq!(label["colors"][2], json!({"label-value": 3, "rgba": [3, 2, 3, 255]}));
    assert_eq!(label["properties"][2], json!({"label-value": 3, "confidence": 0.5}));
}

#[test]
fn a_film_comes_back_frame_by_frame() {
    let pixels = |t: usize| {
        Array2::from_shape_fn((530, 600), |(r, c)| ((r * 31 + c * 17 + t * 977) % 60_000) as f32)
    };
    let labels =
        |t: usize| Array2::from_shape_fn((530, 600), |(r, c)| ((r / 9 + c / 7 + t) % 4) as u16);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("film.ome.zarr");
    let content = OmeZarrFilm {
        name: "film",
        frames: 3,
        shape: (530, 600),
        pixel_size: Some(PixelSize { rows: 0.02, cols: 0.03 }),
        interval_s: Some(0.04),
        dtype: "uint16",
        kind: LabelType::U8,
        palette: &colour,
        properties: vec![Map::new(); 3],
    };
    let mut frame = |t: usize| Ok(OmeZarrFrame { pixels: pixels(t), labels: labels(t) });
    write_ome_zarr_film(&folder, &content, &mut frame).unwrap();
    for t in 0..3 {
        let own = read_frame::<u16>(&folder, "0", Some((t, 3)));
        assert_eq!(own, pixels(t).mapv(|value| value as u16));
        let own = read_frame::<u8>(&folder, "labels/segmentation/0", Some((t, 3)));
        assert_eq!(own, labels(t).mapv(|label| label as u8));
        assert_eq!(read_frame::<u16>(&folder, "1", Some((t, 3))).dim(), (265, 300));
    }
    for path in ["", "labels/segmentation"] {
        let attributes = Value::Object(attributes(&folder, path));
        let parsed: OmeNgffGroupAttributes = serde_json::from_value(attributes).unwrap();
        parsed.validate().unwrap();
    }
    let multiscales = &attributes(&folder, "")["multiscales"][0];
    assert_eq!(multiscales["axes"][0], json!({"name": "t", "type": "time", "unit": "second"}));
    let transforms = &multiscales["datasets"][1]["coordinateTransformations"];
    assert_eq!(transforms[0]["scale"], json!([0.04, 0.04, 0.06]));
    assert_eq!(transforms[1]["translation"], json!([0.0, 0.01, 0.015]));
    let few = OmeZarrFilm { properties: vec![Map::new(); 300], ..content };
    assert!(write_ome_zarr_film(&folder, &few, &mut frame).is_err());
}

#[test]
fn sizes_are_means_of_the_image_and_most_frequent_labels() {
    // Odd sides: the last row and column have fewer pixels to go by.
    let pixels = Array2::from_shape_fn((515, 3), |(r, c)| (10 * r + c) as f32);
    let labels = Array2::from_shape_fn((515, 3), |(r, c)| [[1, 2], [3, 3]][r % 2][c % 2]);
    let micrograph = image(pixels.view(), None);
    let (_place, folder) = written(&micrograph, "float32", &labels, LabelType::U8);
    let half = read::<f32>(&folder, "1");
    assert_eq!(half.dim(), (258, 2));
    let near = |at, value: f32| assert!((half[at] - value).abs() < 1e-2, "{at:?}: {}", half[at]);
    near((0, 0), 5.5);
    near((0, 1), 7.0);
    // From the second strip of rows.
    near((256, 0), 5125.5);
    near((257, 1), 5142.0);
    let labels = read::<u8>(&folder, "labels/segmentation/1");
    assert_eq!((labels[(3, 0)], labels[(3, 1)], labels[(257, 0)]), (3, 1, 1));
    assert_eq!(attributes(&folder, "")["multiscales"][0]["axes"][1]["unit"], Value::Null);
}

#[test]
fn integers_come_back_exactly_or_else_as_floats() {
    let labels = Array2::from_elem((40, 50), 1_u16);
    macro_rules! check {
        ($($type:ty: $dtype:literal, $value:expr;)*) => {$(
            let value = $value;
            let pixels = Array2::from_shape_fn((40, 50), |at: (usize, usize)| value(at) as $type);
            let micrograph = image(pixels.view(), None);
            let (_place, folder) = written(&micrograph, $dtype, &labels, LabelType::U8);
            assert_eq!(read::<$type>(&folder, "0"), pixels, $dtype);
        )*};
    }
    check! {
        u8: "uint8", |(r, c)| (r * c) % 256;
        i8: "int8", |(r, c)| ((r * c) % 256) as i64 - 128;
        i16: "int16", |(r, c)| ((r * 2000 + c * 99) % 65_536) as i64 - 32_768;
        u32: "uint32", |(r, c)| 3_000_000_000_u32 + (r * 50 + c) as u32 * 1000;
        i32: "int32", |(r, c)| (r * 50 + c) as i64 * 1000 - 2_000_000_000;
    }
    // Where a chunk has 0 everywhere, there is none.
    let empty = Array2::from_shape_fn((40, 1200), |(_, c)| u8::from(c < 500));
    let micrograph = image(empty.view(), None);
    let nothing = Array2::<u16>::zeros((40, 1200));
    let (_place, folder) = written(&micrograph, "uint8", &nothing, LabelType::U8);
    assert_eq!(read::<u8>(&folder, "0"), empty);
    let stored = ["0/0/0", "0/0/1", "0/0/2"].map(|chunk| folder.join(chunk).exists());
    assert_eq!(stored, [true, false, false]);
    // Too wide a span for f32 to tell neighbours apart.
    let pixels = Array2::from_shape_fn((40, 50), |(r, c)| (r * 50 + c) as u32 * 2_000_000);
    let micrograph = image(pixels.view(), None);
    let (_place, folder) = written(&micrograph, "uint32", &labels, LabelType::U8);
    let wide = read::<f32>(&folder, "0");
    let error = |(a, b): (&f32, &u32)| (f64::from(*a) - f64::from(*b)).abs();
    assert!(wide.iter().zip(&pixels).map(error).fold(0.0, f64::max) < 512.0);
}

#[test]
fn a_label_that_does_not_fit_and_a_place_that_is_none_are_named() {
    let micrograph = image(Array2::from_shape_fn((4, 4), |(r, _)| r as f32).view(), None);
    let labels = Array2::from_elem((4, 4), 300_u16);
    let labels = &labels.view();
    let write = |path: &Path, kind| {
        let properties = Vec::new();
        let (name, dtype) = ("x", "float32");
        let micrograph = &micrograph;
        let content =
            OmeZarr { name, micrograph, dtype, labels, kind, palette: &colour, properties };
        write_ome_zarr(path, &content).unwrap_err().to_string()
    };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.ome.zarr");
    assert!(write(&path, LabelType::U8).contains("there are 300"));
    assert!(!path.exists());
    std::fs::write(&path, "a file in the way").unwrap();
    assert!(write(&path, LabelType::U16).contains("x.ome.zarr"));
}
