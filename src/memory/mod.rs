//! How much memory a run takes, and how it keeps within a budget.
//!
//! The budget is for everything that a run holds: the image and the image resampled, with the
//! copies of them that are there while one is made; the file's own values while they are
//! narrowed; features and labels of the sites, which grow with the image; descriptors, norm maps
//! and scores of inner sites, which are made tile by tile and band by band, so that what is left
//! of the budget only says how much of that is done, or kept, at once; and the pictures.

mod limits;

use std::cell::Cell;

use bytesize::ByteSize;

use crate::backend::cpu;
use crate::pipeline::MOST_KEPT;
use crate::plan::{Components, Labels, Plan, Reduce};
use crate::{Error, Result};

pub use limits::available;

/// Most that is taken in addition to images unless told otherwise, bytes.
const MOST_BY_DEFAULT: u64 = 2 << 30;

/// The program itself, buffers of the standard library, stacks of threads, bytes.
pub const REST: u64 = 32 << 20;

/// Most pixels of a picture.
const LARGEST_PICTURE: u64 = 8192 * 8192;

thread_local! {
    /// Whether who allocates knows what to do without.
    static MAY_BE_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread expects that memory may be refused: see [`is_there`]. An allocator
/// that ends the process where there is no more asks this before.
pub fn may_be_refused() -> bool {
    MAY_BE_REFUSED.get()
}

/// Whether the system would give `bytes` at once now.
pub fn is_there(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    MAY_BE_REFUSED.set(true);
    let there = Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    MAY_BE_REFUSED.set(false);
    there
}

/// `bytes` in words.
pub fn in_words(bytes: u64) -> impl std::fmt::Display {
    ByteSize(bytes).display().iec()
}

/// The error of a budget of `bytes` that is too small: `need` would be enough for `what`.
pub fn too_little(bytes: u64, what: &str, need: u64) -> Error {
    let reason = format!("{what} need {}; give at least that", in_words(need));
    Error::parameter("memory", in_words(bytes), reason)
}

impl Plan {
    /// The plan within `bytes` for all that the run holds, of which it has `others` for other
    /// images. The result does not depend on it.
    ///
    /// # Errors
    /// [`Error::Parameter`] where that is not enough, with what would be.
    pub fn within(self, bytes: u64, others: u64) -> Result<Self> {
        let least = self.least_memory() + others;
        if bytes < least {
            let image = match self.params().sampling {
                None => "the image".to_owned(),
                Some(_) => format!("the image, resampled to {} px", self.sites().shape()),
            };
            let beside = if others > 0 { ", and the images before and after it" } else { "" };
            let what = format!(
                "{image}, the features and labels of {} sites, and one tile{beside}",
                self.sites().grid().len()
            );
            return Err(too_little(bytes, &what, least));
        }
        let budget = bytes - others - self.images() - self.of_sites();
        Ok(self.with_budget(budget))
    }

    /// What the run may take where nobody says, of the `available` bytes: what it needs, and for
    /// all that can be done in parts a quarter of the rest, at most 2 GiB.
    ///
    /// # Errors
    /// [`Error::Machine`] where there is less than it needs.
    pub fn usual_memory(&self, available: Option<u64>, others: u64) -> Result<u64> {
        let least = self.least_memory() + others;
        let images = self.images() + others;
        let free = match available {
            None => return Ok(least.max(images + MOST_BY_DEFAULT / 2)),
            // What is held already has been taken off.
            Some(bytes) => bytes.saturating_add(self.held() + REST),
        };
        if least > free {
            return Err(Error::Machine(format!(
                "there is not enough memory: the image needs {}, and this process can have {}; give a \
                 `roi`, a larger `stride` or fewer `jobs`, end other programs, or raise the limit \
                 (ulimit -v, or that of the container); `memory = {least}` tries all the same",
                in_words(least),
                in_words(free)
            )));
        }
        Ok(least.max(images + (free.saturating_sub(images) / 4).min(MOST_BY_DEFAULT)))
    }

    /// The least that [`within`](Self::within) accepts for this image alone, bytes.
    pub fn least_memory(&self) -> u64 {
        // A tile on one thread: its scores, pixels and norms; a sum of products.
        let channels = self.channels() as u64;
        let pixels = self.sites().tile().full().area()
            * self.sites().grid().stride
            * self.sites().grid().stride;
        let scores = 4 * (self.sites().tile().area() as u64 * channels + 4 * pixels as u64);
        let tile = scores + cpu::task(self);
        // A band, and as much again for what is kept of others.
        let tables = cpu::least_tables(self);
        let bands = 4 * tile.max(8 * channels * channels).max(tables);
        let computing = self.images() + self.of_sites() + bands;
        computing.max(self.resampling()).max(self.writing())
    }

    /// What other images take while this one is computed, if they are of the same size: the
    /// next is read, and the one before is written.
    pub fn neighbours(&self) -> u64 {
        let file = 2 * 4 * self.frame().image.area() as u64;
        self.held() + file + self.writing() - REST
    }

    /// The image as it was read, and its mask.
    fn held(&self) -> u64 {
        self.frame().image.area() as u64 * (4 + u64::from(self.sites().mask().is_some()))
    }

    /// The images while sites are described: as it was read, and as it is described.
    fn images(&self) -> u64 {
        self.held() + if self.params().sampling.is_some() { self.described() } else { 0 }
    }

    /// The image as it is described, and its mask.
    fn described(&self) -> u64 {
        self.sites().shape().area() as u64 * (4 + u64::from(self.sites().mask().is_some()))
    }

    /// What there is while the image is resampled: it is evened out, then smoothed; under a mask
    /// weights are smoothed too.
    fn resampling(&self) -> u64 {
        if self.params().sampling.is_none() {
            return 0;
        }
        let (image, described) =
            (4 * self.frame().image.area() as u64, 4 * self.sites().shape().area() as u64);
        let smoothing = image + described * (1 + u64::from(self.sites().mask().is_some()));
        REST + self.held() + smoothing
    }

    /// What is kept of every site, and what depends on nothing, bytes.
    fn of_sites(&self) -> u64 {
        let features = match self.components() {
            Components::Count(count) => count.min(self.channels()),
            // Not known before; more than a few explain noise.
            Components::Variance(_) => self.channels().min(32),
        };
        // Features as they come and as k-means has them, once more for masks;
        // labels of two iterations, distances, memberships, maps of the sites.
        let copies = if self.sites().active().is_some() { 3 } else { 2 };
        let sites = self.sites().grid().len();
        // Components are kept until it is known which few combinations of them are features.
        let features = match self.params().reduce {
            Reduce::Pca => copies * features,
            Reduce::Maf => {
                let kept = if sites <= MOST_KEPT { features } else { 0 };
                kept + copies * self.params().most_patterns().min(features)
            }
        };
        // Scores of the patterns, and those averaged, where labels lie between sites.
        let patterns = match self.params().labels {
            Labels::Nearest => 0,
            Labels::Interpolated { .. } => self.params().most_patterns(),
        };
        let site = 4 * (features + 2 * patterns + 8);
        REST + (sites * site) as u64
    }

    /// What there is while the result is written: a picture of the image in colour, and its file.
    fn writing(&self) -> u64 {
        let picture = (self.frame().image.area() as u64).min(LARGEST_PICTURE);
        self.held() + self.of_sites() + 2 * 3 * picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;
    use crate::image::sampling::Sampling;
    use crate::plan::Outline;

    const MIB: u64 = 1 << 20;

    fn plan(stride: usize, sampling: Option<Sampling>) -> Plan {
        Plan::new(
            Params { stride, sampling, ..Default::default() },
            Outline::new((2000, 2000), 1.0),
        )
        .unwrap()
    }

    #[test]
    fn a_budget_too_small_says_what_is_needed() {
        let plan = plan(1, None);
        let least = plan.least_memory();
        let error = plan.clone().within(least - 1, 0).unwrap_err().to_string();
        assert!(error.starts_with("memory = ") && error.contains("MiB"), "{error}");
        assert!(plan.clone().within(least, 1).is_err(), "other images count");
        assert!(
            plan.clone().within(least, 0).unwrap().budget()
                < plan.within(2 * least, 0).unwrap().budget()
        );
    }

    #[test]
    fn images_count_the_resampled_one_too() {
        let image = 4 * 2000 * 2000;
        let plain = plan(8, None).within(1 << 30, 0).unwrap();
        assert!(plain.budget() < (1 << 30) - image);
        let resampled = plan(16, Some(Sampling { period: 8.0, target: 16.0 }));
        // Four times as many pixels; at the same sites.
        let budget = resampled.clone().within(1 << 30, 0).unwrap().budget();
        assert!(budget + 4 * image <= plain.budget() + MIB, "{budget} of {}", plain.budget());
        let least = resampled.least_memory();
        assert!(least > 6 * image, "a copy of the image while it is resampled: {least}");
        let error = resampled.within(least - 1, 0).unwrap_err().to_string();
        assert!(error.contains("resampled to 3999x3999 px"), "{error}");
    }

    #[test]
    fn without_a_word_it_takes_what_it_needs_and_a_share_of_the_rest() {
        let plan = plan(4, None);
        let least = plan.least_memory();
        assert!(plan.usual_memory(Some(64 << 30), 0).unwrap() <= least + MOST_BY_DEFAULT);
        assert!(plan.usual_memory(Some(1 << 30), 0).unwrap() <= least + (1 << 30) / 4);
        assert_eq!(plan.usual_memory(Some(least), 0).unwrap(), least, "or nothing of it");
        let error = plan.usual_memory(Some(MIB), 0).unwrap_err();
        assert!(!error.is_usage() && error.to_string().contains("memory = "), "{error}");
    }
}
