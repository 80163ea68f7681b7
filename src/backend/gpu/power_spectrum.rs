//! Launcher of `shaders/power_spectrum.wgsl`: power spectra of windows.

mod layout;

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::launch::{GpuFamily, Job, Launch, Setup};
use super::pixels;
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::power_spectrum::{Family, Scale, turn};
use crate::plan::Plan;
use crate::sites::Extent;
use layout::{EIGHT, Layout, THREADS};

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[wgsl!(=> "power_spectrum")];

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub origin: u32,
    pub below: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub across: u32,
    pub first_group: u32,
    pub at_once: u32,
    pub threads: u32,
    pub memory: u32,
    pub long: u32,
    pub short: u32,
    pub long_eights: u32,
    pub short_eights: u32,
    pub whole: u32,
    pub lines: u32,
    pub pixels: u32,
    pub pitch: u32,
    pub eights: u32,
    pub sums_at: u32,
    pub sums_pitch: u32,
    pub first_channel: u32,
    pub logarithm: u32,
    pub area: f32,
    pub scale: f32,
    pub most: f32,
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    kernel: Arc<Kernel>,
    family: &'a Family,
    plan: &'a Plan,
    layout: Layout,
    first_channel: usize,
    /// Offsets, tables of the long and the short axis, channels.
    tables: [Buffer; 4],
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        Ok(Box::new(Launcher::new(setup.device, self, setup.plan, setup.channel)?))
    }

    fn by_phase(&self) -> bool {
        true
    }
}

impl<'a> Launcher<'a> {
    fn new(
        device: &'a Device,
        family: &'a Family,
        plan: &'a Plan,
        first_channel: usize,
    ) -> Result<Self> {
        let axes = Axes::of(family.window);
        let [long, short] = axes.halves();
        let memory = device.workgroup_memory() as usize;
        let layout = Layout::new(long + 1, short + 1, memory).ok_or_else(|| {
            device.error(format!(
                "a window of half size {} px needs more than the {memory} bytes of workgroup \
                 memory; give a smaller `window` or use `device = cpu`",
                family.window.short()
            ))
        })?;
        let kernel = device.kernel(&KernelSource {
            name: "power_spectrum",
            constants: &[("MEMORY", layout.vectors() as f64)],
            threads: [THREADS as u32, 1, 1],
            shared: layout.shared(),
        })?;
        let usage = BufferUsages::STORAGE;
        let tables = [
            device.upload("offsets", &axes.offsets(plan), usage)?,
            device.upload("long table", &waves(long), usage)?,
            device.upload("short table", &waves(short), usage)?,
            device.upload("channels", &axes.channels(family), usage)?,
        ];
        Ok(Self { kernel, family, plan, layout, first_channel, tables })
    }

    fn params(&self, job: &Job<'_>, across: usize, first_group: usize) -> Params {
        let (grid, layout, band) = (self.plan.sites().grid(), &self.layout, job.band);
        let line = grid.stride * job.pixels.pitch;
        let top = grid.row(band.rows.start) - self.family.window.rows;
        // f32 holds the square itself or its own largest value, as on the CPU.
        let scale = (self.plan.deviation().powi(2)).min(f32::MAX.into()) as f32;
        Params {
            origin: ((top - job.pixels.first) * line) as u32,
            below: (grid.stride * line) as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            across: across as u32,
            first_group: first_group as u32,
            at_once: layout.at_once as u32,
            threads: layout.threads() as u32,
            memory: layout.memory as u32,
            long: layout.long as u32,
            short: layout.short as u32,
            long_eights: layout.long.div_ceil(EIGHT) as u32,
            short_eights: layout.short.div_ceil(EIGHT) as u32,
            whole: u32::from(layout.whole),
            lines: layout.lines as u32,
            pixels: layout.pixels as u32,
            pitch: layout.pitch as u32,
            eights: layout.eights as u32,
            sums_at: layout.sums_at as u32,
            sums_pitch: layout.sums_pitch as u32,
            first_channel: self.first_channel as u32,
            logarithm: u32::from(self.family.scale == Scale::Log),
            area: self.family.window.full().area() as f32,
            scale,
            most: most(scale),
        }
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let across = job.band.cols.div_ceil(self.layout.at_once);
        let [offsets, long, short, channels] = &self.tables;
        let buffers = [&job.pixels.buffer, offsets, long, short, channels, job.descriptors];
        // Workgroups one by one: a row of them may be more than a dispatch may do.
        let count = across * job.band.rows.len();
        let all = Rows { count, groups: [1, 1], work: self.layout.work() };
        commands
            .dispatch_rows(&self.kernel, &all, &buffers, |group| self.params(job, across, group))
    }
}

/// The largest power that `scale` leaves finite.
fn most(scale: f32) -> f32 {
    // Rounding the product must not lead beyond it.
    (f64::from(f32::MAX) * (1.0 - f64::from(f32::EPSILON)) / f64::from(scale)).min(f32::MAX.into())
        as f32
}

/// Which axis of the window is transformed first: the longer one, so that the sums of
/// the lines across it are few.
#[derive(Debug, Clone, Copy)]
struct Axes {
    window: Extent,
    /// Whether lines are rows.
    long_is_cols: bool,
}

impl Axes {
    fn of(window: Extent) -> Self {
        Self { window, long_is_cols: window.cols >= window.rows }
    }

    /// What belongs to the long axis and what to the short one.
    fn ordered<T>(&self, rows: T, cols: T) -> [T; 2] {
        if self.long_is_cols { [cols, rows] } else { [rows, cols] }
    }

    /// Half sizes of the long and the short axis, px.
    fn halves(&self) -> [usize; 2] {
        self.ordered(self.window.rows, self.window.cols)
    }

    /// Places of pixels before and after the centre, counted from the first row of the
    /// window in phase 0 and block 0 of the first site's columns.
    fn offsets(&self, plan: &Plan) -> Vec<[u32; 2]> {
        let (pitch, stride) = (pixels::pitch(plan), plan.sites().grid().stride);
        let Extent { rows, cols } = self.window;
        let row = |row: usize| (row * stride * pitch) as u32;
        let col = |col: usize| {
            let col = plan.sites().grid().margin.cols - cols + col;
            (col % stride * pitch + col / stride) as u32
        };
        let about = |half: usize, place: &dyn Fn(usize) -> u32| -> Vec<[u32; 2]> {
            (0..=half).map(|i| [place(half - i), place(half + i)]).collect()
        };
        self.ordered(about(rows, &row), about(cols, &col)).concat()
    }

    /// Channels of each frequency, `[short][long]`: those of `(a, b)`, of `(a, -b)`.
    fn channels(&self, family: &Family) -> Vec<[u32; 4]> {
        let [long, short] = self.halves();
        let mut all = vec![[u32::MAX; 4]; (long + 1) * (short + 1)];
        let full = self.window.full();
        // Distance from 0, and whether it is counted backwards.
        let folded = |k: usize, n: usize| if k <= n / 2 { (k, false) } else { (n - k, true) };
        for (channel, &[row, col]) in family.frequencies.iter().enumerate() {
            let (row, col) = (folded(row, full.rows), folded(col, full.cols));
            let [(a, a_back), (b, b_back)] = self.ordered(row, col);
            let slots = if a_back == b_back || a == 0 || b == 0 { [0, 1] } else { [2, 3] };
            let place = &mut all[b * (long + 1) + a];
            let free = slots.into_iter().find(|&slot| place[slot] == u32::MAX);
            place[free.unwrap_or(slots[1])] = channel as u32;
        }
        all
    }
}

/// Cosines and sines of the frequencies of an axis, tapered: `[0 ..= half][eights]`,
/// zeros beyond the last frequency.
fn waves(half: usize) -> Vec<[f32; 2]> {
    let n = 2 * half + 1;
    let taper = Family::taper(n);
    let wave = |i: usize, k: usize| {
        if k > half {
            return [0.0; 2];
        }
        let (sin, cos) = turn(k, i, n);
        let weight = taper[half + i] * if i == 0 { 0.5 } else { 1.0 };
        [cos, sin].map(|v| (v * weight) as f32)
    };
    let frequencies = (half + 1).next_multiple_of(EIGHT);
    (0..=half)
        .flat_map(|i| (0..frequencies).map(move |k| (i, k)))
        .map(|(i, k)| wave(i, k))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overflows_is_told_from_what_does_not() {
        for scale in [0.0, 1e-30, 1.0, 3.0, 1e20, f32::MAX] {
            let most = most(scale);
            assert!(most > 0.0 && (most * scale).is_finite(), "{scale}: {most}");
            assert!(scale < 1.0 || most * scale > 0.999 * f32::MAX, "{scale}: {most}");
        }
    }

    #[test]
    fn each_channel_has_one_place() {
        use crate::descriptor::power_spectrum::{self, Spectrum};
        for window in [Extent { rows: 3, cols: 5 }, Extent { rows: 4, cols: 1 }] {
            for spectrum in [Spectrum::Half, Spectrum::Full] {
                let params = power_spectrum::Params { window, spectrum, ..Default::default() };
                let family = params.plan(Extent::square(20)).unwrap();
                let places = Axes::of(window).channels(&family);
                let mut found: Vec<u32> =
                    places.concat().into_iter().filter(|&c| c != u32::MAX).collect();
                found.sort_unstable();
                let all: Vec<u32> = (0..family.frequencies.len() as u32).collect();
                assert_eq!(found, all, "{window} {spectrum:?}");
            }
        }
    }
}
