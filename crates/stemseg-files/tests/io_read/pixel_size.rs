//! Pixel sizes in TIFF.

use stemseg_files::read::{list, read};

use crate::files::{Folder, Value, tiff};
use crate::tiff::page;

#[test]
fn later_pages_share_the_calibration_of_the_first() {
    let folder = Folder::new();
    let first = page::<u8>(2, 2, false)
        .text(270, "ImageJ=1.53t\nimages=3\nunit=nm\n")
        .with(282, Value::Rational(2, 1))
        .with(283, Value::Rational(2, 1));
    let pages = [first, page::<u16>(2, 2, false), page::<u8>(2, 3, false)];
    let (_, entries) = list(&folder.file("a.tif", &tiff(false, false, &pages))).unwrap();
    assert_eq!(entries[1].pixel_size().unwrap().cols, 0.5);
    assert_eq!(entries[2].calibration, None, "another shape is another image");
}

/// Rows and columns in nm of a page with these tags.
fn size_of_pixel(folder: &Folder, tags: &[(u16, Value)]) -> Option<(f64, f64)> {
    let page = tags
        .iter()
        .fold(page::<u8>(2, 2, false), |page, (tag, value)| page.with(*tag, value.clone()));
    let path = folder.file("size.tif", &tiff(false, false, &[page]));
    read(&path, None).unwrap().entry.pixel_size().map(|size| (size.rows, size.cols))
}

#[test]
fn pixel_sizes_in_nm() {
    let folder = Folder::new();
    let resolution =
        |value| vec![(282, Value::Rational(value, 1)), (283, Value::Rational(value, 2))];
    let imagej = |unit: &[u8]| {
        let text = [b"ImageJ=1.53t\nunit=", unit, b"\nmin=0\n\0"].concat();
        [resolution(100), vec![(296, Value::Short(vec![1])), (270, Value::Text(text))]].concat()
    };
    for (unit, nm) in [
        (&b"nm"[..], 1.0),
        (b"\\u00B5m", 1e3),
        (b"\xc2\xb5m", 1e3),
        (b"\xb5m", 1e3),
        (b"um", 1e3),
        (b"micron", 1e3),
        (b"A", 0.1),
        (b"\\u00C5", 0.1),
        (b"pm", 1e-3),
        (b"mm", 1e6),
    ] {
        let (rows, cols) = size_of_pixel(&folder, &imagej(unit)).unwrap();
        assert!((cols / nm - 0.01).abs() < 1e-12 && (rows / nm - 0.02).abs() < 1e-12, "{unit:?}");
    }
    assert_eq!(size_of_pixel(&folder, &imagej(b"pixel")), None);
    assert_eq!(size_of_pixel(&folder, &imagej(b"inch")), None);

    let with_unit =
        |value, unit| [resolution(value), vec![(296, Value::Short(vec![unit]))]].concat();
    assert_eq!(size_of_pixel(&folder, &with_unit(100_000_000, 3)), Some((0.2, 0.1)));
    assert_eq!(size_of_pixel(&folder, &with_unit(28, 3)), None, "72 dpi in cm");
    assert_eq!(size_of_pixel(&folder, &with_unit(100_000_000, 2)), None, "inches");
    assert_eq!(size_of_pixel(&folder, &with_unit(0, 3)), None, "no resolution");

    let ome = b"<OME><Pixels PhysicalSizeX=\"0.5\" PhysicalSizeXUnit=\"\xc3\x85\" PhysicalSizeY=\"0.25\"/></OME>\0";
    let size = size_of_pixel(&folder, &[(270, Value::Text(ome.to_vec()))]);
    assert_eq!(size, Some((250.0, 0.05)), "µm is the default unit of OME");

    let micrograph = [
        (65003, Value::Text(b"nm\0".to_vec())),
        (65004, Value::Text(b"\xb5m\0".to_vec())),
        (65009, Value::Double(0.5)),
        (65010, Value::Double(0.25)),
    ];
    assert_eq!(size_of_pixel(&folder, &micrograph), Some((250.0, 0.5)));
    assert_eq!(size_of_pixel(&folder, &micrograph[1..]), None);
}
