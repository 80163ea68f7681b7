//! HDF5: sizes that headers declare, element types, and which image is taken.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdf5_pure::{
    AttrValue, Datatype, DatatypeByteOrder, FileBuilder, FloatingPointLayout, GroupBuilder,
    MaxExtent,
};
use stemseg_files::read::{Pixels, list, read};

use crate::assert_refused;
use crate::files::Folder;

fn text(value: &str) -> AttrValue {
    AttrValue::String(value.into())
}

/// An hspy file of signals that `fill` makes.
fn hspy(names: &[&str], fill: impl Fn(&str, &mut GroupBuilder)) -> Vec<u8> {
    let mut file = FileBuilder::new();
    file.set_attr("file_format", text("HyperSpy"));
    let mut experiments = file.create_group("Experiments");
    for name in names {
        let mut signal = experiments.create_group(name);
        fill(name, &mut signal);
        experiments.add_group(signal.finish());
    }
    file.add_group(experiments.finish());
    file.finish().unwrap()
}

/// An NCEM file of groups that `fill` makes.
fn ncem(names: &[&str], fill: impl Fn(&str, &mut GroupBuilder)) -> Vec<u8> {
    let mut file = FileBuilder::new();
    file.set_attr("version_major", AttrValue::I64(0));
    let mut data = file.create_group("data");
    for name in names {
        let mut group = data.create_group(name);
        group.set_attr("emd_group_type", AttrValue::I64(1));
        fill(name, &mut group);
        data.add_group(group.finish());
    }
    file.add_group(data.finish());
    file.finish().unwrap()
}

/// Row, column and frame of the first axes of `shape`, as the digits of a value.
fn counted(shape: [u64; 3]) -> Vec<u16> {
    let [a, b, c] = shape;
    let index = |i: u64| (i / (b * c) * 100 + i / c % b * 10 + i % c) as u16;
    (0..a * b * c).map(index).collect()
}

#[test]
fn chunks_far_larger_than_their_array_are_refused() {
    let folder = Folder::new();
    let side = 8_200;
    let fill = |_: &str, group: &mut GroupBuilder| {
        group
            .create_dataset("data")
            .with_u8_data(&[7; 64 * 64])
            .with_shape(&[64, 64])
            .with_maxshape(&[MaxExtent::Unlimited, MaxExtent::Fixed(side)])
            .with_chunks(&[side, side])
            .with_deflate(1);
    };
    for (name, bytes) in [("a.hspy", hspy(&["a"], fill)), ("a.emd", ncem(&["a"], fill))] {
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        let path = folder.file(name, &bytes);
        assert_refused(&path, None, &["chunks of 67240000 bytes for an array of 4096", "h5repack"]);
    }
}

#[test]
fn metadata_larger_than_its_file_is_refused() {
    let folder = Folder::new();
    let mut file = FileBuilder::new();
    let mut data = file.create_group("Data");
    let mut images = data.create_group("Image");
    let mut image = images.create_group("0123456789abcdef0123456789abcdef");
    image.create_dataset("Data").with_u16_data(&[1; 16]).with_shape(&[4, 4, 1]);
    let (length, frames) = (60_000, 1_000);
    image
        .create_dataset("Metadata")
        .with_u8_data(&vec![0; length * frames])
        .with_shape(&[length as u64, frames as u64])
        .with_chunks(&[length as u64, 16])
        .with_deflate(1);
    images.add_group(image.finish());
    data.add_group(images.finish());
    file.add_group(data.finish());
    let path = folder.file("a.emd", &file.finish().unwrap());
    assert_refused(&path, None, &["declares 60000000 bytes", "too short to hold them"]);
}

/// Makes a file of images with these names.
type Maker<'a> = &'a dyn Fn(&[&str]) -> Vec<u8>;

/// An hspy file with groups of the first kind, as h5py writes them, which are searched
/// through for a name.
fn hspy_of_symbol_tables(folder: &Folder, names: &[&str]) -> Vec<u8> {
    let path = folder.path("tables.hspy");
    let earliest = rust_hdf5::LibverBound::Earliest;
    let file = rust_hdf5::H5File::options().libver(earliest).create(&path).unwrap();
    file.set_attr_string("file_format", "HyperSpy").unwrap();
    let experiments = file.create_group("Experiments").unwrap();
    for name in names {
        let signal = experiments.create_group(name).unwrap();
        let data = signal.new_dataset::<u8>().shape([4, 4]).create("data").unwrap();
        data.write_raw(&[1_u8; 16]).unwrap();
    }
    file.close_no_sync().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn thousands_of_signals_are_listed_at_once() {
    let folder = Folder::new();
    let fill = |_: &str, group: &mut GroupBuilder| {
        group.create_dataset("data").with_u8_data(&[1; 16]).with_shape(&[4, 4]);
    };
    let velox = |names: &[&str]| {
        let images: Vec<_> = names.iter().map(|_| ("HAADF", 1)).collect();
        std::fs::read(velox(&folder, &images)).unwrap()
    };
    let makers: [(&str, Maker<'_>); 3] = [
        ("a.hspy", &|names| hspy_of_symbol_tables(&folder, names)),
        ("a.emd", &|names| ncem(names, fill)),
        ("b.emd", &velox),
    ];
    for (name, make) in makers {
        let [few, many] = [500, 3_000].map(|count| {
            let names: Vec<String> = (0..count).map(|number| format!("{number:04}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let path = folder.file(name, &make(&names));
            let time = |_| {
                let start = Instant::now();
                assert_eq!(list(&path).unwrap().1.len(), count, "{name}");
                start.elapsed()
            };
            (0..3).map(time).min().unwrap()
        });
        // Six times as long where it is their number, 36 times where its square.
        assert!(many < 14 * few.max(Duration::from_millis(10)), "{name}: {few:?}, {many:?}");
    }
}

#[test]
fn half_floats_are_read() {
    let folder = Folder::new();
    let half = Datatype::FloatingPoint {
        size: 2,
        byte_order: DatatypeByteOrder::LittleEndian,
        layout: FloatingPointLayout {
            bit_offset: 0,
            bit_precision: 16,
            exponent_location: 10,
            exponent_size: 5,
            mantissa_location: 0,
            mantissa_size: 10,
            exponent_bias: 15,
        },
    };
    let values = [0.1_f32, -2.5, 65_504.0, f32::INFINITY, 6e-8, 0.0].map(half::f16::from_f32);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let fill = |_: &str, group: &mut GroupBuilder| {
        group
            .create_dataset("data")
            .with_raw_data(half.clone(), bytes.clone(), 6)
            .with_shape(&[2, 3]);
    };
    for (name, file) in [("a.hspy", hspy(&["a"], fill)), ("a.emd", ncem(&["a"], fill))] {
        let loaded = read(&folder.file(name, &file), None).unwrap();
        assert_eq!(loaded.entry.dtype, "float16", "{name}");
        let wanted = ndarray::Array2::from_shape_vec((2, 3), values.to_vec()).unwrap();
        assert_eq!(loaded.pixels, Pixels::F16(wanted), "{name}");
    }
}

#[test]
fn without_roles_lengths_tell_the_axes() {
    let folder = Folder::new();
    let of = |shape: [u64; 3]| {
        let fill = move |_: &str, group: &mut GroupBuilder| {
            group.create_dataset("data").with_u16_data(&counted(shape)).with_shape(&shape);
        };
        [("a.hspy", hspy(&["a"], fill)), ("a.emd", ncem(&["a"], fill))]
    };
    for (name, bytes) in of([5, 6, 1]) {
        let loaded = read(&folder.file(name, &bytes), None).unwrap();
        assert_eq!((&*loaded.entry.shape, loaded.frame), (&[5, 6][..], None), "{name}");
        let Pixels::U16(pixels) = loaded.pixels else { unreachable!() };
        assert_eq!(pixels[[4, 5]], 450, "{name}");
    }
    for (name, bytes) in of([8, 9, 2]) {
        let path = folder.file(name, &bytes);
        assert_refused(&path, None, &["[8, 9, 2]", "last axis is the short one", "moveaxis"]);
    }
    for (name, bytes) in of([3, 8, 9]) {
        let loaded = read(&folder.file(name, &bytes), None).unwrap();
        assert_eq!(loaded.entry.shape, [8, 9], "{name}");
    }
}

/// An NCEM image of each of several detectors, which follow as the last axis.
#[test]
fn detectors_along_the_last_axis_are_frames() {
    let folder = Folder::new();
    let shape = [4, 5, 3];
    let fill = |_: &str, group: &mut GroupBuilder| {
        group.create_dataset("data").with_u16_data(&counted(shape)).with_shape(&shape);
        for (name, length, unit) in
            [("dim1", 4, "[n_m]"), ("dim2", 5, "[n_m]"), ("dim3", 3, "[mrad]")]
        {
            let steps: Vec<f64> = (0..length).map(|step| 0.5 * f64::from(step)).collect();
            group.create_dataset(name).with_f64_data(&steps).set_attr("units", text(unit));
        }
    };
    let path = folder.file("a.emd", &ncem(&["a"], fill));
    let mut file = stemseg_files::read::ImageFile::open(&path).unwrap();
    assert_eq!(file.entries()[0].shape, [3, 4, 5]);
    assert_eq!(file.entries()[0].pixel_size().map(|size| size.cols), Some(0.5));
    for frame in 0..3 {
        let Pixels::U16(pixels) = file.load(0, frame).unwrap().0 else { unreachable!() };
        assert_eq!(pixels[[3, 4]], 340 + frame as u16);
    }
    let mean = stemseg_files::read::read_frame(&path, None, Some(stemseg_files::read::Frame::Mean));
    let Pixels::F64(mean) = mean.unwrap().pixels else { unreachable!() };
    assert_eq!(mean[[3, 4]], 341.0);
}

/// A Velox file of images, each with its detector and frames.
fn velox(folder: &Folder, images: &[(&str, u64)]) -> PathBuf {
    let mut file = FileBuilder::new();
    let mut data = file.create_group("Data");
    let mut group = data.create_group("Image");
    for (number, (detector, frames)) in images.iter().enumerate() {
        let metadata = format!(
            r#"{{"BinaryResult":{{"Detector":"{detector}"}},"Detectors":{{
            "Detector-0":{{"DetectorName":"HAADF","DetectorType":"ScanningDetector"}},
            "Detector-1":{{"DetectorName":"SuperXG21","DetectorType":"AnalyticalDetector"}}}}}}"#
        );
        let mut image = group.create_group(&format!("{number:032x}"));
        let shape = [4, 4, *frames];
        image.create_dataset("Data").with_u16_data(&counted(shape)).with_shape(&shape);
        let length = metadata.len() as u64;
        image.create_dataset("Metadata").with_u8_data(metadata.as_bytes()).with_shape(&[length, 1]);
        group.add_group(image.finish());
    }
    data.add_group(group.finish());
    file.add_group(data.finish());
    folder.file("velox.emd", &file.finish().unwrap())
}

#[test]
fn maps_of_elements_come_after_the_images_of_detectors() {
    let folder = Folder::new();
    // The sum of the X-ray detectors is none of those that are listed.
    for map in ["SuperXG2", "SuperXG21"] {
        let path = velox(&folder, &[(map, 1), (map, 1), ("HAADF", 2)]);
        let loaded = read(&path, None).unwrap();
        assert_eq!((loaded.image, &*loaded.entry.name), (2, "HAADF frame 0"), "{map}");
        let maps: Vec<bool> = list(&path).unwrap().1.iter().map(|entry| entry.map).collect();
        assert_eq!(maps, [true, true, false]);
    }
    let maps = velox(&folder, &[("SuperXG2", 1)]);
    assert_eq!(read(&maps, None).unwrap().image, 0, "where there is nothing else");
}
