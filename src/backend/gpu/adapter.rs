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
    let infos: Vec<_> = all.iter().map(Adapter::get_info).collect();
    let mut candidates = all.into_iter();
    let found = match choice {
        DeviceChoice::Cpu => {
            let reason = "an adapter is checked against the CPU; name an adapter";
            return Err(Error::parameter("device", "cpu", reason));
        }
        DeviceChoice::Auto | DeviceChoice::Gpu => candidates.find(|a| is_real(&a.get_info())),
        DeviceChoice::Named(name) => place(&infos, name).and_then(|place| candidates.nth(place)),
    };
    found.ok_or_else(|| {
        Error::NoDevice(match choice {
            _ if names.is_empty() => NO_ADAPTER.into(),
            DeviceChoice::Named(name) => {
                format!(
                    "no adapter has '{name}' in its name, as its number or PCI address; there are: \
                     {names}"
                )
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

/// The PCI address of an adapter, where it has one and the driver tells it.
pub fn pci_address(info: &wgpu::AdapterInfo) -> Option<&str> {
    Some(info.device_pci_bus_id.as_str()).filter(|address| !address.is_empty())
}

/// Which of the adapters `text` stands for: its number, from 1 on, which tells equal ones apart;
/// its PCI address, with the domain or without; or the first whose name holds it.
fn place(infos: &[wgpu::AdapterInfo], text: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let number = text.parse::<usize>().ok().filter(|number| (1..=infos.len()).contains(number));
    if let Some(number) = number {
        return Some(number - 1);
    }
    let has_address = |info: &wgpu::AdapterInfo| {
        let address = pci_address(info)?.to_lowercase();
        let short = address.split_once(':').map(|(_, short)| short.to_owned());
        Some(address == text || short.is_some_and(|short| short == text))
    };
    let has_name =
        |info: &wgpu::AdapterInfo| !text.is_empty() && info.name.to_lowercase().contains(&text);
    let by_address = infos.iter().position(|info| has_address(info).unwrap_or_default());
    by_address.or_else(|| infos.iter().position(has_name))
}

/// Names of `adapters`, in quotes.
pub(super) fn names(adapters: &[Adapter]) -> String {
    let names: Vec<String> = adapters.iter().map(|a| format!("'{}'", a.get_info().name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, address: &str) -> wgpu::AdapterInfo {
        let mut info = wgpu::AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan);
        (info.name, info.device_pci_bus_id) = (name.into(), address.into());
        info
    }

    #[test]
    fn equal_adapters_are_told_apart() {
        let equal = "NVIDIA GeForce RTX 4090";
        let infos =
            [info(equal, "0000:01:00.0"), info(equal, "0000:C1:00.0"), info("llvmpipe", "")];
        let place = |text| place(&infos, text);
        assert_eq!(["1", "2", "3", "4"].map(place), [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(["0000:c1:00.0", "c1:00.0", "C1:00"].map(place), [Some(1), Some(1), None]);
        // A number in a name is no number of an adapter.
        assert_eq!(
            ["4090", "rtx", "LLVM", "", "0"].map(place),
            [Some(0), Some(0), Some(2), None, Some(0)]
        );
    }
}
