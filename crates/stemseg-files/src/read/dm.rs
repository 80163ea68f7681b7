//! DigitalMicrograph's dm3 and dm4.

use std::cell::OnceCell;
use std::path::Path;

use openreadout_core::{Dataset, FormatReader, ImageInfo};
use openreadout_em::DmReader;
use serde_json::Value;

use super::vendor::{self, extra, number, text};
use super::{Entry, Format, Images};
use stemseg::Result;
use stemseg::image::calibration::seconds;

/// Every image of the list but thumbnails is an entry.
pub(super) struct Dm;

impl Format for Dm {
    fn name(&self) -> &'static str {
        "DigitalMicrograph"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        DmReader.sniff(head, Path::new("")).is_some()
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let tags = OnceCell::new();
        vendor::open(path, &DmReader, 1, |dataset, info, entry| {
            let tags = tags.get_or_init(|| dataset.vendor_metadata().unwrap_or_default());
            let entry = complete(dataset, info, entry);
            let number = number(info, "/image_list_index").map_or(0, |number| number as usize);
            match impossible_size(tags, number) {
                None => entry,
                reason => Entry { refused: reason, ..entry },
            }
        })
    }
}

/// Why image `number` of the list is refused, where one of its dimensions is not a length:
/// the crate leaves such dimensions out.
fn impossible_size(tags: &Value, number: usize) -> Option<String> {
    let children = |group: &Value| -> Vec<Value> {
        match group {
            Value::Array(all) => all.clone(),
            Value::Object(all) => all.values().cloned().collect(),
            _ => Vec::new(),
        }
    };
    let is_length = |length: &Value| {
        length.as_u64().is_some_and(|length| (1..=i32::MAX as u64).contains(&length))
    };
    let images = children(&tags["ImageList"]);
    let lengths = children(images.get(number)?.pointer("/ImageData/Dimensions")?);
    (!lengths.iter().all(is_length)).then(|| {
        // Damage may put anything there, and much of it.
        let number = |length: &Value| length.as_i64().map_or("?".into(), |n| n.to_string());
        let lengths: Vec<String> = lengths.iter().take(4).map(number).collect();
        let lengths = lengths.join(" x ");
        format!("is damaged (an image of {lengths} pixels cannot be); copy or export it again")
    })
}

/// Adds what the tags say of axes; the first dimension of the file is that of the
/// columns.
fn complete(_: &dyn Dataset, info: &ImageInfo, entry: Entry) -> Entry {
    let dimensions = extra(info, "/dimensions").and_then(|list| list.as_array());
    let axes = ["/calibrations/1", "/calibrations/0"];
    let frames = (number(info, "/calibrations/2/scale"), text(info, "/calibrations/2/units"));
    let mut entry = Entry {
        calibration: entry.calibration.or(vendor::calibration(info, axes, ["scale", "units"])),
        frame_interval_s: match frames {
            (Some(step), Some(unit)) if entry.frames().is_some() => seconds(step, unit),
            _ => None,
        },
        ..entry
    };
    match dimensions.map(Vec::len) {
        // The crate shows a single line of a single dimension as an image.
        Some(1) => entry.shape = entry.shape.split_off(1),
        Some(4..) => entry.shape = whole_shape(info, entry.shape),
        _ => {}
    }
    if text(info, "/data_type") == Some("binary") {
        entry.dtype = "bool".into();
    }
    entry
}

/// The shape with all axes, which the crate folds into one of frames.
fn whole_shape(info: &ImageInfo, folded: Vec<usize>) -> Vec<usize> {
    let sizes = extra(info, "/dimensions").and_then(|list| list.as_array());
    let sizes = sizes.into_iter().flatten().rev().filter_map(|size| size.as_u64());
    let sizes: Vec<usize> = sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    if sizes.len() >= 4 { sizes } else { folded }
}
