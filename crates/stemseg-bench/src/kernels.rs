//! How long each kernel of a graphics device takes in whole segmentations, and how near that is to
//! what the device can do.

use std::time::Instant;

use ndarray::Array2;
use serde::Serialize;

use stemseg::backend::gpu::{Gpu, KernelTime, Peaks};
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::pipeline::{self, Also};
use stemseg::plan::{Params, Plan};
use stemseg::progress::Progress;
use stemseg::{Error, Result};

/// What came of one device.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Version of stemseg that was timed.
    pub stemseg_version: &'static str,
    /// The device.
    pub device: DeviceInfo,
    /// What it can do.
    pub peaks: Peaks,
    /// Parameters of the segmentation.
    pub parameters: Params,
    /// How often each image was segmented, after one run that is not counted.
    pub repeats: usize,
    /// Each image.
    pub images: Vec<OfImage>,
}

/// The kernels of one image.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct OfImage {
    /// Rows and columns, px.
    pub size: [usize; 2],
    /// A whole segmentation, without reading and writing: mean, ms. Waiting for every submission
    /// makes it longer than it is otherwise.
    pub segment_ms: f64,
    /// All kernels together, ms.
    pub kernels_ms: f64,
    /// Each kernel, the longest first.
    pub rows: Vec<Row>,
}

/// One kernel in one segmentation, means over the repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Name of the kernel, and of its shader.
    pub kernel: &'static str,
    /// How often it ran.
    pub dispatches: f64,
    /// How long all of these took on the device, ms.
    pub ms: f64,
    /// Of the time of all kernels.
    pub share: f64,
    /// Multiply-adds per time, each counted as two operations, 1e9 per s, by the estimate that work is
    /// parted by.
    pub gflops: f64,
    /// The same as a share of [`Peaks::gflops`].
    pub share_of_peak: f64,
    /// Bytes of all buffers that it is given per time, 1e9 per s: each counted once, however often it is read.
    pub gigabytes_per_s: f64,
    /// The same as a share of [`Peaks::copy_gigabytes_per_s`].
    pub share_of_copy: f64,
}

/// Segments each of `images` `[rows, cols]` this number of times on `gpu`, which [times](Gpu::timed) its
/// kernels.
///
/// # Errors
/// [`Error::Parameter`] for no repeats; what a segmentation and [`Gpu::peaks`] report;
/// [`Error::Interrupted`].
pub fn run(
    images: &[Array2<f32>],
    gpu: &Gpu,
    (params, repeats): (&Params, usize),
    progress: &dyn Progress,
) -> Result<Report> {
    if repeats == 0 {
        return Err(Error::parameter("repeats", 0, "it must be at least 1"));
    }
    progress.stage("limits");
    let peaks = gpu.peaks()?;
    let of_image = |image: &Array2<f32>| {
        let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
        let plan = Plan::new(params.clone(), &micrograph)?;
        let segment =
            || pipeline::segment(&micrograph, plan.clone(), gpu, progress, Also::default());
        segment()?;
        gpu.kernel_times();
        let begun = Instant::now();
        for _ in 0..repeats {
            progress.check()?;
            segment()?;
        }
        let segment_ms = 1e3 * begun.elapsed().as_secs_f64() / repeats as f64;
        let times = gpu.kernel_times();
        let kernels_ms = times.iter().map(|time| time.ms).sum::<f64>() / repeats as f64;
        let row = |time: &KernelTime| Row::new(time, repeats, kernels_ms, &peaks);
        let rows = times.iter().map(row).collect();
        Ok(OfImage { size: [image.nrows(), image.ncols()], segment_ms, kernels_ms, rows })
    };
    Ok(Report {
        stemseg_version: env!("CARGO_PKG_VERSION"),
        device: gpu.device().clone(),
        peaks,
        parameters: params.clone(),
        repeats,
        images: images.iter().map(of_image).collect::<Result<_>>()?,
    })
}

impl Row {
    fn new(time: &KernelTime, repeats: usize, all_ms: f64, peaks: &Peaks) -> Self {
        let ms = time.ms / repeats as f64;
        // 1e6 per ms are 1e9 per s.
        let rate = |count: u64| if time.ms > 0.0 { count as f64 / time.ms / 1e6 } else { 0.0 };
        let (gflops, gigabytes_per_s) = (2.0 * rate(time.multiply_adds), rate(time.bytes));
        Self {
            kernel: time.name,
            dispatches: time.dispatches as f64 / repeats as f64,
            ms,
            share: if all_ms > 0.0 { ms / all_ms } else { 0.0 },
            gflops,
            share_of_peak: gflops / peaks.gflops,
            gigabytes_per_s,
            share_of_copy: gigabytes_per_s / peaks.copy_gigabytes_per_s,
        }
    }
}
