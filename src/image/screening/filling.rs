//! Values for outliers, for what cannot leave pixels out: patches, pictures.

use ndarray::Array2;

use super::towards;

/// How far along each axis a pixel that counts is looked for, px.
const REACH: isize = 32;

/// Gives each of `outliers` the mean of the nearest pixels that count up, down, to the
/// left and to the right, weighted by one over their distance; where there are none it
/// keeps its value. `mask` is true where pixels do not count.
pub(crate) fn fill(
    image: &mut Array2<f32>,
    outliers: &[(usize, usize)],
    mask: impl Fn((usize, usize)) -> bool,
) {
    let shape = image.dim();
    for &at in outliers {
        let (mut sum, mut weights) = (0.0, 0.0);
        for way in [[-1, 0], [0, -1], [0, 1], [1, 0]] {
            let nearest =
                (1..=REACH).map_while(|steps| Some((steps, towards(at, way, steps, shape)?)));
            if let Some((steps, from)) = nearest.into_iter().find(|&(_, from)| !mask(from)) {
                let weight = 1.0 / steps as f32;
                sum += weight * image[from];
                weights += weight;
            }
        }
        if weights > 0.0 {
            image[at] = sum / weights;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_get_what_surrounds_them_and_never_each_other() {
        let ramp = Array2::from_shape_fn((40, 50), |(r, c)| (2 * r + c) as f32);
        let out = |(r, c): (usize, usize)| (10..13).contains(&r) || (r, c) == (30, 0);
        let mut image =
            Array2::from_shape_fn(ramp.dim(), |at| if out(at) { 1e9 } else { ramp[at] });
        let outliers: Vec<_> =
            ramp.indexed_iter().map(|(at, _)| at).filter(|&at| out(at)).collect();
        fill(&mut image, &outliers, out);
        for (at, &v) in image.indexed_iter() {
            // Up and down from the rows; no pixel to the left of the single one.
            let bound = if at == (30, 0) { 1.0 } else { 1e-4 };
            assert!((v - ramp[at]).abs() < bound, "{at:?}: {v}");
        }
        let mut all = Array2::from_elem((3, 3), 5.0);
        fill(&mut all, &[(1, 1)], |_| true);
        assert_eq!(all[(1, 1)], 5.0);
    }
}
