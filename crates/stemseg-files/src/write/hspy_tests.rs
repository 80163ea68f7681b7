use super::*;
use ndarray::Array2;
use stemseg::image::micrograph::PixelSize;

fn written(labels: &Array2<u16>, kind: LabelType, size: Option<PixelSize>) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let parameters = json!({
        "stride": 4,
        "variance": 0.9,
        "masked": true,
        "image": null,
        "none": [],
        "names": ["a", "b"],
        "sizes": [1.5, 2],
        "whole": [1, 2],
        "families": [{"patch": 3}, {"patch": 4}],
    });
    let signal = Signal {
        title: "gold/1 labels",
        original: "gold.dm4",
        pixel_size: size,
        parameters: &parameters,
    };
    write_hspy(&place.path().join("l.hspy"), &labels.view(), kind, &signal).unwrap();
    place
}

fn open(place: &tempfile::TempDir) -> H5File {
    H5File::open(place.path().join("l.hspy")).unwrap()
}

#[test]
fn the_labels_come_back_from_several_chunks() {
    let labels = Array2::from_shape_fn((700, 900), |(r, c)| ((r / 9 + c / 7) % 250) as u16);
    let place = written(&labels, LabelType::U8, None);
    let data = open(&place).dataset("Experiments/gold-1 labels/data").unwrap();
    assert_eq!(data.shape(), [700, 900]);
    assert!(data.chunk_dims().unwrap()[0] < 700);
    assert_eq!(
        data.read_raw::<u8>().unwrap(),
        labels.mapv(|l| l as u8).into_raw_vec_and_offset().0
    );
    let place = written(&labels, LabelType::U32, None);
    let data = open(&place).dataset("Experiments/gold-1 labels/data").unwrap();
    assert_eq!(data.read_raw::<u32>().unwrap(), labels.mapv(u32::from).into_raw_vec_and_offset().0);
}

#[test]
fn axes_are_in_nm_where_the_pixel_size_is_known() {
    let labels = Array2::from_elem((20, 30), 1);
    let size = PixelSize { rows: 0.0123456789, cols: 0.02 };
    let place = written(&labels, LabelType::U16, Some(size));
    let file = open(&place);
    let experiments = file.root_group().group("Experiments").unwrap();
    let group = experiments.group("gold-1 labels").unwrap();
    for name in ["axis-0", "axis-1"] {
        let axis = group.group(name).unwrap();
        assert_eq!(axis.attr_string("units").unwrap(), "nm");
        // Their values are compared in tests/readers: this crate reads texts alone here.
        let names = axis.attr_names().unwrap();
        let wanted = ["scale", "size", "offset", "navigate", "is_binned", "_type"];
        assert!(wanted.iter().all(|name| names.iter().any(|n| n == name)), "{names:?}");
    }
    let place = written(&labels, LabelType::U16, None);
    let axis = open(&place).root_group().group("Experiments").unwrap();
    let axis = axis.group("gold-1 labels").unwrap().group("axis-0").unwrap();
    assert_eq!(axis.attr_string("units").unwrap(), "_None_");
}

#[test]
fn parameters_are_stored_as_hyperspy_stores_them() {
    let place = written(&Array2::from_elem((20, 30), 1), LabelType::U8, None);
    let file = open(&place);
    let path = "Experiments/gold-1 labels/original_metadata/stemseg";
    let group = path.split('/').fold(file.root_group(), |group, name| group.group(name).unwrap());
    assert_eq!(group.attr_string("image").unwrap(), "_None_");
    assert_eq!(group.attr_string("_list_empty_none").unwrap(), "_None_");
    let dataset = |name: &str| file.dataset(&format!("{path}/{name}")).unwrap();
    assert_eq!(dataset("_list_names").read_vlen_strings().unwrap(), ["a", "b"]);
    assert_eq!(dataset("_list_sizes").read_raw::<f64>().unwrap(), [1.5, 2.0]);
    assert_eq!(dataset("_list_whole").read_raw::<i64>().unwrap(), [1, 2]);
    let members = group.group("_list_2_families").unwrap();
    assert_eq!(members.group_names().unwrap(), ["0", "1"]);
}

#[test]
fn errors_name_the_file() {
    let labels = Array2::from_elem((2, 2), 300_u16);
    let parameters = json!({});
    let signal = Signal { title: "t", original: "o", pixel_size: None, parameters: &parameters };
    let nowhere = Path::new("/no/such/folder/l.hspy");
    let error = write_hspy(nowhere, &labels.view(), LabelType::U16, &signal).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/l.hspy"), "{error}");
    let error = write_hspy(nowhere, &labels.view(), LabelType::U8, &signal).unwrap_err();
    assert!(error.to_string().contains("there are 300"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_from_other_failures() {
    let labels = Array2::from_elem((300, 300), 1_u16);
    let signal = Signal { title: "a", original: "a", pixel_size: None, parameters: &json!({}) };
    let full = Path::new("/dev/full");
    let error = write_hspy(full, &labels.view(), LabelType::U8, &signal).unwrap_err();
    let Error::Io { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{source}");
}

#[test]
#[cfg(unix)]
fn the_number_in_the_words_tells_what_the_system_said() {
    use std::io::ErrorKind::{Other, StorageFull};
    for (words, kind) in [
        ("hdf5-io error: I/O error: No space left on device (os error 28)", StorageFull),
        ("format error: a chunk (os error none)", Other),
        ("invalid state: closed", Other),
    ] {
        assert_eq!(system_error(words).kind(), kind, "{words}");
    }
    assert!(system_error("invalid state: closed").to_string().contains("closed"));
}
