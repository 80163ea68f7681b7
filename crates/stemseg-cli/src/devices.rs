//! `stemseg devices`: the adapters, their limits, and the device that `auto` takes.

use serde::Serialize;
use stemseg::backend::gpu::adapter;
use stemseg::backend::gpu::choose::{self, Trial, Verdict};
use stemseg::backend::{self, Backend, Check, DeviceChoice, DeviceInfo, cpu::Cpu};

use super::spelling;
use super::{Failure, print, print_words};

const AFTER_HELP: &str = "\
Each adapter is tried with a self-test of every kernel, and is listed with the reason why auto takes it or
passes it over. --device takes any part of a name in this list, a number, or a PCI address.

Examples:
  stemseg devices
  stemseg segment grain.npy --device llvmpipe
  stemseg segment grain.npy --device 2";

/// List the GPUs, their limits, and the device that --device auto takes.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Print JSON on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    devices: Vec<Device>,
    auto: DeviceInfo,
    reason: String,
}

#[derive(Serialize)]
struct Device {
    #[serde(flatten)]
    info: DeviceInfo,
    driver: Option<String>,
    /// Address on the PCI bus, which tells equal adapters apart.
    pci_address: Option<String>,
    limits: Option<Limits>,
    /// Whether it has what kernels need and passed its self-test.
    passes: bool,
    /// Why auto takes it, or passes it over.
    reason: String,
}

#[derive(Serialize)]
struct Limits {
    buffer_binding_bytes: u64,
    workgroup_memory_bytes: u32,
    workgroup_threads: u32,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let listing = list()?;
    if args.json {
        let text = serde_json::to_string_pretty(&listing).map_err(|e| Failure::Run(e.into()))?;
        return print(&text);
    }
    let mut lines = Vec::new();
    for (number, device) in (1..).zip(&listing.devices) {
        // The CPU has no number: it is `cpu`.
        let number = device.limits.as_ref().map_or_else(String::new, |_| format!("{number}: "));
        lines.push(number + &device.info.name);
        let address = device.pci_address.as_ref().map(|address| format!(", PCI {address}"));
        let DeviceInfo { kind, backend, .. } = &device.info;
        lines.push(format!("  {kind}, {backend}{}", address.unwrap_or_default()));
        lines.extend(device.driver.iter().map(|driver| format!("  driver {driver}")));
        lines.extend(device.limits.iter().map(|limits| {
            format!(
                "  buffers up to {} MiB, {} KiB of workgroup memory, {} threads per workgroup",
                limits.buffer_binding_bytes >> 20,
                limits.workgroup_memory_bytes >> 10,
                limits.workgroup_threads
            )
        }));
        lines.push(format!("  {}", device.reason));
    }
    lines.push(String::new());
    lines.push(format!("--device auto takes {}: {}", listing.auto.name, listing.reason));
    print_words(&lines.join("\n"))
}

/// What `stemseg devices --json` prints.
///
/// # Errors
/// As [`backend::open`] has.
pub fn devices() -> Result<serde_json::Value, stemseg::Error> {
    Ok(serde_json::json!(list()?))
}

fn list() -> Result<Listing, stemseg::Error> {
    let mut devices: Vec<Device> = adapter::adapters().iter().map(tried).collect();
    let real = |device: &&Device| device.passes && device.info.kind != SOFTWARE;
    let taken = devices.iter().find(real).map(|device| device.info.clone());
    let cpu = Cpu::new().device().clone();
    let (auto, reason) = match taken {
        Some(info) => (info, "the first real GPU that passes, discrete before integrated".into()),
        None => {
            let (_, remarks) = backend::open(&DeviceChoice::Auto, Check::On, &[])?;
            (cpu.clone(), remarks.notes.last().map(spelling::words).unwrap_or_default())
        }
    };
    let always = "always available".to_owned();
    devices.push(Device {
        info: cpu,
        driver: None,
        pci_address: None,
        limits: None,
        passes: true,
        reason: always,
    });
    Ok(Listing { devices, auto, reason })
}

/// `DeviceInfo::kind` of an adapter that is a program for the CPU.
const SOFTWARE: &str = "software-gpu";

/// An adapter and whether it can be used.
fn tried(adapter: &wgpu::Adapter) -> Device {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    let real = adapter::is_real(&info);
    let Trial { verdict, took } = choose::try_out(adapter);
    let (passes, reason) = match verdict {
        Verdict::Passes => {
            let passed = format!("passes the self-test ({} ms)", took.as_millis());
            let slower = "auto passes it over: the CPU itself is faster";
            (true, if real { passed } else { format!("{passed}; {slower}") })
        }
        Verdict::Fails(error) => {
            (false, format!("auto passes it over: {}", spelling::error(&error)))
        }
    };
    Device {
        info: adapter::device_info(&info),
        driver: Some(format!("{} {}", info.driver, info.driver_info)),
        pci_address: adapter::pci_address(&info).map(str::to_owned),
        limits: Some(Limits {
            buffer_binding_bytes: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size),
            workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
            workgroup_threads: limits.max_compute_invocations_per_workgroup,
        }),
        passes,
        reason,
    }
}
