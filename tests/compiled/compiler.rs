//! Mesa's driver for AMD, which compiles for hardware that is not there.
#![allow(unsafe_code, reason = "Vulkan's functions are unsafe")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};

use ash::{ext, khr, vk};
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Bindings of a kernel: parameters, buffers, and the ledger's beyond.
const BINDINGS: u32 = 16;

/// What a compiled kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Registers of a thread.
    registers: u64,
    /// Groups of 32 threads that a SIMD unit has in flight, of 32.
    occupancy: u64,
    /// Bytes of workgroup memory.
    shared: u64,
    /// Registers that did not fit, and bytes of memory in their place.
    spilled: u64,
    instructions: u64,
    /// Cycles between two groups of threads that a unit finishes, as the compiler guesses.
    inverse_throughput: u64,
}

impl Statistics {
    pub(crate) const NAMES: [&str; 6] =
        ["registers", "occupancy", "shared bytes", "spilled", "instructions", "inverse throughput"];

    pub(crate) fn of(numbers: [u64; 6]) -> Self {
        let [registers, occupancy, shared, spilled, instructions, inverse_throughput] = numbers;
        Self { registers, occupancy, shared, spilled, instructions, inverse_throughput }
    }

    pub(crate) fn numbers(&self) -> [u64; 6] {
        let Self { registers, occupancy, shared, spilled, instructions, inverse_throughput } =
            *self;
        [registers, occupancy, shared, spilled, instructions, inverse_throughput]
    }

    /// What is worse than `expected`, or better without the table's knowing it; of the `same`
    /// driver, or another one, which may differ by more.
    pub(crate) fn worse_than(&self, expected: &Self, same: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |holds: bool, what: &str, found: u64, expected: u64| {
            if !holds {
                wrong.push(format!("{what}: {found}, and {expected} in the table"));
            }
        };
        check(self.spilled == 0, "spilled", self.spilled, 0);
        let instructions = (self.instructions as f64, expected.instructions as f64);
        let share = if same { 0.10 } else { 0.25 };
        let near = (instructions.0 / instructions.1 - 1.0).abs() <= share;
        check(near, "instructions", self.instructions, expected.instructions);
        let registers = expected.registers + if same { 0 } else { 16 };
        check(self.registers <= registers, "registers", self.registers, expected.registers);
        let occupancy = if same { expected.occupancy } else { expected.occupancy * 3 / 4 };
        check(self.occupancy >= occupancy, "occupancy", self.occupancy, expected.occupancy);
        check(self.shared <= expected.shared, "shared bytes", self.shared, expected.shared);
        wrong
    }
}

/// A device of the driver.
pub(crate) struct Compiler {
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    layout: vk::PipelineLayout,
    driver: String,
    // The library, which the device needs.
    _instance: ash::Instance,
    _vulkan: ash::Entry,
}

impl Compiler {
    /// For `family`, or why there is none.
    pub(crate) fn new(family: &str) -> Result<Self, String> {
        // SAFETY: the structures are as the extensions describe them and outlive the calls; the
        // library stays loaded as long as what came of it.
        unsafe {
            let vulkan = ash::Entry::load().map_err(|e| format!("no Vulkan: {e}"))?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = vulkan.create_instance(&info, None).map_err(|e| e.to_string())?;
            let (physical, driver) = null_hardware(&instance)
                .ok_or("Mesa's driver for AMD, which compiles without a GPU, is not here")?;
            let mut executable =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
                    .pipeline_executable_info(true);
            let mut robust =
                vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
            let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            let extensions = [khr::pipeline_executable_properties::NAME, ext::robustness2::NAME];
            let extensions: [*const c_char; 2] = extensions.map(CStr::as_ptr);
            let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .enabled_features(&features)
                .push_next(&mut executable)
                .push_next(&mut robust);
            let device =
                instance.create_device(physical, &info, None).map_err(|e| e.to_string())?;
            let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
            let layout = layout(&device).map_err(|e| e.to_string())?;
            let driver = format!("{family}, {driver}");
            Ok(Self { device, executables, layout, driver, _instance: instance, _vulkan: vulkan })
        }
    }

    /// The hardware and the driver.
    pub(crate) fn driver(&self) -> &str {
        &self.driver
    }

    /// What `kernel` takes, which has this source and these values of its constants.
    pub(crate) fn statistics(
        &self,
        kernel: &str,
        constants: &[(&str, f64)],
        source: &str,
    ) -> Statistics {
        let words = spirv(kernel, constants, source);
        let entry = CString::new(kernel).unwrap();
        // SAFETY: as above; the module is validated SPIR-V.
        let all: BTreeMap<String, u64> = unsafe {
            let module = vk::ShaderModuleCreateInfo::default().code(&words);
            let module = self.device.create_shader_module(&module, None).unwrap();
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry);
            let pipeline = [vk::ComputePipelineCreateInfo::default()
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                .stage(stage)
                .layout(self.layout)];
            let made =
                self.device.create_compute_pipelines(vk::PipelineCache::null(), &pipeline, None);
            let pipeline = vk::PipelineExecutableInfoKHR::default().pipeline(made.unwrap()[0]);
            let found = self.executables.get_pipeline_executable_statistics(&pipeline).unwrap();
            let name = |s: &vk::PipelineExecutableStatisticKHR<'_>| {
                CStr::from_ptr(s.name.as_ptr()).to_string_lossy().into_owned()
            };
            found.iter().map(|s| (name(s), s.value.u64)).collect()
        };
        let of = |name: &str| *all.get(name).unwrap_or_else(|| panic!("no {name} in {all:?}"));
        Statistics {
            registers: of("VGPRs"),
            occupancy: of("Subgroups per SIMD"),
            shared: of("LDS size"),
            spilled: of("Spilled SGPRs") + of("Spilled VGPRs") + of("Scratch size"),
            instructions: of("Instructions"),
            inverse_throughput: of("Inverse Throughput"),
        }
    }
}

/// The hardware that is not there, and the driver's version.
///
/// # Safety
/// `instance` is one.
unsafe fn null_hardware(instance: &ash::Instance) -> Option<(vk::PhysicalDevice, String)> {
    // SAFETY: the devices are those of the instance.
    unsafe {
        let all = instance.enumerate_physical_devices().ok()?;
        all.into_iter().find_map(|physical| {
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let name = CStr::from_ptr(properties.properties.device_name.as_ptr());
            let null = name.to_string_lossy().starts_with("Null hardware");
            let version = CStr::from_ptr(driver.driver_info.as_ptr()).to_string_lossy();
            null.then(|| (physical, version.into_owned()))
        })
    }
}

/// A layout with a binding for whatever a kernel has.
///
/// # Safety
/// `device` is one.
unsafe fn layout(device: &ash::Device) -> ash::prelude::VkResult<vk::PipelineLayout> {
    let kind = |i| match i {
        0 => vk::DescriptorType::UNIFORM_BUFFER,
        _ => vk::DescriptorType::STORAGE_BUFFER,
    };
    let binding = |i| {
        vk::DescriptorSetLayoutBinding::default()
            .binding(i)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
            .descriptor_type(kind(i))
    };
    let bindings: Vec<_> = (0..BINDINGS).map(binding).collect();
    let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
    // SAFETY: the structures outlive the calls.
    unsafe {
        let sets = [device.create_descriptor_set_layout(&info, None)?];
        let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        device.create_pipeline_layout(&info, None)
    }
}

/// A kernel as wgpu gives it to a driver that checks buffers itself.
fn spirv(kernel: &str, constants: &[(&str, f64)], source: &str) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(source).unwrap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
    let values = constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let entry = Some((naga::ShaderStage::Compute, kernel));
    let info = info.unwrap();
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, entry, &values).unwrap();
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS,
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: true,
        emit_int_div_checks: true,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: kernel.to_owned(),
    };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap()
}
