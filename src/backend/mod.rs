//! What computes: the contract of a backend, and the choice of one.
//!
//! [`cpu`] and [`gpu`] are peers with the same file names: one file per kernel.
//! They get the same plan and the same host tables, so they differ only in the
//! rounding of sums, never in geometry.

pub mod checked;
pub mod cpu;
pub mod gpu;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use serde::Serialize;

use crate::Result;
use crate::plan::Plan;
use crate::reduce::pca::{Moments, Pca};
use crate::remarks::Remarks;
use crate::sites::Band;
#[cfg(doc)]
use crate::sites::Sites;
pub use checked::{Check, Checked};

/// Which device to compute on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A real GPU, discrete before integrated, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU; one must be there.
    Gpu,
    /// The adapter with this number, from 1 on in the order of
    /// [`adapters`](gpu::adapter::adapters), or this PCI address, or else the first whose name
    /// holds this text, case ignored.
    Named(String),
}

impl std::str::FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "gpu" => Self::Gpu,
            _ => Self::Named(text.to_owned()),
        })
    }
}

/// What a backend runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// `cpu`, `discrete-gpu`, `integrated-gpu`, `virtual-gpu`, `software-gpu` or `other-gpu`.
    pub kind: String,
    /// Name of the processor or adapter.
    pub name: String,
    /// `rayon` with its threads, or the graphics interface (`vulkan`).
    pub backend: String,
}

/// What a graphics device was asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeviceWork {
    /// How often the queue was given work.
    pub submissions: u64,
    /// Runs of kernels.
    pub dispatches: u64,
    /// Buffers that were made.
    pub buffers: u64,
    /// Bytes that went to the device.
    pub bytes_up: u64,
    /// Bytes that came back.
    pub bytes_down: u64,
    /// How often the host waited for the device.
    pub waits: u64,
    /// How long it waited in all, ms.
    pub waited_ms: f64,
}

impl DeviceWork {
    /// What came after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            submissions: self.submissions - earlier.submissions,
            dispatches: self.dispatches - earlier.dispatches,
            buffers: self.buffers - earlier.buffers,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
            waits: self.waits - earlier.waits,
            waited_ms: self.waited_ms - earlier.waited_ms,
        }
    }
}

/// A device that can compute descriptors, features and assignments.
pub trait Backend: Send + Sync {
    /// What it runs on.
    fn device(&self) -> &DeviceInfo;

    /// Most site rows that one band of `plan` may have on this device, with
    /// about `budget` bytes of memory for it.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if not even one block of site
    /// rows fits the device.
    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize>;

    /// Takes an image of mean 0 and variance 1, `[rows, cols]`, for which `plan`
    /// was made.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>>;

    /// Takes points `[N, q]` to assign to centroids.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>>;

    /// Whether it makes sense to go on with it; not where the device is gone, or was wrong.
    fn usable(&self) -> bool {
        true
    }

    /// What a graphics device was asked to do since it was opened; nothing where the processor
    /// computes.
    fn work(&self) -> Option<DeviceWork> {
        None
    }
}

impl<B: Backend + ?Sized> Backend for &B {
    fn device(&self) -> &DeviceInfo {
        (**self).device()
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        (**self).band_rows(plan, budget)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        (**self).upload(image, plan)
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        (**self).assigner(points)
    }

    fn usable(&self) -> bool {
        (**self).usable()
    }

    fn work(&self) -> Option<DeviceWork> {
        (**self).work()
    }
}

/// An uploaded image. The methods take bands of [`Sites::bands`](crate::sites::Sites::bands); whatever their
/// height, each site's values are the same bit for bit.
///
/// Sums and features come back once, at the end: a device can go on with one
/// band while the host prepares the next.
pub trait Describe {
    /// Writes the descriptors of the band's sites into `out` `[sites, D]`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn describe(&mut self, band: &Band, out: ArrayViewMut2<'_, f32>) -> Result<()>;

    /// Adds the band's active sites to the sums for mean and covariance. Bands
    /// come in their order.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn accumulate(&mut self, band: &Band) -> Result<()>;

    /// The sums over all bands that were accumulated; the next begin at zero.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn moments(&mut self) -> Result<Moments>;

    /// Computes the features of the band's sites. Bands come in their order.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()>;

    /// The same of these `sites` of the band alone, by their numbers in it, in this order.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()>;

    /// Whether descriptors of all sites are kept, so that to describe any of them again
    /// costs next to nothing.
    fn keeps(&self) -> bool {
        false
    }

    /// Whether they will be once all sites were described.
    fn will_keep(&self) -> bool {
        false
    }

    /// These `channels` `[channels, sites]` of the sites that a [map](Sites::map_step) shows, row by row, where
    /// they were kept when all sites were described.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn mapped(&mut self, _channels: &[usize]) -> Result<Option<Array2<f32>>> {
        Ok(None)
    }

    /// The features of all sites that were projected, `[sites, q]`, in their order.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn features(&mut self) -> Result<Array2<f32>>;
}

/// Points on a device, each with a label.
pub trait Assign {
    /// Gives each point the label of the nearest of `centroids` `[k, q]` (the
    /// first of equals), and sums up the clusters.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step>;

    /// Takes steps, at most `most` of them and at least one, each from the means of the clusters of the
    /// one before, as far as the device does so by itself: until labels stay as they were, or a cluster
    /// has no points.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    fn steps(&mut self, centroids: ArrayView2<'_, f32>, most: usize) -> Result<Steps> {
        debug_assert!(most > 0, "no step is none");
        Ok(Steps { count: 1, centroids: centroids.to_owned(), last: self.step(centroids)? })
    }

    /// The labels `[N]` of the last step and the squared distances `[N]` from
    /// the centroids they stand for.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()>;
}

/// What some steps came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// How many they were.
    pub count: usize,
    /// The centroids of the last of them, `[k, q]`.
    pub centroids: Array2<f32>,
    /// What that came to.
    pub last: Step,
}

/// What one assignment came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Sums of the points of each cluster, `[k, q]`.
    pub sums: Array2<f64>,
    /// Number of points of each cluster, `[k]`.
    pub counts: Vec<u64>,
    /// How many points have another label than after the step before; all of
    /// them after the first.
    pub changed: u64,
}

impl Step {
    /// Whether a cluster has no points.
    pub fn leaves_one_empty(&self) -> bool {
        self.counts.contains(&0)
    }
}

/// The chosen backend, whose work is looked over as `check` says, with what is to be said
/// about the choice. With [`DeviceChoice::Auto`], GPUs that lack what kernels need, or fail their
/// self-test, are passed over. The test runs the kernels of the `families` with these names,
/// or all where none is named.
///
/// # Errors
/// [`Error::NoDevice`](crate::Error::NoDevice) if nothing fits, saying what is there; of an
/// adapter that was asked for [`Error::Device`](crate::Error::Device) if it lacks what
/// kernels need, and what its self-test found.
pub fn open(
    choice: &DeviceChoice,
    check: Check,
    families: &[&str],
) -> Result<(Box<dyn Backend>, Remarks)> {
    if *choice == DeviceChoice::Cpu {
        return Ok((Box::new(cpu::Cpu::new()), Remarks::default()));
    }
    let (gpu, remarks) = gpu::choose::choose(choice, check, families)?;
    Ok(match gpu {
        Some(gpu) => (Box::new(Checked::new(gpu, check)), remarks),
        None => (Box::new(cpu::Cpu::new()), remarks),
    })
}

/// What was made for whole bands, kept while it fits a budget so that `project`
/// need not make again what `accumulate` did.
#[derive(Debug)]
pub(crate) struct KeptBands<T> {
    bands: std::collections::HashMap<Band, std::rc::Rc<T>>,
    bytes: u64,
    budget: u64,
}

impl<T> KeptBands<T> {
    pub(crate) fn new(budget: u64) -> Self {
        Self { bands: Default::default(), bytes: 0, budget }
    }

    /// The band's value, made by `make` if it is not here, with its size in
    /// bytes; kept if it fits.
    pub(crate) fn get(
        &mut self,
        band: &Band,
        make: impl FnOnce() -> Result<(T, u64)>,
    ) -> Result<std::rc::Rc<T>> {
        if let Some(found) = self.bands.get(band) {
            return Ok(found.clone());
        }
        let (made, bytes) = make()?;
        let made = std::rc::Rc::new(made);
        if self.bytes + bytes <= self.budget {
            self.bytes += bytes;
            self.bands.insert(band.clone(), made.clone());
        }
        Ok(made)
    }
}
