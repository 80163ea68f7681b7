//! The backends that trials run on.

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Failed, Trial};
use stemseg::backend::gpu::{Gpu, Options, adapter};
use stemseg::backend::{Backend, cpu::Cpu};

/// What a trial does with a backend.
type Test = dyn Fn(&dyn Backend) -> Result<(), Failed> + Send + Sync;

/// Where GPU trials run.
pub enum Devices {
    /// `STEMSEG_TESTS_GPU=off`.
    Off,
    /// No adapter: GPU trials fail with this.
    Missing(String),
    /// This adapter.
    Adapter(wgpu::Adapter),
}

impl Devices {
    /// The adapter named by `STEMSEG_TESTS_GPU` (any part of its name), else the
    /// best there is, software adapters included.
    pub fn find() -> Self {
        let wanted = std::env::var("STEMSEG_TESTS_GPU").unwrap_or_default();
        if wanted == "off" {
            return Self::Off;
        }
        let all = adapter::adapters();
        let names: Vec<String> = all.iter().map(|a| a.get_info().name).collect();
        let fits =
            |a: &wgpu::Adapter| a.get_info().name.to_lowercase().contains(&wanted.to_lowercase());
        match all.into_iter().find(fits) {
            Some(adapter) => Self::Adapter(adapter),
            None => Self::Missing(format!(
                "no adapter matches STEMSEG_TESTS_GPU='{wanted}' (there are: {names:?}); \
                 install a Vulkan driver or set STEMSEG_TESTS_GPU=off"
            )),
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Off => "ignored, STEMSEG_TESTS_GPU=off".into(),
            Self::Missing(why) => format!("will fail, {why}"),
            Self::Adapter(adapter) => {
                let info = adapter.get_info();
                format!("{} ({}, {})", info.name, info.backend, info.driver_info)
            }
        }
    }

    /// A GPU backend made with `options`; buffers start as NaN.
    pub fn gpu(&self, options: Options) -> Result<Gpu, Failed> {
        match self {
            Self::Off => Err("GPU trials are off".into()),
            Self::Missing(why) => Err(why.as_str().into()),
            Self::Adapter(adapter) => {
                Gpu::with_options(adapter, Options { poison: true, ..options })
                    .map_err(Failed::from)
            }
        }
    }

    /// `test` once on each backend.
    pub fn each(
        &self,
        name: &str,
        test: impl Fn(&dyn Backend) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Vec<Trial> {
        let test: Arc<Test> = Arc::new(test);
        let on_cpu = Arc::clone(&test);
        let cpu = Trial::test(format!("{name}::cpu"), move || on_cpu(&Cpu::new()));
        vec![cpu, self.gpu_trial(name, move |gpu| test(gpu))]
    }

    /// `test` on the GPU backend alone.
    pub fn gpu_trial(
        &self,
        name: &str,
        test: impl Fn(&Gpu) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Trial {
        let name = format!("{name}::gpu");
        match self {
            Self::Off => Trial::test(name, || Ok(()))
                .with_ignored_flag(true)
                .with_kind("STEMSEG_TESTS_GPU=off"),
            Self::Missing(why) => {
                let why = why.clone();
                Trial::test(name, move || Err(why.into()))
            }
            Self::Adapter(adapter) => {
                let adapter = adapter.clone();
                Trial::test(name, move || test(shared(&adapter)?))
            }
        }
    }
}

/// One device for all trials: drivers allow only so many.
fn shared(adapter: &wgpu::Adapter) -> Result<&'static Gpu, Failed> {
    static GPU: OnceLock<Result<Gpu, String>> = OnceLock::new();
    let options = Options { poison: true, ..Default::default() };
    let gpu = GPU.get_or_init(|| Gpu::with_options(adapter, options).map_err(|e| e.to_string()));
    gpu.as_ref().map_err(|e| e.as_str().into())
}
