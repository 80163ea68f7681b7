//! Adapters: which there are, which one to take.

use wgpu::{Adapter, Backend, Backends, DeviceType, Instance, InstanceDescriptor, InstanceFlags};

use super::limits;
use crate::backend::{DeviceChoice, DeviceInfo};
use crate::{Error, Result};

/// How to get a GPU where none is found.
const NO_ADAPTER: &str = "no graphics adapter was found; install the GPU's driver with Vulkan \
    (Linux: also libvulkan1; without a GPU mesa-vulkan-drivers gives the software adapter llvmpipe), \
    or use `device = cpu`";

/// All adapters, the one that `auto` would take first. `WGPU_BACKEND` limits
/// them to some interfaces (`vulkan`, `metal`, `dx12`).
pub fn adapters() -> Vec<Adapter> {
    let instance = Instance::new(InstanceDescriptor {
        backends: (Backends::VULKAN | Backends::METAL | Backends::DX12).with_env(),
        // Debug builds would take in validation layers where there are some.
        flags: InstanceFlags::empty().with_env(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    adapters.sort_by_key(|a| rank(&a.get_info()));
    adapters
}

/// Order of preference: by kind, then by the interface that is best on its
/// platform (where a GPU has two, Vulkan is before DX12).
fn rank(info: &wgpu::AdapterInfo) -> (u8, u8) {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    };
    let interface = match info.backend {
        Backend::Metal => 0,
        Backend::Vulkan => 1,
        Backend::Dx12 => 2,
        _ => 3,
    };
    (kind, interface)
}

/// Whether `auto` may take the adapter: a software adapter is slower than the
/// CPU backend on the same processor.
pub fn is_real(info: &wgpu::AdapterInfo) -> bool {
    info.device_type != DeviceType::Cpu
}

/// What kernels need and the adapter lacks, in words; nothing where they can run on it.
pub fn lacking(adapter: &Adapter) -> Option<String> {
    limits::lacking(adapter)
}

/// Name, kind and interface of an adapter.
pub fn device_info(info: &wgpu::AdapterInfo) -> DeviceInfo {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "discrete-gpu",
        DeviceType::IntegratedGpu => "integrated-gpu",
        DeviceType::VirtualGpu => "virtual-gpu",
        DeviceType::Other => "other-gpu",
        DeviceType::Cpu => "software-gpu",
    };
    DeviceInfo { kind: kind.into(), name: info.name.clone(), backend: info.backend.to_string() }
}

/// The adapter that `choice` names; the best real GPU for `gpu` and `auto`.
///
/// # Errors
/// [`Error::NoDevice`] naming the adapters there are; [`Error::Parameter`] for the CPU,
/// which is none.
pub fn choose(choice: &DeviceChoice) -> Result<Adapter> {
    let all = adapters();
    let names = names(&all);
    let mut candidates = all.into_iter();
    let found = match choice {
        DeviceChoice::Cpu => {
            let reason = "an adapter is checked against the CPU; name an adapter";
            return Err(Error::parameter("device", "cpu", reason));
        }
        DeviceChoice::Auto | DeviceChoice::Gpu => candidates.find(|a| is_real(&a.get_info())),
        DeviceChoice::Named(name) => candidates.find(|a| matches_name(&a.get_info().name, name)),
    };
    found.ok_or_else(|| {
        Error::NoDevice(match choice {
            _ if names.is_empty() => NO_ADAPTER.into(),
            DeviceChoice::Named(name) => {
                format!("no adapter's name contains '{name}'; there are: {names}")
            }
            _ => format!(
                "no real GPU was found, only {names}; install the GPU's Vulkan driver, name that \
                 adapter with `device`, or use `device = cpu`"
            ),
        })
    })
}

/// The adapter to check against the CPU: as [`choose`], but `auto` takes the best
/// there is, software adapters included.
///
/// # Errors
/// [`Error::NoDevice`] naming the adapters there are; [`Error::Parameter`] for
/// the CPU, which cannot be checked against itself.
pub fn to_verify(choice: &DeviceChoice) -> Result<Adapter> {
    match choice {
        DeviceChoice::Auto => {
            adapters().into_iter().next().ok_or_else(|| Error::NoDevice(NO_ADAPTER.into()))
        }
        _ => self::choose(choice),
    }
}

fn matches_name(name: &str, part: &str) -> bool {
    !part.is_empty() && name.to_lowercase().contains(&part.to_lowercase())
}

/// Names of `adapters`, in quotes.
pub(super) fn names(adapters: &[Adapter]) -> String {
    let names: Vec<String> = adapters.iter().map(|a| format!("'{}'", a.get_info().name)).collect();
    names.join(", ")
}
