//! Sums of products over a tile's patches, one stage each; see the module above
//! for the way they fit together.

use num_traits::Float;
use pulp::Simd;

use super::GROUP;
use crate::sites::Extent;

/// Loops run over whole vectors of the widest instruction set.
pub(super) const LANES: usize = 16;

/// Registers along a row that are summed together, so that finding where their
/// pixels stand does not cost more than they do.
const MANY: usize = 2;

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

/// Sums over the first rows of a block, and over all of them, for `W` registers.
type Rows<F, S, const W: usize> = ([<F as Sum>::Vector<S>; W], [<F as Sum>::Vector<S>; W]);

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
    fn push<S: Simd, const W: usize>(
        &mut self,
        simd: S,
        (block, whole): (usize, usize),
        at: usize,
        (top, all): Rows<F, S, W>,
    ) {
        let out = vectors_mut::<F, S, W>(&mut self.out, at);
        if whole == 0 {
            *out = top;
            return;
        }
        let slot = block % whole * self.running.len() + at;
        let running = vectors_mut::<F, S, W>(&mut self.running, at);
        let ring = vectors_mut::<F, S, W>(&mut self.ring, slot);
        for w in 0..W {
            out[w] = F::plus(simd, running[w], top[w]);
            let leaving = if block < whole { F::splat(simd, F::zero()) } else { ring[w] };
            running[w] = F::plus(simd, running[w], F::minus(simd, all[w], leaving));
        }
        *ring = all;
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
    pub(super) fn push<S: Simd, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
        region: &Region<F>,
        starts: (usize, usize),
    ) {
        let many = MANY * lanes::<F, S>();
        let mut at = 0;
        while at < self.blocks {
            if self.blocks - at >= many {
                self.push_at::<S, T, MANY>(simd, block, region, starts, at);
                at += many;
            } else {
                self.push_at::<S, T, 1>(simd, block, region, starts, at);
                at += lanes::<F, S>();
            }
        }
    }

    /// Takes in `W` registers of it, from column `at` on.
    #[inline(always)]
    fn push_at<S: Simd, const T: usize, const W: usize>(
        &mut self,
        simd: S,
        block: usize,
        region: &Region<F>,
        starts: (usize, usize),
        at: usize,
    ) {
        let (rows, cols) = (self.rows, self.cols);
        let used = Cut { rest: rows.rest, whole: rows.used(self.stride) };
        let starts = (starts.0 + at, starts.1 + at);
        let there: [&[usize]; T] = std::array::from_fn(|t| &self.there[t][..]);
        let (edge, others) = (0..cols.rest, cols.rest..self.stride);
        let edge = (&self.here[edge.clone()], there.map(|t| &t[edge.clone()]));
        let others = (&self.here[others.clone()], there.map(|t| &t[others.clone()]));
        let place = (block, rows.whole);
        let (mut top, mut all) = products::<F, S, T, W>(simd, region, starts, edge, used);
        if cols.rest > 0 {
            for t in 0..T {
                self.vertical[t].edge.push(simd, place, at, (top[t], all[t]));
            }
        }
        if cols.whole > 0 {
            let others = products::<F, S, T, W>(simd, region, starts, others, used);
            for t in 0..T {
                for w in 0..W {
                    top[t][w] = F::plus(simd, top[t][w], others.0[t][w]);
                    all[t][w] = F::plus(simd, all[t][w], others.1[t][w]);
                }
            }
        }
        for t in 0..T {
            self.vertical[t].full.push(simd, place, at, (top[t], all[t]));
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

/// Sums over the phases of `offsets` and over the first `rows.rest` rows of a
/// block, and over its first `rows.whole`, for `W` registers of blocks.
type Products<F, S, const T: usize, const W: usize> =
    ([[<F as Sum>::Vector<S>; W]; T], [[<F as Sum>::Vector<S>; W]; T]);

/// Sums of products of the pixels from `here` on with those from each of `there`
/// on, phases `offsets` of rows that begin at `starts`.
#[inline(always)]
fn products<F: Sum, S: Simd, const T: usize, const W: usize>(
    simd: S,
    region: &Region<F>,
    (mut here, mut there): (usize, usize),
    offsets: (&[usize], [&[usize]; T]),
    rows: Cut,
) -> Products<F, S, T, W> {
    let mut sums = [[F::splat(simd, F::zero()); W]; T];
    let mut top = sums;
    for row in 0..rows.whole {
        if row == rows.rest {
            top = sums;
        }
        for (q, &offset) in offsets.0.iter().enumerate() {
            let a = vectors::<F, S, W>(&region.values, here + offset);
            for (sums, offsets) in sums.iter_mut().zip(offsets.1) {
                let b = vectors::<F, S, W>(&region.values, there + offsets[q]);
                for w in 0..W {
                    sums[w] = F::plus_product(simd, sums[w], a[w], b[w]);
                }
            }
        }
        (here, there) = (here + region.line, there + region.line);
    }
    if rows.whole == rows.rest {
        top = sums;
    }
    (top, sums)
}

/// Values of a register.
const fn lanes<F: Sum, S: Simd>() -> usize {
    size_of::<F::Vector<S>>() / size_of::<F>()
}

/// The `W` registers from `at` on.
#[inline(always)]
fn vectors<F: Sum, S: Simd, const W: usize>(values: &[F], at: usize) -> &[F::Vector<S>; W] {
    let values = &values[at..][..W * lanes::<F, S>()];
    F::vectors::<S>(values).first_chunk().expect("as many values as make the registers")
}

#[inline(always)]
fn vectors_mut<F: Sum, S: Simd, const W: usize>(
    values: &mut [F],
    at: usize,
) -> &mut [F::Vector<S>; W] {
    let values = &mut values[at..][..W * lanes::<F, S>()];
    F::vectors_mut::<S>(values).first_chunk_mut().expect("as many values as make the registers")
}

/// A precision for sums, and its registers.
pub(super) trait Sum: Float + Default + Send + Sync {
    type Vector<S: Simd>: Copy;

    fn from_f32(v: f32) -> Self;
    fn into_f32(self) -> f32;

    /// Whole registers of `values`.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];

    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `sum + a b`, rounded once where the instruction set can.
    fn plus_product<S: Simd>(
        simd: S,
        sum: Self::Vector<S>,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Vector<S>;
}

/// Implements [`Sum`] with the operations that `pulp` has for a type.
macro_rules! sum {
    ($float:ty, $vector:ident, $as:ident, $as_mut:ident, $splat:ident, $add:ident, $sub:ident, $mul_add:ident) => {
        impl Sum for $float {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn from_f32(v: f32) -> Self {
                v.into()
            }

            #[inline(always)]
            fn into_f32(self) -> f32 {
                self as f32
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$as(values).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$as_mut(values).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }

            #[inline(always)]
            fn plus_product<S: Simd>(
                simd: S,
                sum: S::$vector,
                a: S::$vector,
                b: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, sum)
            }
        }
    };
}

sum!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, add_f32s, sub_f32s, mul_add_e_f32s);
sum!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, add_f64s, sub_f64s, mul_add_e_f64s);
