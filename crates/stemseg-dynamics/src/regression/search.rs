//! Best subsets: all of up to four terms, and beyond by adding and exchanging.

use rayon::prelude::*;

use super::{Problem, explained};

/// Terms up to which all subsets are tried.
const EXHAUSTIVE: usize = 4;
/// Subsets tried at most of one size; above, sizes are built from the size before.
const MOST_SUBSETS: f64 = 600_000.0;
/// Subsets of a size that are kept.
const KEPT: usize = 200;
/// Subsets of a size from which the next is built.
const SEEDS: usize = 5;

/// The best subsets of one size, best first, by what they explain of all samples.
pub(crate) type Level = Vec<Vec<usize>>;

/// Best subsets of 1 to `most` terms.
pub(crate) fn levels(problem: &Problem, most: usize) -> Vec<Level> {
    let count = problem.terms.len();
    let mut levels: Vec<Level> = Vec::new();
    for size in 1..=most.min(count) {
        let level = match size <= EXHAUSTIVE && subsets(count, size) <= MOST_SUBSETS {
            true => all(problem, size),
            false => grown(problem, levels.last().map_or(&[][..], |level| level)),
        };
        if level.is_empty() {
            break;
        }
        levels.push(level);
    }
    levels
}

fn subsets(count: usize, size: usize) -> f64 {
    (0..size).map(|i| (count - i) as f64 / (i + 1) as f64).product()
}

type Scored = (f64, Vec<usize>);

/// The best of `scored`, in an order that depends on nothing else.
fn best(mut scored: Vec<Scored>) -> Level {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.truncate(KEPT);
    scored.into_iter().map(|(_, set)| set).collect()
}

fn score(problem: &Problem, set: Vec<usize>) -> Option<Scored> {
    Some((explained(&problem.total, &set)?, set))
}

/// All subsets of `size` terms.
fn all(problem: &Problem, size: usize) -> Level {
    let count = problem.terms.len();
    let from = |first: usize| {
        let mut scored = Vec::new();
        let mut set = vec![first];
        next(&mut set, size, count, &mut |set| scored.extend(score(problem, set.to_vec())));
        scored.sort_by(|a: &Scored, b| b.0.total_cmp(&a.0));
        scored.truncate(KEPT);
        scored
    };
    best((0..count).into_par_iter().flat_map_iter(from).collect())
}

/// Calls `visit` with all sorted sets of `size` that begin as `set` does.
fn next(set: &mut Vec<usize>, size: usize, count: usize, visit: &mut dyn FnMut(&[usize])) {
    if set.len() == size {
        return visit(set);
    }
    let first = set.last().map_or(0, |last| last + 1);
    for term in first..count {
        set.push(term);
        next(set, size, count, visit);
        set.pop();
    }
}

/// Sets of one term more than those of `smaller`: a term added, then terms exchanged one by one as
/// long as that explains more.
fn grown(problem: &Problem, smaller: &[Vec<usize>]) -> Level {
    let seeds = smaller.iter().take(SEEDS);
    let climbed = |seed: &Vec<usize>| -> Vec<Scored> {
        let mut met = around(problem, seed, None);
        let first = |met: &[Scored]| met.iter().max_by(|a, b| a.0.total_cmp(&b.0)).cloned();
        let Some(mut top) = first(&met) else { return met };
        loop {
            let tried: Vec<Scored> =
                (0..top.1.len()).flat_map(|out| around(problem, &top.1, Some(out))).collect();
            let better = first(&tried);
            met.extend(tried);
            match better {
                Some(better) if better.0 > top.0 * (1.0 + 1e-12) => top = better,
                _ => return met,
            }
        }
    };
    best(seeds.collect::<Vec<_>>().into_par_iter().flat_map_iter(climbed).collect())
}

/// `set` with one more term, in place of number `out` where that is given.
fn around(problem: &Problem, set: &[usize], out: Option<usize>) -> Vec<Scored> {
    let mut rest = set.to_vec();
    out.map(|out| rest.remove(out));
    let added = |term: usize| {
        let mut with = rest.clone();
        with.push(term);
        with.sort_unstable();
        score(problem, with)
    };
    (0..problem.terms.len()).filter(|term| !set.contains(term)).filter_map(added).collect()
}
