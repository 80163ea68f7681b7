//! Domains, the connected regions of one label, and what becomes of them from frame to frame.
//!
//! A domain is the same as one before where they overlap most, one to one. What else overlaps is an
//! event: of several domains that flow into one, the largest goes on and the others merge into it;
//! of the parts of one, the largest goes on and the others split off.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};
use serde::Serialize;
use stemseg_regions::Regions;

/// Share of the smaller of two domains that has to lie in the other for them to be related.
const RELATED: f64 = 0.2;

/// A domain in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Domain {
    /// Its label.
    pub label: u16,
    /// Its area, px.
    pub area: u64,
    /// Row and column of its centre, px.
    pub centre: [f64; 2],
    /// Whether it touches what is not seen, or the border: it may reach further.
    pub cut: bool,
}

/// What happens to a domain in a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It appears.
    Birth,
    /// It is gone, by the frame that says so.
    Death,
    /// These numbers flowed into it.
    Merge(Vec<u64>),
    /// It is gone into that number.
    Merged(u64),
    /// It split off that number.
    Split(u64),
}

/// A domain in one frame, with its number in all.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tracked {
    /// Its number, from 1, the same in all frames.
    pub number: u64,
    /// The domain; in a frame where it is gone, as it was before, with an area of 0.
    pub domain: Domain,
    /// What happens to it in this frame.
    pub events: Vec<Event>,
}

/// The domains of `labels` `[rows, cols]` of at least `least` px, numbered from 1 in `[rows, cols]`,
/// 0 elsewhere: the [`Regions`] of the map, in their order.
pub fn domains(labels: ArrayView2<'_, u16>, least: u64) -> (Array2<u32>, Vec<Domain>) {
    let regions = Regions::new(&labels, None, None);
    let mut numbers = vec![0; regions.all().len() + 1];
    let mut list = Vec::new();
    for region in regions.all().iter().filter(|region| region.area_px >= least) {
        list.push(Domain {
            label: region.label,
            area: region.area_px,
            centre: region.centroid_px,
            cut: region.touches_border,
        });
        numbers[region.region as usize] = list.len() as u32;
    }
    (regions.numbers().mapv_into(|region| numbers[region as usize]), list)
}

/// Follows domains through frames.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Fewest pixels of a domain.
    least: u64,
    /// Domains of the last frame, and the number of each in all frames.
    before: Option<(Array2<u32>, Vec<Domain>, Vec<u64>)>,
    last_number: u64,
}

impl Tracker {
    /// For domains of at least `least` px.
    pub fn new(least: u64) -> Self {
        Self { least, ..Self::default() }
    }

    /// The domains of the next frame, by number, with what happened to them. Those of the first
    /// are there from the beginning, which is not an event.
    ///
    /// # Panics
    /// For a frame of another shape.
    pub fn add(&mut self, labels: ArrayView2<'_, u16>) -> Vec<Tracked> {
        let (map, list) = domains(labels, self.least);
        let Some((map_before, list_before, numbers_before)) = self.before.take() else {
            let numbers: Vec<u64> = list.iter().map(|_| self.number()).collect();
            let tracked = list.iter().zip(&numbers).map(|(&domain, &number)| Tracked {
                number,
                domain,
                events: Vec::new(),
            });
            let tracked = tracked.collect();
            self.before = Some((map, list, numbers));
            return tracked;
        };
        let overlaps = overlaps((&map_before, &list_before), (&map, &list));
        let mut heir = vec![None; list_before.len()];
        let mut origin = vec![None; list.len()];
        for &(_, from, to) in &overlaps {
            if heir[from].is_none() && origin[to].is_none() {
                (heir[from], origin[to]) = (Some(to), Some(from));
            }
        }
        let mut numbers = vec![0; list.len()];
        let mut events: Vec<Vec<Event>> = vec![Vec::new(); list.len()];
        for (to, number) in numbers.iter_mut().enumerate() {
            *number = match origin[to] {
                Some(from) => numbers_before[from],
                None => {
                    let source = overlaps.iter().find(|(_, _, other)| *other == to);
                    events[to].push(match source {
                        Some(&(_, from, _)) => Event::Split(numbers_before[from]),
                        None => Event::Birth,
                    });
                    self.last_number += 1;
                    self.last_number
                }
            };
        }
        let mut gone = Vec::new();
        for (from, &number) in numbers_before.iter().enumerate() {
            if heir[from].is_some() {
                continue;
            }
            let target = overlaps.iter().find(|(_, other, _)| *other == from);
            let event = match target {
                Some(&(_, _, to)) => {
                    match events[to].iter_mut().find_map(|event| match event {
                        Event::Merge(others) => Some(others),
                        _ => None,
                    }) {
                        Some(others) => others.push(number),
                        None => events[to].push(Event::Merge(vec![number])),
                    }
                    Event::Merged(numbers[to])
                }
                None => Event::Death,
            };
            let domain = Domain { area: 0, ..list_before[from] };
            gone.push(Tracked { number, domain, events: vec![event] });
        }
        let there = list.iter().zip(&numbers).zip(events);
        let there = there.map(|((&domain, &number), events)| Tracked { number, domain, events });
        let mut tracked: Vec<Tracked> = there.chain(gone).collect();
        tracked.sort_by_key(|tracked| tracked.number);
        self.before = Some((map, list, numbers));
        tracked
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// Pixels that related domains of the same label share, the most first: the number, then the
/// places of both in their lists.
fn overlaps(
    (before, earlier): (&Array2<u32>, &[Domain]),
    (after, later): (&Array2<u32>, &[Domain]),
) -> Vec<(u64, usize, usize)> {
    assert_eq!(before.dim(), after.dim(), "frames of one film");
    let mut shared = BTreeMap::<(u32, u32), u64>::new();
    for (&a, &b) in before.iter().zip(after) {
        if a > 0 && b > 0 {
            *shared.entry((a, b)).or_default() += 1;
        }
    }
    let related = |((a, b), pixels): ((u32, u32), u64)| {
        let (from, to) = (a as usize - 1, b as usize - 1);
        let (one, other) = (earlier[from], later[to]);
        let enough = pixels as f64 >= RELATED * one.area.min(other.area) as f64;
        (enough && one.label == other.label).then_some((pixels, from, to))
    };
    let mut list: Vec<_> = shared.into_iter().filter_map(related).collect();
    list.sort_by_key(|&(pixels, from, to)| (std::cmp::Reverse(pixels), from, to));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label 2 in discs, label 1 around them.
    fn discs(discs: &[(f64, f64, f64)]) -> Array2<u16> {
        Array2::from_shape_fn((80, 120), |(r, c)| {
            let inside =
                |&(y, x, radius): &(f64, f64, f64)| (r as f64 - y).hypot(c as f64 - x) < radius;
            1 + u16::from(discs.iter().any(inside))
        })
    }

    #[test]
    fn domains_touch_along_sides_and_small_ones_do_not_count() {
        let labels =
            ndarray::array![[1, 1, 2, 2, 0], [1, 2, 1, 2, 2], [3, 2, 2, 1, 2], [3, 3, 2, 2, 2],];
        let (map, list) = domains(labels.view(), 1);
        assert_eq!(list.len(), 5);
        assert_eq!((list[0].label, list[0].area), (1, 3));
        assert_eq!(map[(1, 1)], map[(0, 2)], "along the lower row");
        assert_ne!(map[(0, 0)], map[(1, 2)], "a corner joins nothing");
        assert_eq!(domains(labels.view(), 2).1.len(), 3);
        assert_eq!(map[(0, 4)], 0);
    }

    #[test]
    fn a_domain_is_followed_and_events_are_told() {
        let mut tracker = Tracker::new(4);
        let frame = |tracker: &mut Tracker, of: &[(f64, f64, f64)]| {
            let tracked = tracker.add(discs(of).view());
            let events = |t: Tracked| t.events.into_iter().map(move |e| (t.number, e));
            tracked.into_iter().flat_map(events).collect::<Vec<_>>()
        };
        let (a, b) = ((40.0, 30.0, 10.0), (40.0, 60.0, 8.0));
        // Number 1 is what surrounds them, 2 and 3 the discs, from the left.
        assert_eq!(frame(&mut tracker, &[a, b]), []);
        assert_eq!(frame(&mut tracker, &[(41.0, 31.0, 11.0), (40.0, 59.0, 8.0)]), []);
        let c = (20.0, 100.0, 6.0);
        assert_eq!(frame(&mut tracker, &[a, b, c]), [(4, Event::Birth)]);
        // The discs flow together, the larger goes on.
        let bridge = (40.0, 45.0, 10.0);
        let merged = frame(&mut tracker, &[a, b, bridge, c]);
        assert_eq!(merged, [(2, Event::Merge(vec![3])), (3, Event::Merged(2))]);
        let parted = frame(&mut tracker, &[a, b, c]);
        assert_eq!(parted, [(5, Event::Split(2))]);
        assert_eq!(frame(&mut tracker, &[a, b]), [(4, Event::Death)]);
        assert_eq!(frame(&mut tracker, &[a, b]), []);
    }

    #[test]
    fn what_reaches_the_border_or_the_unseen_is_cut() {
        let mut labels = discs(&[(40.0, 60.0, 10.0)]);
        let cut = |labels: &Array2<u16>| {
            domains(labels.view(), 1).1.iter().map(|domain| domain.cut).collect::<Vec<_>>()
        };
        assert_eq!(cut(&labels), [true, false]);
        labels.slice_mut(ndarray::s![.., 65..]).fill(0);
        assert_eq!(cut(&labels), [true, true]);
    }
}
