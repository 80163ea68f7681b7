//! What a segmentation adds to a film.

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;
use serde::Serialize;

use super::heat::Heat;
use crate::random::Random;
use crate::{Error, Result};

/// Noise of a film, independent from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Noise {
    /// None.
    #[default]
    None,
    /// Normal, independent from pixel to pixel, added.
    White {
        /// Its standard deviation.
        deviation: f64,
    },
    /// As memberships have it: normal on the scale of `ln(Phi / (1 - Phi))`, smooth over some
    /// pixels, so that it shows at boundaries alone and `Phi` stays within 0 and 1.
    Soft {
        /// Its standard deviation on that scale.
        deviation: f64,
        /// Standard deviation of the Gaussian that smooths it, px.
        radius: f64,
    },
}

impl Noise {
    pub(super) fn check(&self) -> Result<()> {
        let within = |name, value: f64, most: f64| match (0.0..=most).contains(&value) {
            true => Ok(()),
            false => Err(Error::parameter(name, value, format!("give 0 to {most}"))),
        };
        match *self {
            Self::None => Ok(()),
            Self::White { deviation } => within("noise", deviation, 10.0),
            Self::Soft { deviation, radius } => {
                within("soft-noise", deviation, 10.0)?;
                within("noise-radius", radius, 100.0)
            }
        }
    }

    /// Adds it to `film`; each frame has random numbers of its own.
    pub(super) fn add(&self, film: &mut Array3<f64>, seed: u64) {
        let (_, rows, cols) = film.dim();
        let source = |frame: usize| Random::new(seed, 1 + frame as u64);
        let frames = film.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
        match *self {
            Self::None => {}
            Self::White { deviation } => frames.for_each(|(frame, mut image)| {
                let mut random = source(frame);
                image.iter_mut().for_each(|value| *value += deviation * random.normal());
            }),
            Self::Soft { deviation, radius } => {
                let heat = Heat::new([rows, cols], 0.5 * radius * radius);
                let scale = deviation / kept(&heat, [rows, cols]);
                frames.for_each(|(frame, mut image)| {
                    let mut random = source(frame);
                    let mut noise = Array2::from_shape_simple_fn((rows, cols), || random.normal());
                    heat.diffuse(&mut noise);
                    image.zip_mut_with(&noise, |value, noise| {
                        let inside = value.clamp(1e-9, 1.0 - 1e-9);
                        let scaled = libm::log(inside / (1.0 - inside)) + scale * noise;
                        *value = 1.0 / (1.0 + libm::exp(-scaled));
                    });
                });
            }
        }
    }
}

/// Standard deviation that is left of white noise: root of the sum of squares of the answer to one
/// pixel in the middle.
fn kept(heat: &Heat, [rows, cols]: [usize; 2]) -> f64 {
    let mut image = Array2::zeros((rows, cols));
    image[(rows / 2, cols / 2)] = 1.0;
    heat.diffuse(&mut image);
    image.iter().map(|value| value * value).sum::<f64>().sqrt()
}
