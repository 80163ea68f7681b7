//! Sums for mean and covariance; twin of `shaders/moments.wgsl`.

use ndarray::{Array1, Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::pca::{Moments, PIECE};
use crate::plan::Plan;
use crate::sites::{Band, blocks};

/// Moments of the active sites among `descriptors` `[sites of the band, D]`.
pub(super) fn accumulate(descriptors: ArrayView2<'_, f32>, plan: &Plan, band: &Band) -> Moments {
    let pieces: Vec<_> = (0..band.rows.len())
        .flat_map(|row| blocks(row * band.cols..(row + 1) * band.cols, PIECE))
        .collect();
    let mut total = Moments::zero(plan.channels());
    // A batch bounds how many D x D partial sums are alive; they are added in
    // the order of the sites.
    for batch in pieces.chunks(64) {
        let sums: Vec<Moments> = batch
            .par_iter()
            .map(|piece| {
                let first = band.sites().start;
                let x = descriptors.slice(s![piece.clone(), ..]);
                match &plan.active {
                    None => of_piece(x),
                    Some(_) => {
                        let sites: Vec<usize> = (0..x.nrows())
                            .filter(|i| plan.is_active(first + piece.start + i))
                            .collect();
                        of_piece(x.select(ndarray::Axis(0), &sites).view())
                    }
                }
            })
            .collect();
        sums.iter().for_each(|sum| total.add(sum));
    }
    total
}

fn of_piece(x: ArrayView2<'_, f32>) -> Moments {
    let mut sum = Array1::<f64>::zeros(x.ncols());
    for site in x.rows() {
        sum.zip_mut_with(&site, |s, &v| *s += f64::from(v));
    }
    let products: Array2<f32> = x.t().dot(&x);
    Moments { count: x.nrows() as u64, sum, products: products.mapv(f64::from) }
}
