//! Which frames a film's model is fitted to, and the fit.

use stemseg::backend::Backend;
use stemseg::image::micrograph::Micrograph;
use stemseg::lattice::Repetition;
use stemseg::pipeline::frames::Frames;
use stemseg::pipeline::many::{self, Planned, Succession};
use stemseg::plan::Labels;
use stemseg::remarks::Remarks;
use stemseg::{Error, Model, Plan, Progress, Result};

use super::source::{Source, Status};
use crate::method::{Method, Prepared};
use crate::settings::Settings;

/// Frames that `auto` begins with, spread over the film.
const SPREAD: usize = 6;
/// Frames between those, that it looks at with the model, and how many it adds of them at most.
const LOOKED_AT: usize = 24;
const ADDED: usize = 4;
/// How much stranger than usual a frame is that shows something new.
const STRANGE: f64 = 1.5;

/// Which frames a film's model is fitted to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fit {
    /// Some that are spread over the film; where others show what these do not, those as well.
    #[default]
    Auto,
    /// The first.
    First,
    /// All.
    All,
    /// This number, evenly spread.
    Count(usize),
    /// These.
    Frames(Vec<usize>),
}

/// A model with the frames that it was fitted to.
pub(crate) struct Fitted {
    pub(crate) model: Model,
    pub(crate) frames: Vec<usize>,
    pub(crate) remarks: Remarks,
}

/// Frames that can be fitted to, in memory.
struct Chosen {
    number: usize,
    micrograph: Micrograph,
}

impl Fit {
    /// Fits a model by `settings` to frames of `source`, within `memory` bytes where they are given.
    ///
    /// # Errors
    /// [`Error::Parameter`] for frames that are not there; where no frame can be fitted to; as
    /// [`many::fit`].
    pub(crate) fn model(
        &self,
        source: &mut Source,
        settings: &Settings,
        (backend, memory): (&dyn Backend, Option<u64>),
        progress: &dyn Progress,
    ) -> Result<Fitted> {
        let all = source.frames();
        let wanted: Vec<usize> = match self {
            Self::Auto => spread(all, SPREAD),
            Self::First => vec![0],
            Self::All => (0..all).collect(),
            Self::Count(0) => {
                return Err(Error::parameter("fit", 0, "give at least one frame"));
            }
            Self::Count(count) => spread(all, *count),
            Self::Frames(frames) => frames.clone(),
        };
        if let Some(missing) = wanted.iter().find(|frame| **frame >= all) {
            let reason = format!("the film has {all} frames, 0 to {}", all - 1);
            return Err(Error::parameter("fit", missing, reason));
        }
        progress.stage("read");
        let mut chosen = Vec::new();
        for number in wanted {
            progress.check()?;
            match source.read(number)? {
                shot if shot.status == Status::Ok => {
                    chosen.extend(shot.micrograph.map(|micrograph| Chosen { number, micrograph }));
                }
                // Of what was not to be chosen, the next that shows something.
                _ if *self == Self::First && number + 1 < all => {
                    chosen.extend(first_ok(source, number + 1, progress)?);
                }
                _ => {}
            }
        }
        let (mut model, remarks) = fitted(&chosen, settings, (backend, memory), progress)?;
        if *self == Self::Auto {
            let added = strangers(source, &model, &chosen, backend, progress)?;
            if !added.is_empty() {
                chosen.extend(added);
                chosen.sort_by_key(|chosen| chosen.number);
                model = fitted(&chosen, settings, (backend, memory), progress)?.0;
            }
        }
        let frames = chosen.iter().map(|chosen| chosen.number).collect();
        Ok(Fitted { model, frames, remarks })
    }
}

/// `count` of `all` frames, evenly spread, with the first and the last.
fn spread(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    let last = (all - 1) as f64;
    let at = |i: usize| match count {
        1 => 0,
        _ => (i as f64 * last / (count - 1) as f64).round() as usize,
    };
    let mut frames: Vec<usize> = (0..count).map(at).collect();
    frames.dedup();
    frames
}

fn first_ok(source: &mut Source, from: usize, progress: &dyn Progress) -> Result<Option<Chosen>> {
    for number in from..source.frames() {
        progress.check()?;
        let shot = source.read(number)?;
        if let (Status::Ok, Some(micrograph)) = (shot.status, shot.micrograph) {
            return Ok(Some(Chosen { number, micrograph }));
        }
    }
    Ok(None)
}

/// The model of the patterns in the frames, with what is to be said of their period: one for all,
/// that of the first.
fn fitted(
    chosen: &[Chosen],
    settings: &Settings,
    (backend, memory): (&dyn Backend, Option<u64>),
    progress: &dyn Progress,
) -> Result<(Model, Remarks)> {
    let Some((first, others)) = chosen.split_first() else {
        let reason =
            "all of these frames are blank, saturated or in part without data; choose others";
        return Err(Error::parameter("fit", "no frame", reason));
    };
    let Prepared { plan, remarks, repetition } = settings.prepare(&first.micrograph)?;
    let mut params = plan.params().clone();
    if params.labels == Labels::Nearest {
        // Between sites labels move by less than a site's cell, as boundaries in a film do.
        params.labels = Labels::Interpolated { smooth: 0.0, least_confidence: 0.0 };
    }
    params.clusters = settings.clusters.clone();
    let plan = |micrograph: &Micrograph| -> Result<Plan> {
        let plan = Plan::new(params.clone(), micrograph)?;
        match memory {
            Some(bytes) => plan.within(bytes, plan_neighbours(chosen.len(), micrograph)),
            None => {
                let bytes = plan.usual_memory(stemseg::memory::available(), 0)?;
                plan.within(bytes, 0)
            }
        }
    };
    let planned = |chosen: &'_ Chosen| -> Result<(Plan, Repetition)> {
        Ok((plan(&chosen.micrograph)?, repetition))
    };
    let (own, repetition) = planned(first)?;
    let mut images = vec![Planned { micrograph: &first.micrograph, plan: own, repetition }];
    for other in others {
        let (plan, repetition) = planned(other)?;
        images.push(Planned { micrograph: &other.micrograph, plan, repetition });
    }
    Ok((many::fit_in(&images, Succession::Time, backend, progress)?, remarks))
}

/// Bytes of the other frames that are fitted to, which are in memory as well.
fn plan_neighbours(frames: usize, micrograph: &Micrograph) -> u64 {
    (frames.saturating_sub(1) * micrograph.pixels().len() * size_of::<f32>()) as u64
}

/// Frames that show what the model does not know.
fn strangers(
    source: &mut Source,
    model: &Model,
    chosen: &[Chosen],
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Vec<Chosen>> {
    let frames = Frames::new(model, source.shape())?;
    let strangeness = |micrograph: &Micrograph| -> Result<f64> {
        let plan = frames.plan(micrograph)?;
        Ok(frames.memberships(micrograph, &plan, backend, progress)?.strangeness)
    };
    let mut usual = 0.0_f64;
    for known in chosen {
        usual = usual.max(strangeness(&known.micrograph)?);
    }
    let known: Vec<usize> = chosen.iter().map(|chosen| chosen.number).collect();
    let mut strangers = Vec::new();
    for number in spread(source.frames(), LOOKED_AT) {
        progress.check()?;
        if known.contains(&number) {
            continue;
        }
        let shot = source.read(number)?;
        if let (Status::Ok, Some(micrograph)) = (shot.status, shot.micrograph) {
            let found = strangeness(&micrograph)?;
            if found > STRANGE * usual {
                strangers.push((found, Chosen { number, micrograph }));
                strangers.sort_by(|a, b| b.0.total_cmp(&a.0));
                strangers.truncate(ADDED);
            }
        }
    }
    Ok(strangers.into_iter().map(|(_, chosen)| chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn frames_are_spread_from_the_first_to_the_last() {
        assert_eq!(spread(30, 6), [0, 6, 12, 17, 23, 29]);
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert_eq!(spread(5, 1), [0]);
    }
}
