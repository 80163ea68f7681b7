//! `stemseg devices`: adapters, their limits, and the one that `auto` takes.

use serde::Serialize;
use stemseg::backend::gpu::adapter;
use stemseg::backend::{Backend, Choice, DeviceInfo, cpu::Cpu};

use super::{Failure, print};

/// List the adapters, their limits, and the one that --device auto takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Print JSON.
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
    limits: Option<Limits>,
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
    for device in &listing.devices {
        lines.push(device.info.name.clone());
        lines.push(format!("  {}, {}", device.info.kind, device.info.backend));
        lines.extend(device.driver.iter().map(|driver| format!("  driver {driver}")));
        lines.extend(device.limits.iter().map(|limits| {
            format!(
                "  buffers up to {} MiB, {} KiB of workgroup memory, {} threads a workgroup",
                limits.buffer_binding_bytes >> 20,
                limits.workgroup_memory_bytes >> 10,
                limits.workgroup_threads
            )
        }));
    }
    lines.push(String::new());
    lines.push(format!("--device auto takes {}: {}", listing.auto.name, listing.reason));
    print(&lines.join("\n"))
}

fn list() -> Result<Listing, Failure> {
    let mut devices: Vec<Device> = adapter::adapters()
        .iter()
        .map(|a| {
            let (info, limits) = (a.get_info(), a.limits());
            Device {
                info: adapter::device_info(&info),
                driver: Some(format!("{} {}", info.driver, info.driver_info)),
                limits: Some(Limits {
                    buffer_binding_bytes: limits
                        .max_storage_buffer_binding_size
                        .min(limits.max_buffer_size),
                    workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
                    workgroup_threads: limits.max_compute_invocations_per_workgroup,
                }),
            }
        })
        .collect();
    let cpu = Cpu::new().device().clone();
    devices.push(Device { info: cpu.clone(), driver: None, limits: None });
    let (auto, reason) = match adapter::choose(&Choice::Auto)? {
        adapter::Chosen::Adapter(a) => (
            adapter::device_info(&a.get_info()),
            "the first real GPU, discrete before integrated".into(),
        ),
        adapter::Chosen::Cpu(why) => (cpu, why),
    };
    Ok(Listing { devices, auto, reason })
}
