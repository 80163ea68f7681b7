//! What a graphics device is asked to do: counted, and nothing twice.

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg::backend::Backend;
use stemseg::backend::cpu::Cpu;
use stemseg::backend::gpu::Gpu;
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::pipeline::{self, Also, Segmentation};
use stemseg::plan::automatic;
use stemseg::progress::Silent;
use stemseg::{Error, Plan};
use stemseg_testing::devices::Devices;

use crate::contract::{describe, tiles};

/// Most of each for the default way of an image of 300 x 300 px: about a tenth more than there
/// are.
const SUBMISSIONS: u64 = 13;
const DISPATCHES: u64 = 48;
const BUFFERS: u64 = 60;
const WAITS: u64 = 11;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    vec![
        devices.gpu_trial("device_work::is_counted", |gpu| is_counted(gpu)),
        devices.gpu_trial("device_work::rows_of_kept_bands_are_those_of_the_bands", |gpu| {
            rows_of_kept_bands(gpu)
        }),
        devices.adapter_trial("device_work::kernels_are_timed", kernels_are_timed),
        Trial::test("device_work::the_processor_has_none", || {
            let cpu = Cpu::new();
            match (segmented(&cpu)?.device_work, cpu.work()) {
                (None, None) => Ok(()),
                found => Err(format!("{found:?}").into()),
            }
        }),
    ]
}

/// Two crystals by the default way.
fn segmented(backend: &dyn Backend) -> Result<Segmentation, Error> {
    let wave = |x: f64, period: f64| (x * std::f64::consts::TAU / period).cos();
    let image = Array2::from_shape_fn((300, 300), |(r, c)| {
        let (r, c) = (r as f64, c as f64);
        if c < 150.0 {
            wave(r, 12.0) + wave(c, 12.0)
        } else {
            wave(r + c, 17.0) + wave(r - c, 17.0)
        }
    });
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let params = automatic::params(automatic::sampling(automatic::period(&micrograph)), vec![2]);
    let plan = Plan::new(params, &micrograph)?;
    pipeline::segment(
        &micrograph,
        plan,
        backend,
        &Silent,
        Also { channel_maps: true, ..Also::default() },
    )
}

fn is_counted(gpu: &dyn Backend) -> Result<(), Failed> {
    // Whatever is compiled or made but once is there afterwards.
    segmented(gpu)?;
    let before = gpu.work().ok_or("nothing is counted")?;
    let found = segmented(gpu)?;
    let (plan, work) = (&found.plan, found.device_work.ok_or("nothing is counted")?);
    let after = gpu.work().ok_or("nothing is counted")?;
    if work != after.since(before) {
        return Err(format!("{work:?} of {:?}", after.since(before)).into());
    }
    let image = 4 * plan.sites().shape().area() as u64;
    let features = 4 * (plan.sites().grid().len() * 3) as u64;
    let enough = work.bytes_up > image && work.bytes_down > features && work.waited_ms > 0.0;
    // The image goes up once, and with it next to nothing but features.
    let few = work.submissions <= SUBMISSIONS
        && work.dispatches <= DISPATCHES
        && work.buffers <= BUFFERS
        && work.waits <= WAITS
        && work.bytes_up < image + image / 3;
    match enough && few && work.submissions > 0 && work.dispatches > work.submissions {
        true => Ok(()),
        false => Err(format!("{work:?}; the image has {image} bytes").into()),
    }
}

/// A device that times its kernels has each dispatch once, and the same labels.
fn kernels_are_timed(adapter: &wgpu::Adapter) -> Result<(), Failed> {
    let plain = Gpu::new(adapter)?;
    let expected = segmented(&plain)?;
    if !plain.kernel_times().is_empty() || plain.peaks().is_ok() {
        return Err("a device that is not timed has times".into());
    }
    if !adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return match Gpu::timed(adapter) {
            Err(Error::Device { reason, .. }) if reason.contains("timestamps") => Ok(()),
            other => Err(format!("no timestamps, but {:?}", other.err()).into()),
        };
    }
    let gpu = Gpu::timed(adapter)?;
    let peaks = gpu.peaks()?;
    if !(peaks.gflops > 0.1 && peaks.copy_gigabytes_per_s > 0.1) {
        return Err(format!("{peaks:?}").into());
    }
    let found = segmented(&gpu)?;
    let times = gpu.kernel_times();
    let work = found.device_work.ok_or("nothing is counted")?;
    let dispatches: u64 = times.iter().map(|time| time.dispatches).sum();
    if dispatches != work.dispatches {
        return Err(format!("{dispatches} of {} dispatches: {times:?}", work.dispatches).into());
    }
    for name in
        ["centred_cells", "centred", "harmonic", "power_mean", "moments", "project", "assign"]
    {
        let of = times.iter().find(|time| time.name == name).ok_or(format!("no {name}"))?;
        if !(of.ms > 0.0 && of.multiply_adds > 0 && of.bytes > 0) {
            return Err(format!("{of:?}").into());
        }
        // Nothing can be faster than the device by much, whatever the estimates are.
        if 2.0 * of.multiply_adds as f64 / of.ms / 1e6 > 4.0 * peaks.gflops {
            return Err(format!("{of:?} of {peaks:?}").into());
        }
    }
    if !times.is_sorted_by(|one, other| one.ms >= other.ms) || !gpu.kernel_times().is_empty() {
        return Err("they are in no order, or told twice".into());
    }
    match found.labels() == expected.labels() {
        true => Ok(()),
        false => Err("labels differ where kernels are timed".into()),
    }
}

/// Descriptors of some rows of a band that is kept are the same, bit for bit, as without it.
fn rows_of_kept_bands(gpu: &dyn Backend) -> Result<(), Failed> {
    let (image, plan) = tiles((520, 300), 5)?;
    let expected = describe(gpu, image.view(), &plan, usize::MAX)?;
    let plan = plan.with_budget(1 << 30);
    let mut session = gpu.upload(image.view(), &plan)?;
    let whole = plan.sites().whole();
    if session.keeps() {
        return Err("nothing is there to be kept".into());
    }
    session.accumulate(&whole)?;
    let before = gpu.work().ok_or("nothing is counted")?;
    for band in plan.sites().bands(1).iter().skip(1) {
        let mut found = Array2::zeros((band.len(), plan.channels()));
        session.describe(band, found.view_mut())?;
        if found != expected.slice(ndarray::s![band.sites(), ..]) {
            return Err(format!("rows {:?} differ", band.rows).into());
        }
    }
    // Of a map, one of several sites, of the channels that are asked for, in one portion.
    let (count, step) = (plan.sites().grid().count, plan.sites().map_step());
    let waits = gpu.work().ok_or("nothing is counted")?.waits;
    let mapped = session.mapped(&[1, 0])?.ok_or("nothing is mapped")?;
    let once = gpu.work().ok_or("nothing is counted")?.waits == waits + 1;
    let cols = count.cols.div_ceil(step);
    for (i, channel) in [1, 0].into_iter().enumerate() {
        for (at, &value) in mapped.row(i).iter().enumerate() {
            let site = at / cols * step * count.cols + at % cols * step;
            if value != expected[(site, channel)] || step == 1 || !once {
                return Err(format!("site {site} of channel {channel} is {value}").into());
            }
        }
    }
    let work = gpu.work().ok_or("nothing is counted")?.since(before);
    match session.keeps() && work.dispatches == 0 {
        true => Ok(()),
        false => Err(format!("they were described again: {work:?}").into()),
    }
}
