//! Patterns by splitting: what is one crystal, and what is two, decided region by region.
//!
//! The whole image is one region at first. Of each region factors are made anew
//! (`region.rs`): what varies most over it for what varies from site to site, under two
//! regularisers, of all families together and of those that are looked at alone. Each factor
//! cuts the region in two ([`levels`]); how clearly is one number, high only
//! where two levels lie far apart, step from one to the other at the boundary, and both fill
//! regions that are deep. The region that is cut most clearly is split (`refine.rs` draws the
//! boundary), and so on, until no cut is clear enough: that many patterns there are. Nothing is
//! random.
//!
//! One crystal that bends, strains, drifts or gets thicker has factors that vary a lot, but none
//! with two levels; a weak difference inside one of two phases shows in the factors of that
//! phase, whatever the other does.

mod field;
mod marked;
mod moire;
mod refine;
mod region;

use ndarray::{Array2, Zip};
use rayon::prelude::*;
use serde::Serialize;

use crate::Result;
use crate::cluster::levels::{self, CORE_SITES, Division, Levels, Strips};
use crate::progress::Progress;
pub(crate) use field::{Field, Part};
pub(crate) use refine::OUTSIDE;
pub(crate) use refine::Refined;
use region::Sums;

/// Strength of a cut from which on it parts two crystals, where their number is chosen. On
/// simulated scenes of one crystal the strongest has 2.3, on those of more the weakest between two
/// of them 3.6; see `ACCURACY.md`.
pub const CLEAR: f64 = 2.35;
/// Strength below which a cut is not made even where a number of patterns is asked for.
pub(crate) const LEAST: f64 = 0.5;
/// Sites of a region that can be cut, at least: two cores, and as much around them.
const LEAST_SITES: usize = 4 * CORE_SITES;
/// Rounds of refining, of two patterns inside a region and of all together.
const ROUNDS: usize = 2;
const ROUNDS_OF_ALL: usize = 3;

/// A cut of a region in two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Split {
    /// What the two sides are like.
    #[serde(flatten)]
    pub levels: Levels,
    /// How clear it is: [`Levels::strength`].
    pub strength: f64,
    /// Share of the image's sites that the region had, 0 to 1.
    pub share: f64,
}

impl Split {
    /// Of a region with this share of the image's sites, whose sides are like that.
    pub fn new(levels: Levels, share: f64, strips: Strips) -> Self {
        Self { levels, strength: levels.strength(strips), share }
    }
}

/// The regions of an image as they are split one after the other.
pub(crate) struct Tree<'a> {
    field: &'a Field,
    strips: Strips,
    /// Sums over the whole image.
    whole: Option<Sums>,
    /// Region of each site, [`OUTSIDE`] where it takes no part.
    labels: Array2<u16>,
    /// The clearest cut of each region; none where there is none at all.
    cuts: Vec<Option<Cut>>,
    /// The splits that were made, and the regions before the first and after each.
    pub(crate) splits: Vec<Split>,
    /// The region that each of them split.
    parents: Vec<usize>,
    steps: Vec<Array2<u16>>,
}

struct Cut {
    split: Split,
    /// The sites of one side.
    side: Array2<bool>,
}

impl<'a> Tree<'a> {
    /// One region.
    pub(crate) fn new(field: &'a Field, strips: Strips) -> Self {
        let mut this = Self::uncut(field, strips);
        let cut = this.whole.as_ref().and_then(|sums| this.cut(&field.present, sums));
        this.cuts.push(cut);
        this
    }

    /// One region, which is not looked at for cuts.
    pub(crate) fn uncut(field: &'a Field, strips: Strips) -> Self {
        let labels = field.present.mapv(|present| if present { 0 } else { OUTSIDE });
        let steps = vec![labels.clone()];
        let whole = Sums::of(field, &field.present);
        Self {
            field,
            strips,
            whole,
            labels,
            cuts: Vec::new(),
            splits: Vec::new(),
            parents: Vec::new(),
            steps,
        }
    }

    /// The clearest cut that can be made next.
    pub(crate) fn next(&self) -> Option<Split> {
        self.clearest().map(|(_, cut)| cut.split)
    }

    /// Splits until there are `most` regions or no cut has this strength.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub(crate) fn grow(&mut self, most: usize, least: f64, progress: &dyn Progress) -> Result<()> {
        while self.cuts.len() < most {
            progress.check()?;
            let Some((region, cut)) = self.clearest() else { break };
            if cut.split.strength < least {
                break;
            }
            let (split, side) = (cut.split, cut.side.clone());
            let new = self.cuts.len() as u16;
            self.labels.zip_mut_with(&side, |label, &side| {
                if side {
                    *label = new;
                }
            });
            self.splits.push(split);
            self.parents.push(region);
            self.steps.push(self.labels.clone());
            self.cuts[region] = self.cut_of(region as u16);
            self.cuts.push(self.cut_of(new));
        }
        Ok(())
    }

    /// The regions as this number of patterns, one more than splits that were made; nothing where there
    /// are not as many.
    pub(crate) fn patterns(&self, patterns: usize) -> Option<Refined> {
        let labels = self.steps.get(patterns - 1).filter(|_| patterns > 1)?;
        let sums = self.whole.as_ref()?;
        refine::refined(self.field, sums, labels.clone(), (patterns, ROUNDS_OF_ALL), &[])
    }

    /// Strength of the cut between each two of this number of patterns, `[k, k]`, infinite on the
    /// diagonal.
    pub(crate) fn clarities(&self, patterns: usize) -> Array2<f64> {
        clarities(&self.splits, &self.parents, patterns)
    }

    /// So many combinations of components that vary most over the whole image for what varies
    /// from site to site, `[f, p]`; nothing where no two sites are a period apart, or nothing
    /// varies.
    pub(crate) fn factors(&self, count: usize) -> Option<Array2<f64>> {
        let parts: Vec<&Part> = self.field.parts.iter().collect();
        let factors = self.whole.as_ref()?.usual_factors(&parts, count)?;
        let dim = (factors.ncols(), factors.nrows());
        Some(Array2::from_shape_fn(dim, |(f, i)| factors[(i, f)]))
    }

    /// How much each of the combinations `along` `[f, p]` of components varies over the whole image
    /// for what it differs by from site to site.
    pub(crate) fn variations(&self, along: &Array2<f64>) -> Vec<f64> {
        let of = |row| self.whole.as_ref().map_or(0.0, |whole| whole.variation(row));
        along.outer_iter().map(of).collect()
    }

    /// The region with the clearest cut, the first of equals.
    fn clearest(&self) -> Option<(usize, &Cut)> {
        let cuts = self.cuts.iter().enumerate().filter_map(|(i, cut)| Some((i, cut.as_ref()?)));
        cuts.rev().max_by(|a, b| a.1.split.strength.total_cmp(&b.1.split.strength))
    }

    /// The clearest cut of a region.
    fn cut_of(&self, region: u16) -> Option<Cut> {
        let own = self.labels.mapv(|label| label == region);
        self.cut(&own, &Sums::of(self.field, &own)?)
    }

    /// The clearest cut through the sites of `own`, which have these `sums`.
    fn cut(&self, own: &Array2<bool>, sums: &Sums) -> Option<Cut> {
        let field = self.field;
        let cells: Vec<usize> =
            own.iter().enumerate().filter(|(_, own)| **own).map(|(cell, _)| cell).collect();
        if cells.len() < LEAST_SITES {
            return None;
        }
        let all: Vec<&Part> = field.parts.iter().collect();
        let mut views = vec![all.clone()];
        if all.len() > 1 {
            views.extend(all.iter().filter(|part| part.alone).map(|part| vec![*part]));
        }
        let factors: Vec<_> = views.par_iter().map(|parts| sums.factors(parts)).collect();
        let factors = factors.concat();
        let columns: usize = factors.iter().map(|factors| factors.ncols()).sum();
        let mut map = Array2::<f32>::zeros((field.values.ncols(), columns));
        let all = factors.iter().flat_map(|factors| factors.col_iter());
        for (mut to, factor) in map.columns_mut().into_iter().zip(all) {
            to.iter_mut().zip(factor.iter()).for_each(|(to, &v)| *to = v as f32);
        }
        let values = field.along(&cells, &map);
        let feature = |f: usize| {
            let mut feature = Array2::zeros(field.dim());
            let to = feature.as_slice_mut().expect("a new array");
            cells.iter().zip(values.column(f)).for_each(|(&cell, &value)| to[cell] = value);
            feature
        };
        let divided = |feature: &_| levels::division(feature, own, field.scale() as f64);
        let mut divisions: Vec<Option<Division>> =
            (0..columns).into_par_iter().map(|f| divided(&feature(f))).collect();
        let best = self.best_without_moire(&mut divisions, |f| {
            Some(divided(&field.without_moire(&feature(f), own)?))
        })?;
        let all = field.present.iter().filter(|&&present| present).count();
        let split = Split::new(best.levels, cells.len() as f64 / all.max(1) as f64, self.strips);
        let side = self.drawn(sums, own, best.high);
        Some(Cut { split, side })
    }

    /// The clearest of `divisions`, the first of equals, after what `still` makes of that feature without
    /// moire has taken the place of each that would be it; nothing where it has none.
    fn best_without_moire(
        &self,
        divisions: &mut [Option<Division>],
        still: impl Fn(usize) -> Option<Option<Division>>,
    ) -> Option<Division> {
        let mut known = vec![false; divisions.len()];
        loop {
            let strengths = divisions.iter().enumerate().filter_map(|(f, division)| {
                Some((f, division.as_ref()?.levels.strength(self.strips)))
            });
            let (f, strength) = strengths.rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
            if strength >= LEAST
                && !std::mem::replace(&mut known[f], true)
                && let Some(division) = still(f)
            {
                divisions[f] = division;
                continue;
            }
            return divisions[f].take();
        }
    }

    /// One side of a cut, its boundary drawn anew in all families.
    fn drawn(&self, sums: &Sums, own: &Array2<bool>, high: Array2<bool>) -> Array2<bool> {
        let label = |own: bool, high: bool| if own { u16::from(high) } else { OUTSIDE };
        let labels = Zip::from(own).and(&high).map_collect(|&own, &high| label(own, high));
        let refined = refine::refined(self.field, sums, labels, (2, ROUNDS), &[]);
        let side = refined.map(|refined| refined.labels.mapv(|label| label == 1));
        let size = |side: &Array2<bool>| side.iter().filter(|&&side| side).count();
        let all = size(own);
        side.filter(|side| size(side).min(all - size(side)) >= CORE_SITES).unwrap_or(high)
    }
}

/// Strength of the cut between each two of this number of patterns, where the region of one of the
/// `parents` is what each of the `splits` makes another one from.
fn clarities(splits: &[Split], parents: &[usize], patterns: usize) -> Array2<f64> {
    let mut between = Array2::from_elem((patterns, patterns), f64::INFINITY);
    for (new, (split, &parent)) in (1..patterns).zip(splits.iter().zip(parents)) {
        for other in 0..new {
            // What was cut off earlier lies as far from the one part as from the other.
            let clarity = if other == parent { split.strength } else { between[(parent, other)] };
            between[(new, other)] = clarity;
            between[(other, new)] = clarity;
        }
    }
    between
}

/// Most regions that are made where their number is chosen and may be `wanted`: no more than have
/// cores, and 0 where there are too few `sites` for any cut.
pub(crate) fn most(sites: usize, wanted: usize) -> usize {
    match sites < LEAST_SITES {
        true => 0,
        false => wanted.min(sites / CORE_SITES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_lie_as_far_apart_as_the_cut_between_them_is_clear() {
        let split = |separation: f64| {
            let levels = Levels { separation, step: 1.0, depth: 1.0, trend: 0.0 };
            Split::new(levels, 1.0, Strips::Doubted)
        };
        // 0 becomes 0 and 1, 1 becomes 1 and 2, 0 becomes 0 and 3.
        let found = clarities(&[split(9.0), split(4.0), split(2.0)], &[0, 1, 0], 4);
        for (pair, clarity) in [
            ((0, 1), 9.0),
            ((0, 2), 9.0),
            ((1, 2), 4.0),
            ((0, 3), 2.0),
            ((1, 3), 9.0),
            ((2, 3), 9.0),
            ((3, 3), f64::INFINITY),
        ] {
            assert_eq!((found[pair], found[(pair.1, pair.0)]), (clarity, clarity), "{pair:?}");
        }
    }
}
