//! The time between the frames of a stack, as ImageJ and OME write it.

use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::source::Source;
use super::{calibration, imagej, ome};

/// What the description on the first page says, s.
pub(super) fn of(decoder: &mut Decoder<Source>) -> Option<f64> {
    decoder.inner().restore();
    decoder.seek_to_image(0).ok()?;
    let description = calibration::text(decoder, Tag::ImageDescription)?;
    said(&description)
}

/// What a description says, s.
fn said(description: &str) -> Option<f64> {
    let (number, unit) = match ome::is_ome(description) {
        true => {
            let pixels = description.split_once("<Pixels")?.1.split_once('>')?.0;
            (attribute(pixels, "TimeIncrement")?, attribute(pixels, "TimeIncrementUnit"))
        }
        false => (imagej::value(description, "finterval")?, imagej::value(description, "tunit")),
    };
    let seconds = number.trim().parse::<f64>().ok()? * seconds(unit.unwrap_or("s").trim())?;
    (seconds > 0.0 && seconds.is_finite()).then_some(seconds)
}

/// The value of an attribute of the element that `text` is.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.match_indices(name).find(|(at, _)| {
        let free = text[..*at].ends_with(|c: char| c.is_ascii_whitespace());
        free && text[at + name.len()..].trim_start().starts_with('=')
    })?;
    let value = text[start.0 + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
    value[1..].split(quote).next()
}

/// Seconds in a unit.
fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "ms" | "msec" => 1e-3,
        "us" | "\u{b5}s" | "\u{3bc}s" | "usec" => 1e-6,
        "ns" => 1e-9,
        "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn imagej_and_ome_say_how_long_a_frame_is() {
        assert_eq!(said("ImageJ=1.53t\nimages=9\nfinterval=0.25\ntunit=sec\n"), Some(0.25));
        assert_eq!(said("ImageJ=1.53t\nfinterval=40\ntunit=msec"), Some(0.04));
        assert_eq!(said("ImageJ=1.53t\nfinterval=2"), Some(2.0));
        let ome = |of: &str| {
            format!(
                "<?xml version=\"1.0\"?><OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\"><Image><Pixels ID=\"P\" {of}></Pixels></Image></OME>"
            )
        };
        assert_eq!(said(&ome("TimeIncrement=\"3\"")), Some(3.0));
        let with_unit = "TimeIncrementUnit='ms' TimeIncrement = '500'";
        assert_eq!(said(&ome(with_unit)), Some(0.5));
        for wrong in
            ["finterval=0", "finterval=nan", "finterval=x", "finterval=1\ntunit=parsec", ""]
        {
            assert_eq!(said(&format!("ImageJ=1.5\n{wrong}")), None, "{wrong}");
        }
        assert_eq!(said(&ome("")), None);
    }
}
