//! Sums of products over a tile's patches, one loop each; see the module above
//! for the way they fit together.

use num_traits::Float;

/// Loops run over whole vectors of the widest instruction set.
pub(super) const LANES: usize = 16;

/// Buffers for sums of one precision; "columns" are `[stride phase][block]`.
#[derive(Default)]
pub(super) struct Sums<F> {
    /// The tile's pixels minus its constant, `[row][stride phase][block]`.
    pub(super) region: Vec<F>,
    /// Sums over the rows of the last `whole` blocks, `[block][columns]`.
    pub(super) ring: Vec<F>,
    /// Sum over the rows of those blocks, per column.
    pub(super) running: Vec<F>,
    /// Sum over the first `rest` rows of the newest block, per column.
    pub(super) partial: Vec<F>,
    /// Sum over all rows of the newest block, per column.
    pub(super) newest: Vec<F>,
    /// Sums over 1, 2, 4, ... blocks along the row, and the next of them.
    pub(super) doubled: Vec<F>,
    pub(super) spare: Vec<F>,
    /// Sums over the whole patch, per site.
    pub(super) total: Vec<F>,
}

/// A patch's extent along one axis in blocks of one stride.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) whole: usize,
    pub(super) rest: usize,
}

/// Sizes of one tile's buffers.
pub(super) struct Layout {
    pub(super) rows: Cut,
    pub(super) cols: Cut,
    /// Blocks along a row that are computed, whole vectors.
    pub(super) blocks: usize,
    /// Blocks along a row of the region, and values in a row of it.
    pub(super) pitch: usize,
    pub(super) line: usize,
}

/// Sums of products down the rows of a block.
pub(super) struct RowSums {
    /// Rows of which a partial sum is taken, and all rows.
    pub(super) rest: usize,
    pub(super) rows: usize,
    /// Values from one row to the next.
    pub(super) line: usize,
}

impl RowSums {
    /// Sums of `V` vectors of columns from `at` on, in registers.
    #[inline(always)]
    pub(super) fn sum<F: Sum, const V: usize>(
        &self,
        a: &[F],
        b: &[F],
        at: usize,
        partial: &mut [F],
        newest: &mut [F],
    ) {
        let mut sums = [[F::zero(); LANES]; V];
        for row in 0..self.rest {
            add_products(
                &mut sums,
                vectors(a, row * self.line + at),
                vectors(b, row * self.line + at),
            );
        }
        *vectors_mut(partial, at) = sums;
        for row in self.rest..self.rows {
            add_products(
                &mut sums,
                vectors(a, row * self.line + at),
                vectors(b, row * self.line + at),
            );
        }
        *vectors_mut(newest, at) = sums;
    }
}

#[inline(always)]
fn add_products<F: Sum, const V: usize>(
    sums: &mut [[F; LANES]; V],
    a: &[[F; LANES]; V],
    b: &[[F; LANES]; V],
) {
    for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
        for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
            *sum = *sum + a * b;
        }
    }
}

/// The `V` vectors from `at` on; buffers are whole vectors.
#[inline(always)]
fn vectors<F, const V: usize>(values: &[F], at: usize) -> &[[F; LANES]; V] {
    values[at..at + V * LANES].as_chunks().0.as_array().expect("V chunks")
}

#[inline(always)]
fn vectors_mut<F, const V: usize>(values: &mut [F], at: usize) -> &mut [[F; LANES]; V] {
    values[at..at + V * LANES].as_chunks_mut().0.as_mut_array().expect("V chunks")
}

/// Where column `col` stands in a row stored by stride phase.
#[inline(always)]
pub(super) fn position(col: usize, stride: usize, pitch: usize) -> usize {
    col % stride * pitch + col / stride
}

impl<F: Sum> Sums<F> {
    pub(super) fn resize(&mut self, layout: &Layout, stride: usize) {
        let columns = stride * layout.blocks;
        for buffer in [&mut self.running, &mut self.partial, &mut self.newest] {
            buffer.resize(columns, F::zero());
        }
        self.ring.resize(layout.rows.whole * columns, F::zero());
        self.total.resize(layout.blocks, F::zero());
        // Loops read up to a window beyond the last block that counts.
        for buffer in [&mut self.doubled, &mut self.spare] {
            buffer.resize(layout.blocks + layout.cols.whole, F::zero());
        }
    }

    /// Takes the newest block into the running sum, and the oldest out of it.
    #[inline(always)]
    pub(super) fn slide(&mut self, block: usize, whole: usize) {
        if whole == 0 {
            return;
        }
        let columns = self.running.len();
        let slot = block % whole * columns;
        let oldest = &mut self.ring[slot..slot + columns];
        if block < whole {
            for (sum, &new) in self.running.iter_mut().zip(&self.newest) {
                *sum = *sum + new;
            }
        } else {
            for ((sum, &new), &old) in self.running.iter_mut().zip(&self.newest).zip(oldest.iter())
            {
                *sum = *sum + (new - old);
            }
        }
        oldest.copy_from_slice(&self.newest);
    }
}

/// Sums over the patch for every site of the row, into `total`.
#[inline(always)]
pub(super) fn sum_windows<F: Sum>(layout: &Layout, stride: usize, sums: &mut Sums<F>) {
    let Sums { running, partial, doubled, spare, total, .. } = sums;
    let Cut { whole, rest } = layout.cols;
    let blocks = layout.blocks;
    for lane in (0..blocks).step_by(LANES) {
        let mut sum = [F::zero(); LANES];
        for q in 0..stride {
            if q == rest {
                *vectors_mut(spare, lane) = [sum];
            }
            let at = q * blocks + lane;
            let ([running], [partial]) = (vectors(running, at), vectors(partial, at));
            let columns = running.iter().zip(partial);
            sum.iter_mut().zip(columns).for_each(|(sum, (&a, &b))| *sum = *sum + (a + b));
        }
        *vectors_mut(doubled, lane) = [sum];
    }
    // The window begins with the first columns of the block after it.
    total.copy_from_slice(&spare[whole..whole + blocks]);
    let (mut span, mut offset) = (1, 0);
    while span <= whole {
        if whole & span != 0 {
            let parts = &doubled[offset..offset + blocks];
            total.iter_mut().zip(parts).for_each(|(sum, &part)| *sum = *sum + part);
            offset += span;
        }
        let pairs = doubled[..blocks].iter().zip(&doubled[span..span + blocks]);
        spare[..blocks].iter_mut().zip(pairs).for_each(|(next, (&a, &b))| *next = a + b);
        std::mem::swap(doubled, spare);
        span *= 2;
    }
}

/// A precision for sums.
pub(super) trait Sum: Float + Send + Sync {
    fn from_f32(v: f32) -> Self;
    fn into_f32(self) -> f32;
}

impl Sum for f32 {
    fn from_f32(v: f32) -> Self {
        v
    }

    fn into_f32(self) -> f32 {
        self
    }
}

impl Sum for f64 {
    fn from_f32(v: f32) -> Self {
        v.into()
    }

    fn into_f32(self) -> f32 {
        self as f32
    }
}
