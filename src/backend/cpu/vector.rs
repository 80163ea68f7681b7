//! Sixteen values side by side, and what kernels do with them.

/// Values of a vector.
pub(super) const LANES: usize = 16;

/// Values of neighbouring sites.
pub(super) type Vector = [f32; LANES];

/// A vector that fills a cache line: loads never straddle two.
#[derive(Debug, Default, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub(super) Vector);

impl std::ops::Deref for Line {
    type Target = Vector;

    #[inline(always)]
    fn deref(&self) -> &Vector {
        &self.0
    }
}

/// What `value` gives, lane by lane. It is always inlined: `std::array::from_fn` may
/// become a function of its own, which the caller's instruction set does not reach.
#[inline(always)]
pub(super) fn lanes<T: Copy + Default>(value: impl Fn(usize) -> T) -> [T; LANES] {
    let mut all = [T::default(); LANES];
    for (lane, one) in all.iter_mut().enumerate() {
        *one = value(lane);
    }
    all
}

/// `a b + c`, rounded once if `FUSED`: for instruction sets that have it.
#[inline(always)]
pub(super) fn fma<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The vector from `at` on; buffers end with whole vectors.
#[inline(always)]
pub(super) fn vector<T>(values: &[T], at: usize) -> &[T; LANES] {
    values[at..].first_chunk().expect("buffers end with whole vectors")
}

/// Products of `R` rows of `weights` (from row `first` on, each as long as the
/// columns) with `C` columns.
#[inline(always)]
fn products<const R: usize, const C: usize, const FUSED: bool>(
    weights: &[f32],
    first: usize,
    columns: [&[Line]; C],
) -> [[Vector; C]; R] {
    let n = columns[0].len();
    let columns: [&[Line]; C] = std::array::from_fn(|c| &columns[c][..n]);
    let rows: [&[f32]; R] = std::array::from_fn(|r| &weights[(first + r) * n..(first + r + 1) * n]);
    let mut sums = [[[0.0; LANES]; C]; R];
    for i in 0..n {
        for r in 0..R {
            let weight = rows[r][i];
            for c in 0..C {
                for lane in 0..LANES {
                    sums[r][c][lane] = fma::<FUSED>(weight, columns[c][i][lane], sums[r][c][lane]);
                }
            }
        }
    }
    sums
}

/// Products of all rows of `weights` with `columns`; `put` takes row and products.
#[inline(always)]
pub(super) fn matrix_products<const C: usize, const FUSED: bool>(
    weights: &[f32],
    rows: usize,
    columns: [&[Line]; C],
    mut put: impl FnMut(usize, [Vector; C]),
) {
    // As many rows at once that their sums stay in registers and do not wait for
    // each other.
    const MORE: usize = 3;
    let mut row = 0;
    while row < rows {
        match rows - row {
            MORE.. => {
                let sums = products::<MORE, C, FUSED>(weights, row, columns);
                sums.into_iter().enumerate().for_each(|(r, sum)| put(row + r, sum));
                row += MORE;
            }
            _ => {
                put(row, products::<1, C, FUSED>(weights, row, columns)[0]);
                row += 1;
            }
        }
    }
}

/// Natural logarithm of a finite value of at least 1, within 2 eps of itself or of
/// 1: the mantissa's by the series of `2 atanh((m - 1) / (m + 1))`.
#[inline(always)]
pub(super) fn ln(value: f32) -> f32 {
    // Mantissas from sqrt(1/2) to sqrt(2), where the series converges fast.
    let shifted = value.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits(value.to_bits().wrapping_sub((exponent as u32) << 23));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let series = 2.0 + s2 * (2.0 / 3.0 + s2 * (2.0 / 5.0 + s2 * (2.0 / 7.0 + s2 * (2.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        let mut value = 1.0_f32;
        while value < 1e38 {
            let (found, expected) = (f64::from(ln(value)), f64::from(value).ln());
            assert!((found - expected).abs() <= 2.4e-7 * expected.max(1.0), "{value}: {found}");
            value *= 1.003_7;
        }
    }

    #[test]
    fn products_are_those_of_the_matrix() {
        let columns: Vec<Line> = (0..5).map(|i| Line([i as f32 + 1.0; LANES])).collect();
        for rows in 0..20 {
            let weights: Vec<f32> = (0..rows * 5).map(|i| (i % 7) as f32).collect();
            let mut out = vec![[f32::NAN; LANES]; rows];
            matrix_products::<2, false>(&weights, rows, [&columns; 2], |row, [one, other]| {
                assert_eq!(one, other);
                out[row] = one;
            });
            for (r, out) in out.iter().enumerate() {
                let expected: f32 = (0..5).map(|i| weights[r * 5 + i] * (i as f32 + 1.0)).sum();
                assert_eq!(out, &[expected; LANES]);
            }
        }
    }
}
