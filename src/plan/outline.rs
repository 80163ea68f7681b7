//! What a plan has to know of an image: [`Outline`].

use ndarray::ArcArray2;

use crate::image::micrograph::Micrograph;
use crate::sites::Extent;

/// The size of an image, which of its pixels count, and how its values are scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    pub(super) shape: Extent,
    pub(super) mask: Option<ArcArray2<bool>>,
    pub(super) absent: Option<ArcArray2<bool>>,
    pub(super) deviation: f64,
}

impl Outline {
    /// An image of `rows x cols` px, all of which count, with values that deviate by
    /// `deviation` from their mean, in the file's units (rms): 1 for what is standardised.
    pub fn new((rows, cols): (usize, usize), deviation: f64) -> Self {
        Self { shape: Extent { rows, cols }, mask: None, absent: None, deviation }
    }

    /// The image without the pixels under `mask` `[rows, cols]`: they do not count, and have
    /// no label.
    #[must_use]
    pub fn without(self, mask: Option<ArcArray2<bool>>) -> Self {
        Self { absent: mask.clone(), mask, ..self }
    }
}

impl From<&Micrograph> for Outline {
    fn from(micrograph: &Micrograph) -> Self {
        Self {
            mask: micrograph.mask().cloned(),
            absent: micrograph.absent().cloned(),
            ..Self::new(micrograph.shape(), micrograph.deviation())
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::backend::Backend;
    use crate::backend::cpu::Cpu;
    use crate::descriptor::{FamilyParams, power_spectrum};
    use crate::image::micrograph::NonFinite;
    use crate::plan::{Params, Plan};

    /// Descriptors of waves that are `scale` times as high.
    fn described(family: &FamilyParams, scale: f64) -> Array2<f32> {
        let pixels = Array2::from_shape_fn((60, 66), |(r, c)| {
            scale * ((0.9 * r as f64).cos() * (0.7 * c as f64).sin() + 0.01 * ((r * c) % 7) as f64)
        });
        let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap();
        let params = Params { families: vec![family.clone()], stride: 9, ..Default::default() };
        let plan = Plan::new(params, &micrograph).unwrap();
        let (cpu, band) = (Cpu::new(), plan.sites().whole());
        let mut found = Array2::zeros((band.len(), plan.channels()));
        let mut session = cpu.upload(micrograph.standardised().unwrap(), &plan).unwrap();
        session.describe(&band, found.view_mut()).unwrap();
        found
    }

    #[test]
    fn power_spectra_of_a_micrograph_are_in_the_units_of_its_file() {
        let (window, scale) = (Extent::square(8), power_spectrum::Scale::Linear);
        let spectrum = power_spectrum::Params { window, scale, ..Default::default() };
        let family = FamilyParams::PowerSpectrum(spectrum);
        let (one, three) = (described(&family, 1.0), described(&family, 3.0));
        let largest = one.fold(0.0_f32, |most, v| most.max(v.abs()));
        let off = |(a, b): (&f32, &f32)| (9.0 * a - b).abs();
        let worst = one.iter().zip(&three).map(off).fold(0.0_f32, f32::max);
        assert!(worst < 1e-4 * 9.0 * largest, "{worst} of {largest}");
    }
}
