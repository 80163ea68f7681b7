//! The pictures of a page: what takes time, encoded once.

use maud::{Markup, html};
use ndarray::ArrayView2;

use crate::embed;
use crate::maps::{self, Map};
use crate::overlay::layers::{self, Layer};
use crate::{colours, number};
use stemseg::image::micrograph::PixelSize;
use stemseg::pipeline::{Patterns, Segmentation};

/// The micrograph as all pages of an image show it, with its features.
pub struct Micrograph {
    /// Rows and columns of the image, px.
    pub(super) shape: (usize, usize),
    /// The image in grey, as a data URI.
    pub(super) grey: String,
    pub(super) features: Vec<Encoded>,
    pub(super) pixel_size: Option<PixelSize>,
}

/// What one result adds to the micrograph, as data URIs.
pub struct Pictures {
    /// The label of each pixel, in its colour.
    pub(super) tint: String,
    /// Boundary lines.
    pub(super) lines: String,
    pub(super) confidence: Encoded,
    pub(super) channels: Vec<Encoded>,
    pub(super) strain: Vec<Encoded>,
}

/// A map, its picture encoded.
pub(super) struct Encoded {
    map: Map,
    pub(super) uri: String,
}

impl Micrograph {
    /// The micrograph `[rows, cols]`, and the maps of what was found in it.
    pub fn new(
        image: ArrayView2<'_, f32>,
        features: &[Map],
        pixel_size: Option<PixelSize>,
    ) -> Self {
        let (grey, features) = rayon::join(
            || embed::jpeg(&layers::grey(image)),
            || features.iter().map(Encoded::new).collect(),
        );
        Self { shape: image.dim(), grey, features, pixel_size }
    }
}

impl Pictures {
    /// The pictures of `patterns`, with the maps of its best channels.
    pub fn new(found: &Segmentation, patterns: &Patterns, channels: &[Map]) -> Self {
        let labels = &patterns.map;
        let confidence = || {
            let channels = channels.iter().map(Encoded::new).collect();
            (Encoded::new(&maps::confidence(found, patterns)), channels)
        };
        let ((tint, lines), (confidence, channels)) = rayon::join(
            || {
                rayon::join(
                    || encode(&layers::tint(labels), labels.largest()),
                    || encode(&layers::boundary_lines(labels), labels.largest()),
                )
            },
            confidence,
        );
        Self { tint, lines, confidence, channels, strain: Vec::new() }
    }

    /// The same with maps of strain.
    #[must_use]
    pub fn with_strain(self, maps: &[Map]) -> Self {
        Self { strain: maps.iter().map(Encoded::new).collect(), ..self }
    }
}

impl Encoded {
    fn new(map: &Map) -> Self {
        let uri = embed::indexed(map.values.ncols(), &map.indices(), &maps::palette());
        Self { map: map.clone(), uri }
    }

    /// The map with its title and colour bar.
    pub(super) fn figure(&self) -> Markup {
        let [low, high] = self.map.range.map(|value| number::significant(f64::from(value), 3));
        html! {
            figure.map {
                figcaption { (self.map.title) }
                img src=(self.uri) alt=(format!("map of {}", self.map.title));
                (super::parts::ramp(&low, &high))
            }
        }
    }
}

/// Labels in their colours. A palette has 255 of them: labels beyond take those of
/// the first again, by then nobody can tell them apart.
fn encode(layer: &Layer, largest: u16) -> String {
    let palette: Vec<[u8; 3]> = (0..=usize::from(largest.min(255))).map(colours::colour).collect();
    let index = |label: u16| if label == 0 { 0 } else { ((label - 1) % 255 + 1) as u8 };
    let indices: Vec<u8> = layer.labels.iter().map(|&label| index(label)).collect();
    embed::indexed(layer.cols, &indices, &palette)
}
