//! Sums of products over a tile's patches, one stage each; see the module above
//! for the way they fit together.

use num_traits::Float;

use super::GROUP;
use crate::sites::Extent;

/// Loops run over whole vectors of the widest instruction set.
pub(super) const LANES: usize = 16;

/// Values of neighbouring sites.
type Vector<F> = [F; LANES];

/// A patch's extent along one axis in blocks of one stride.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    whole: usize,
    rest: usize,
}

impl Cut {
    fn new(length: usize, stride: usize) -> Self {
        Self { whole: length / stride, rest: length % stride }
    }

    /// Pixels of a block that count for anything.
    fn used(self, stride: usize) -> usize {
        if self.whole == 0 { self.rest } else { stride }
    }
}

/// A tile's pixels minus its constant, `[row][stride phase][block]`.
#[derive(Debug, Default)]
pub(super) struct Region<F> {
    pub(super) values: Vec<F>,
    /// Values from one phase to the next, and from one row to the next.
    pub(super) pitch: usize,
    pub(super) line: usize,
}

/// Sums of products for up to [`GROUP`] translations at once.
#[derive(Debug, Default)]
pub(super) struct Sums<F> {
    stride: usize,
    /// The patch.
    rows: Cut,
    cols: Cut,
    /// Blocks along a row that are computed, whole vectors.
    blocks: usize,
    /// Where the first block of a row begins, for each phase: in the site's patch
    /// and in the translated ones.
    here: Vec<usize>,
    there: [Vec<usize>; GROUP],
    vertical: [Vertical<F>; GROUP],
    /// Sums over 1, 2, 4, ... blocks along the row, and the next of them.
    doubled: Vec<F>,
    spare: Vec<F>,
    /// Sums over the whole patch, per site.
    total: Vec<F>,
}

/// Sums down the rows of one translation, per block.
#[derive(Debug, Default)]
struct Vertical<F> {
    /// Over all columns of a block.
    full: Slide<F>,
    /// Over the first columns of a block, with which the patch ends.
    edge: Slide<F>,
}

/// A running sum of blocks down the rows.
#[derive(Debug, Default)]
struct Slide<F> {
    /// The last `whole` blocks, `[block][column]`.
    ring: Vec<F>,
    /// Their sum.
    running: Vec<F>,
    /// Sum over all rows of the patch.
    out: Vec<F>,
}

impl<F: Sum> Slide<F> {
    fn reset(&mut self, whole: usize, blocks: usize, pad: usize) {
        self.ring.resize(whole * blocks, F::zero());
        self.running.clear();
        self.running.resize(blocks, F::zero());
        self.out.resize(blocks + pad, F::zero());
    }

    /// Takes in the sums of `block` at columns `at`: over its first rows, with
    /// which a patch ends, and over all of them.
    #[inline(always)]
    fn push(&mut self, block: usize, whole: usize, at: usize, top: Vector<F>, all: Vector<F>) {
        if whole == 0 {
            *vector_mut(&mut self.out, at) = top;
            return;
        }
        let slot = block % whole * self.running.len() + at;
        let running = *vector(&self.running, at);
        *vector_mut(&mut self.out, at) = add(running, top);
        let leaving = match block < whole {
            true => [F::zero(); LANES],
            false => *vector(&self.ring, slot),
        };
        let change = std::array::from_fn(|lane| all[lane] - leaving[lane]);
        *vector_mut(&mut self.running, at) = add(running, change);
        *vector_mut(&mut self.ring, slot) = all;
    }
}

impl<F: Sum> Sums<F> {
    /// Makes room for `blocks` along a row and starts afresh, for patches of
    /// `full` px.
    pub(super) fn reset(&mut self, stride: usize, full: Extent, blocks: usize) {
        let cut = |length| Cut::new(length, stride);
        let (rows, cols) = (cut(full.rows), cut(full.cols));
        (self.stride, self.rows, self.cols, self.blocks) = (stride, rows, cols, blocks);
        // Loops read up to a window beyond the last block that counts.
        let pad = (cols.whole + 1).next_multiple_of(LANES);
        for vertical in &mut self.vertical {
            vertical.full.reset(rows.whole, blocks, pad);
            vertical.edge.reset(rows.whole, blocks, pad);
        }
        for buffer in [&mut self.doubled, &mut self.spare] {
            buffer.resize(blocks + pad, F::zero());
        }
        self.total.resize(blocks, F::zero());
    }

    /// Says where rows begin: the first site's patch at column `origin` of
    /// `region`, the translated ones `shifts` columns from there.
    pub(super) fn place(&mut self, region: &Region<F>, origin: usize, shifts: &[isize]) {
        let offset = |col: usize| col % self.stride * region.pitch + col / self.stride;
        let row = |col: usize| (col..col + self.stride).map(offset);
        self.here.clear();
        self.here.extend(row(origin));
        for (there, &shift) in self.there.iter_mut().zip(shifts) {
            there.clear();
            there.extend(row(origin.wrapping_add_signed(shift)));
        }
    }

    /// Takes in row block `block` of `T` translations; `starts` says where its
    /// rows begin, for the site's patch and for the translated ones.
    #[inline(always)]
    pub(super) fn push<const T: usize, const FUSED: bool>(
        &mut self,
        block: usize,
        region: &Region<F>,
        starts: (usize, usize),
    ) {
        let (rows, cols) = (self.rows, self.cols);
        let used = Cut { rest: rows.rest, whole: rows.used(self.stride) };
        let there: [&[usize]; T] = std::array::from_fn(|t| &self.there[t][..]);
        let (edge, others) = (0..cols.rest, cols.rest..self.stride);
        let edge = (&self.here[edge.clone()], there.map(|t| &t[edge.clone()]));
        let others = (&self.here[others.clone()], there.map(|t| &t[others.clone()]));
        for at in (0..self.blocks).step_by(LANES) {
            let (edge_top, edge_all) = products::<F, T, FUSED>(region, starts, edge, at, used);
            let (mut top, mut all) = (edge_top, edge_all);
            if cols.whole > 0 {
                let others = products::<F, T, FUSED>(region, starts, others, at, used);
                for t in 0..T {
                    top[t] = add(top[t], others.0[t]);
                    all[t] = add(all[t], others.1[t]);
                }
            }
            for t in 0..T {
                let vertical = &mut self.vertical[t];
                vertical.full.push(block, rows.whole, at, top[t], all[t]);
                if cols.rest > 0 {
                    vertical.edge.push(block, rows.whole, at, edge_top[t], edge_all[t]);
                }
            }
        }
    }

    /// Sums over the whole patch for the sites of the row whose last block was
    /// pushed last.
    #[inline(always)]
    pub(super) fn windows(&mut self, t: usize) -> &[F] {
        let Cut { whole, rest } = self.cols;
        let Vertical { full, edge } = &self.vertical[t];
        let Self { doubled, spare, total, blocks, .. } = self;
        let blocks = *blocks;
        // A window ends with the first columns of the block after it.
        match rest {
            0 => total.fill(F::zero()),
            _ => total.copy_from_slice(&edge.out[whole..whole + blocks]),
        }
        let (mut span, mut offset) = (1, 0);
        while span <= whole {
            let source = if span == 1 { &full.out } else { &*doubled };
            if whole & span != 0 {
                let parts = &source[offset..offset + blocks];
                total.iter_mut().zip(parts).for_each(|(sum, &part)| *sum = *sum + part);
                offset += span;
            }
            if 2 * span <= whole {
                let pairs = source[..blocks].iter().zip(&source[span..span + blocks]);
                spare[..blocks].iter_mut().zip(pairs).for_each(|(next, (&a, &b))| *next = a + b);
                std::mem::swap(doubled, spare);
            }
            span *= 2;
        }
        total
    }
}

/// Sums of products over the first `rows.rest` rows of a block and over its first
/// `rows.whole`, for a vector of blocks from `at` on, over the phases of `offsets`.
#[inline(always)]
fn products<F: Sum, const T: usize, const FUSED: bool>(
    region: &Region<F>,
    (here_row, there_row): (usize, usize),
    (here, there): (&[usize], [&[usize]; T]),
    at: usize,
    rows: Cut,
) -> ([Vector<F>; T], [Vector<F>; T]) {
    let mut sums = [[F::zero(); LANES]; T];
    let (mut a, mut b) = (here_row + at, there_row + at);
    for _ in 0..rows.rest {
        add_row::<F, T, FUSED>(&region.values, (a, b), (here, there), &mut sums);
        (a, b) = (a + region.line, b + region.line);
    }
    let top = sums;
    for _ in rows.rest..rows.whole {
        add_row::<F, T, FUSED>(&region.values, (a, b), (here, there), &mut sums);
        (a, b) = (a + region.line, b + region.line);
    }
    (top, sums)
}

/// Adds the products of one row of pixels.
#[inline(always)]
fn add_row<F: Sum, const T: usize, const FUSED: bool>(
    values: &[F],
    (here_row, there_row): (usize, usize),
    (here, there): (&[usize], [&[usize]; T]),
    sums: &mut [Vector<F>; T],
) {
    for (q, &offset) in here.iter().enumerate() {
        let a = vector(values, here_row + offset);
        for t in 0..T {
            let b = vector(values, there_row + there[t][q]);
            for lane in 0..LANES {
                sums[t][lane] = F::fma::<FUSED>(a[lane], b[lane], sums[t][lane]);
            }
        }
    }
}

#[inline(always)]
fn add<F: Sum>(a: Vector<F>, b: Vector<F>) -> Vector<F> {
    std::array::from_fn(|lane| a[lane] + b[lane])
}

/// The vector from `at` on.
#[inline(always)]
fn vector<F>(values: &[F], at: usize) -> &Vector<F> {
    values[at..].first_chunk().expect("buffers end with whole vectors")
}

#[inline(always)]
fn vector_mut<F>(values: &mut [F], at: usize) -> &mut Vector<F> {
    values[at..].first_chunk_mut().expect("buffers end with whole vectors")
}

/// A precision for sums.
pub(super) trait Sum: Float + Default + Send + Sync {
    fn from_f32(v: f32) -> Self;
    fn into_f32(self) -> f32;

    /// `a b + c`, rounded once if `FUSED`: for instruction sets that have it.
    #[inline(always)]
    fn fma<const FUSED: bool>(a: Self, b: Self, c: Self) -> Self {
        if FUSED { a.mul_add(b, c) } else { a * b + c }
    }
}

impl Sum for f32 {
    #[inline(always)]
    fn from_f32(v: f32) -> Self {
        v
    }

    #[inline(always)]
    fn into_f32(self) -> f32 {
        self
    }
}

impl Sum for f64 {
    #[inline(always)]
    fn from_f32(v: f32) -> Self {
        v.into()
    }

    #[inline(always)]
    fn into_f32(self) -> f32 {
        self as f32
    }
}
