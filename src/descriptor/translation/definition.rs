//! The definition, word for word.

use ndarray::{Array2, ArrayView2};

use super::{FLAT_SHARE, Family, Translation};
use crate::sites::SiteGrid;

/// Descriptors of all sites by the definition alone, in f64 with direct sums:
/// the reference that every backend is tested against. `image` `[rows, cols]`
/// may have any mean and variance; gives `[sites, D]`.
pub fn by_definition(image: ArrayView2<'_, f64>, family: &Family, grid: &SiteGrid) -> Array2<f64> {
    let variance = image.var(0.0);
    let patch = |row: usize, col: usize| {
        let (r, c) = (row - family.patch.rows, col - family.patch.cols);
        let full = family.patch.full();
        image.slice(ndarray::s![r..r + full.rows, c..c + full.cols])
    };
    let score = |site: usize, t: &Translation| {
        if t.rows == 0 && t.cols == 0 {
            return 1.0;
        }
        let (row, col) = (grid.row(site / grid.count.cols), grid.col(site % grid.count.cols));
        let a = patch(row, col);
        let b = patch(
            row.wrapping_add_signed(t.rows as isize),
            col.wrapping_add_signed(t.cols as isize),
        );
        let (va, vb) = (a.var(0.0), b.var(0.0));
        if va.min(vb) < FLAT_SHARE * variance {
            return 0.0;
        }
        let (ma, mb) = (a.sum() / a.len() as f64, b.sum() / b.len() as f64);
        let products: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
        products / (a.len() as f64 * (va * vb).sqrt())
    };
    Array2::from_shape_fn((grid.len(), family.translations.len()), |(site, d)| {
        score(site, &family.translations[d])
    })
}
