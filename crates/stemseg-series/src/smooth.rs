//! Averages of memberships along time.
//!
//! A site's membership is averaged over the frames around, as many before as after: a boundary that
//! passes at a steady speed is then where it was, at the ends of the film too. Frames in which the
//! site belongs elsewhere count less (Tomasi and Manduchi, Bilateral filtering, ICCV 1998), so that
//! what changes at once does so in its frame.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Zip};

/// Difference of memberships at which a frame counts `exp(-1/2)` times, in addition to what its
/// distance makes of it.
const TOLERANCE: f32 = 0.3;

/// Memberships of the sites of one frame.
#[derive(Debug, Clone, Copy)]
pub struct Sites<'a> {
    /// `[k, site rows, site cols]`.
    pub maps: ArrayView3<'a, f32>,
    /// True where a site is seen in the frame, `[site rows, site cols]`.
    pub seen: ArrayView2<'a, bool>,
}

/// How many frames before and after one are averaged with it, for a `sigma` in frames.
pub fn reach(sigma: f64) -> usize {
    (2.0 * sigma).ceil() as usize
}

/// Two frames that lie as far before as after another.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// How many frames.
    pub distance: usize,
    /// The one before.
    pub before: Sites<'a>,
    /// The one after.
    pub after: Sites<'a>,
}

/// The memberships of `centre`, averaged with those of `pairs` under a Gaussian of `sigma` frames,
/// `[k, site rows, site cols]`.
///
/// A site that either frame of a pair does not see is averaged over the others.
///
/// # Panics
/// For maps of different shapes.
pub fn averaged(centre: Sites<'_>, pairs: &[Pair<'_>], sigma: f64) -> Array3<f32> {
    let mut sum = centre.maps.to_owned();
    let (_, rows, cols) = sum.dim();
    let mut weights = Array2::<f32>::ones((rows, cols));
    for &Pair { distance, before, after } in pairs {
        let near = (-0.5 * (distance as f64 / sigma).powi(2)).exp() as f32;
        let both = Array2::from_shape_fn((rows, cols), |at| before.seen[at] && after.seen[at]);
        for other in [before, after] {
            let weight = Array2::from_shape_fn((rows, cols), |(r, c)| {
                if !both[(r, c)] {
                    return 0.0;
                }
                let lanes = centre.maps.slice(ndarray::s![.., r, c]).into_iter();
                let lanes = lanes.zip(other.maps.slice(ndarray::s![.., r, c]));
                let squared: f32 = lanes.map(|(a, b)| (a - b).powi(2)).sum::<f32>() / 2.0;
                near * (-0.5 * squared / TOLERANCE.powi(2)).exp()
            });
            for (mut sum, map) in sum.outer_iter_mut().zip(other.maps.outer_iter()) {
                Zip::from(&mut sum).and(&map).and(&weight).for_each(|sum, &m, &w| *sum += w * m);
            }
            weights += &weight;
        }
    }
    sum.outer_iter_mut().for_each(|mut map| map /= &weights);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Membership in the first of two patterns along a line whose boundary is at `front`.
    fn frame(front: f64) -> Array3<f32> {
        Array3::from_shape_fn((2, 1, 60), |(k, _, c)| {
            let first = 1.0 / (1.0 + ((c as f64 - front) / 2.0).exp());
            (if k == 0 { first } else { 1.0 - first }) as f32
        })
    }

    /// Where the first pattern ends.
    fn front(maps: &Array3<f32>) -> f64 {
        let line = maps.slice(ndarray::s![0, 0, ..]);
        let c = line.iter().position(|&m| m < 0.5).unwrap();
        let (before, after) = (f64::from(line[c - 1]), f64::from(line[c]));
        c as f64 - 1.0 + (before - 0.5) / (before - after)
    }

    fn average(
        frames: &[Array3<f32>],
        centre: usize,
        seen: &[Array2<bool>],
        sigma: f64,
    ) -> Array3<f32> {
        let site = |n: usize| Sites { maps: frames[n].view(), seen: seen[n].view() };
        let half = reach(sigma).min(centre).min(frames.len() - 1 - centre);
        let pair = |distance| Pair {
            distance,
            before: site(centre - distance),
            after: site(centre + distance),
        };
        let pairs: Vec<_> = (1..=half).map(pair).collect();
        averaged(site(centre), &pairs, sigma)
    }

    #[test]
    fn a_steady_boundary_stays_where_it_is_at_the_ends_too() {
        let frames: Vec<_> = (0..9).map(|t| frame(20.0 + 1.5 * f64::from(t))).collect();
        let seen = vec![Array2::from_elem((1, 60), true); 9];
        for centre in 0..9 {
            let found = front(&average(&frames, centre, &seen, 2.0));
            assert!((found - (20.0 + 1.5 * centre as f64)).abs() < 0.02, "{centre}: {found}");
        }
    }

    #[test]
    fn what_jumps_jumps_in_its_frame_and_noise_shrinks() {
        let seen = vec![Array2::from_elem((1, 60), true); 9];
        let jump: Vec<_> = (0..9).map(|t| frame(if t < 4 { 20.0 } else { 40.0 })).collect();
        for centre in 0..9 {
            let found = front(&average(&jump, centre, &seen, 1.5));
            let expected = if centre < 4 { 20.0 } else { 40.0 };
            // Where the boundary is soft, two sites to both sides, the frames are alike.
            assert!((found - expected).abs() < 0.5, "{centre}: {found}");
        }
        let shake = |t: usize| if t.is_multiple_of(2) { 0.5 } else { -0.5 };
        let shaken: Vec<_> = (0..9).map(|t| frame(30.0 + shake(t))).collect();
        let found = front(&average(&shaken, 4, &seen, 1.5));
        assert!((found - 30.0).abs() < 0.2, "{found}");
    }

    #[test]
    fn frames_that_do_not_see_a_site_do_not_count_there() {
        let frames: Vec<_> = [20.0, 20.0, 22.0].map(frame).into();
        let mut seen = vec![Array2::from_elem((1, 60), true); 3];
        seen[2].slice_mut(ndarray::s![.., 10..]).fill(false);
        let averaged = average(&frames, 1, &seen, 1.0);
        for c in 10..60 {
            assert_eq!(averaged[(0, 0, c)], frames[1][(0, 0, c)]);
        }
    }
}
