//! What is said of pixels without data.

use stemseg::image::micrograph::Micrograph;
use stemseg::remarks::{Code, Remarks, Warning};

use super::Input;

/// Share of the image that may be absent, without the user having asked for it, before it
/// is a warning.
const MUCH: f64 = 0.1;

/// Says which pixels of `micrograph` do not count, and why.
pub(super) fn remark(remarks: &mut Remarks, micrograph: &Micrograph, input: &Input) {
    let excluded = micrograph.excluded();
    let all = micrograph.pixels().len();
    let counted = |pixels: usize| {
        let (of, share) = (if pixels == 1 { "pixel" } else { "pixels" }, share(pixels, all));
        format!("{pixels} {of} ({share})")
    };
    if let Some(mask) = &input.mask {
        let kind = if mask.inverted { "the inverted mask" } else { "the mask" };
        remarks.note(format!(
            "{kind} {} takes out {}",
            mask.file.display(),
            counted(excluded.masked)
        ));
    }
    if micrograph.replaced() > 0 {
        remarks.note(format!(
            "{} NaN or infinite pixels were replaced by the mean",
            micrograph.replaced()
        ));
    }
    if excluded.non_finite > 0 {
        remarks.note(format!(
            "{} NaN or infinite, and left out, with label 0",
            are(excluded.non_finite, &counted)
        ));
    }
    if excluded.constant > 0 {
        remarks.note(format!(
            "{} in borders of one constant value, and left out, with label 0; `outliers = keep` takes all pixels as \
             they are",
            are(excluded.constant, &counted)
        ));
    }
    if let [(row, col), ..] = micrograph.outliers() {
        let others = match excluded.outliers {
            1 => format!("at row {row}, column {col}: it counts in no sum and is"),
            _ => format!("the first at row {row}, column {col}: they count in no sum and are"),
        };
        remarks.note(format!(
            "{} far outside the range of all others, {others} labelled from the surroundings; `outliers = keep` takes all \
             pixels as they are",
            are(excluded.outliers, &counted)
        ));
    }
    let unasked = excluded.non_finite + excluded.constant;
    if unasked as f64 > MUCH * all as f64 {
        let text = format!(
            "{} of the image holds no data (NaN, or borders of one constant value) and has no label: areas are those of \
             the rest; if the image should be whole, look at how it was exported",
            share(unasked, all)
        );
        let warning = Warning::new(Code::NoData, text)
            .with("pixels", unasked as f64)
            .with("share", unasked as f64 / all as f64);
        remarks.warn(warning);
    }
}

/// "1 pixel (0.1 %) is", "3 pixels (2.4 %) are".
fn are(pixels: usize, counted: &dyn Fn(usize) -> String) -> String {
    format!("{} {}", counted(pixels), if pixels == 1 { "is" } else { "are" })
}

/// A share in percent, with as many digits as it takes to be more than nothing.
fn share(part: usize, all: usize) -> String {
    let percent = 100.0 * part as f64 / all as f64;
    let digits = match percent {
        0.0 => 0,
        _ if percent >= 0.1 => 1,
        _ => -percent.log10().floor() as usize,
    };
    format!("{percent:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_never_rounded_to_nothing() {
        let shares = [(0, 7), (1, 3), (1, 2000), (1, 262_144), (262_143, 262_144)];
        let expected = ["0 %", "33.3 %", "0.05 %", "0.0004 %", "100.0 %"];
        assert_eq!(shares.map(|(part, all)| share(part, all)), expected);
    }
}
