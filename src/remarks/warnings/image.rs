//! Images without lattices, sizes that cannot be, and settings that do not suit.

use crate::descriptor::FamilyParams;
use crate::image::micrograph::PixelSize;
use crate::lattice::{Repetition, Source};
use crate::plan::Params;
use crate::remarks::{Code, Warning};

/// Share of the image that must have a lattice.
const MOST: f64 = 0.5;

/// Sizes of pixels that there are at atomic resolution, nm. Two pixels to a period are the
/// least that show it, and [`PERIODS`] end at 5 nm, with room for films of large cells: no
/// pixel is above 1 nm. No probe is finer than 0.04 nm, and none is sampled by more than
/// some hundred pixels: none is below 0.0001 nm.
const PIXELS: [f64; 2] = [1e-4, 1.0];
/// Periods that rows of atomic columns can have, nm. Columns 0.05 nm apart are the closest
/// that were ever resolved, and lattices have two columns' width at least; the largest cells
/// that are imaged column by column (zeolites, complex oxides) have some nm.
const PERIODS: [f64; 2] = [0.1, 5.0];

/// How far a given period may be from the one that is found: what is beyond is neither the
/// same one nor a neighbour in its lattice of a square (1.41) or of hexagons (1.73).
const FAR: f64 = 1.8;
/// Periods that a patch, a range of translations and the distance of sites may have: below
/// one the patch does not hold what repeats; eight smear a boundary over eight.
const PATCH: [f64; 2] = [1.0, 8.0];
const STRIDE: f64 = 1.0;

/// Warnings about an image with this repetition and this pixel size.
pub fn image(repetition: &Repetition, pixel: Option<PixelSize>) -> Vec<Warning> {
    let possible = pixel.map(impossible_pixel);
    let mut warnings: Vec<Warning> = lattice(repetition).into_iter().collect();
    warnings.extend(possible.clone().flatten());
    if let (Some(px), Some(size), Some(None)) = (repetition.period_px, pixel, possible) {
        warnings.extend(impossible_period(px, size));
    }
    warnings.extend(far_from_found(repetition));
    warnings
}

fn lattice(repetition: &Repetition) -> Option<Warning> {
    let share = repetition.share;
    let text = match (repetition.found_px, repetition.period_source) {
        (Some(_), _) if share >= MOST => return None,
        (Some(_), _) => format!(
            "a crystal lattice was found in only {:.0} % of the image: what differs elsewhere is texture \
             or brightness, not structure",
            100.0 * share
        ),
        (None, Source::Given) => {
            "no crystal lattice was found in the image: all sizes follow the period \
                                  that was given, and nothing in the image speaks for it"
                .to_owned()
        }
        (None, _) => {
            "no crystal lattice was found in the image: its patterns differ in texture or \
                      brightness, not in structure; give `period` if you know it"
                .to_owned()
        }
    };
    Some(Warning::new(Code::NoLattice, text).with("share_of_windows", share))
}

fn impossible_pixel(size: PixelSize) -> Option<Warning> {
    let [least, most] = PIXELS;
    let wrong = [size.rows, size.cols].into_iter().find(|nm| !(least..=most).contains(nm))?;
    let text = format!(
        "a pixel size of {wrong:.3e} nm is not possible: an image with atomic columns has {least} to \
         {most} nm; the unit in the file may be wrong, so give `pixel-size`, or disregard lengths and areas"
    );
    let warning = Warning::new(Code::PixelSize, text);
    Some(warning.with("pixel_rows_nm", size.rows).with("pixel_cols_nm", size.cols))
}

fn impossible_period(px: f64, size: PixelSize) -> Option<Warning> {
    let nm = px * (size.rows * size.cols).sqrt();
    let [least, most] = PERIODS;
    if (least..=most).contains(&nm) {
        return None;
    }
    let text = format!(
        "a period of {px:.1} px is {nm:.3} nm, where atomic columns repeat every {least} to {most} nm: the \
         pixel size is wrong, or what repeats is not atomic columns (but a moiré pattern, or scan rows)"
    );
    Some(Warning::new(Code::Period, text).with("period_px", px).with("period_nm", nm))
}

fn far_from_found(repetition: &Repetition) -> Option<Warning> {
    let (given, found) = match repetition.period_source {
        Source::Given => (repetition.period_px?, repetition.found_px?),
        _ => return None,
    };
    if (given / found).max(found / given) < FAR {
        return None;
    }
    let text = format!(
        "the period that was given, {given:.1} px, is far from the {found:.1} px that the lattices in the \
         image have; leave `period` out unless you are sure"
    );
    let warning = Warning::new(Code::Settings, text);
    Some(warning.with("given_px", given).with("found_px", found))
}

/// Warnings about `params` for an image with this repetition.
pub fn settings(repetition: &Repetition, params: &Params) -> Vec<Warning> {
    let Some(period) = repetition.found_px.filter(|_| repetition.share >= MOST) else {
        return Vec::new();
    };
    // Lengths are px of the image that is described.
    let period = period * params.sampling.map_or(1.0, |sampling| sampling.scale());
    let mut warnings = Vec::new();
    for (name, size) in params.families.iter().flat_map(sizes) {
        let [least, most] = PATCH.map(|periods| periods * period);
        let words = match size {
            size if size < least => "less than one period",
            size if size > most => "more than eight periods",
            _ => continue,
        };
        let text = format!(
            "`{name}` spans {size:.0} px, {words} of the {period:.1} px that the lattices in the image have: \
             leave it out with `preset = auto`, or give about {:.0}",
            period.max(2.0)
        );
        let warning = Warning::new(Code::Settings, text);
        warnings.push(warning.with("size_px", size).with("period_px", period));
    }
    let stride = params.stride as f64;
    if stride > STRIDE * period {
        let text = format!(
            "`stride = {stride}` is more than the period of {period:.1} px that the lattices in the image have: \
             boundaries cannot be more accurate than that; give a smaller one"
        );
        let warning = Warning::new(Code::Settings, text);
        warnings.push(warning.with("stride_px", stride).with("period_px", period));
    }
    warnings
}

/// What a family looks at, px from side to side, by the parameter that sets it. Harmonics
/// look at less than a period by design, spectra and intensities at no period.
fn sizes(family: &FamilyParams) -> Vec<(&'static str, f64)> {
    let side = |half: usize| (2 * half + 1) as f64;
    family.spans().into_iter().map(|(name, half)| (name, side(half))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::translation;
    use crate::image::sampling::Sampling;
    use crate::lattice::Period;
    use crate::sites::Extent;

    fn repeats(found: Option<f64>, share: f64, given: Option<f64>) -> Repetition {
        let period =
            |length| Period { length, reflections: 2.0, shortest: length, clarity: share, share };
        Repetition::new(found.map(period), given)
    }

    fn codes(warnings: &[Warning]) -> Vec<Code> {
        warnings.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn images_without_lattices_are_told_from_those_with_some() {
        let of = |found, share, given| image(&repeats(found, share, given), None);
        assert_eq!(of(Some(12.0), 0.9, None), []);
        assert_eq!(of(Some(12.0), 0.9, Some(14.0)), []);
        for (found, share, given, words) in [
            (None, 0.0, None, "give period"),
            (None, 0.0, Some(12.0), "nothing in the image speaks for it"),
            (Some(12.0), 0.2, None, "only 20 % of the image"),
        ] {
            let warnings = of(found, share, given);
            assert_eq!(codes(&warnings), [Code::NoLattice]);
            assert!(warnings[0].text.contains(words), "{warnings:?}");
            assert_eq!(warnings[0].numbers["share_of_windows"], share);
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_named() {
        let of = |px: f64, nm: f64| {
            image(&repeats(Some(px), 1.0, None), Some(PixelSize { rows: nm, cols: nm }))
        };
        for (px, nm) in [(12.0, 0.02), (4.0, 0.05), (90.0, 0.003), (3.0, 0.9)] {
            assert_eq!(of(px, nm), [], "{px} px of {nm} nm");
        }
        for nm in [2e-11, 5e-5, 1.5, 2e7] {
            let warnings = of(12.0, nm);
            assert_eq!(codes(&warnings), [Code::PixelSize], "{nm}");
            assert!(warnings[0].text.to_string().starts_with("a pixel size of "), "{warnings:?}");
        }
        for (px, nm) in [(12.0, 0.005), (30.0, 0.3)] {
            let warnings = of(px, nm);
            assert_eq!(codes(&warnings), [Code::Period], "{px} px of {nm} nm");
            assert!((warnings[0].numbers["period_nm"] - px * nm).abs() < 1e-9);
        }
    }

    #[test]
    fn settings_far_from_the_lattice_are_named() {
        let far = |given| image(&repeats(Some(12.0), 1.0, Some(given)), None);
        assert_eq!((far(8.0), far(20.0)), (vec![], vec![]));
        assert_eq!(codes(&far(6.0)), [Code::Settings]);
        assert_eq!(codes(&far(24.0)), [Code::Settings]);

        let of = |patch, window, stride, scale: f64, found| {
            let (patch, window) = (Extent::square(patch), Extent::square(window));
            let family = translation::Params { patch, window, ..Default::default() };
            let params = Params {
                families: vec![FamilyParams::Translation(family)],
                stride,
                sampling: Some(Sampling { period: 10.0, target: 10.0 * scale }),
                ..Default::default()
            };
            let warnings = settings(&repeats(found, 1.0, None), &params);
            warnings
                .iter()
                .map(|w| w.text.to_string().split(' ').next().unwrap_or("").to_owned())
                .collect::<Vec<_>>()
        };
        let none: [&str; 0] = [];
        assert_eq!(of(20, 20, 5, 1.0, Some(12.0)), none);
        assert_eq!(of(5, 20, 5, 1.0, Some(12.0)), ["patch"]);
        assert_eq!(of(20, 4, 13, 1.0, Some(12.0)), ["window", "stride"]);
        assert_eq!(of(60, 20, 5, 1.0, Some(12.0)), ["patch"]);
        assert_eq!(of(5, 20, 5, 0.5, Some(12.0)), none, "the image is made smaller");
        assert_eq!(of(1, 1, 90, 1.0, None), none, "nothing to compare with");
    }
}
