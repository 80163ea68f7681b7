//! The backends that trials run on.

use std::sync::atomic::{AtomicUsize, Ordering};
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

    /// `test` on the GPU backend alone, on the one device that all these trials share.
    pub fn gpu_trial(
        &self,
        name: &str,
        test: impl Fn(&Gpu) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Trial {
        self.adapter_trial(name, move |adapter| test(shared(adapter)?))
    }

    /// `test` on a GPU backend of its own, which is opened with `options` when the trial runs,
    /// and closed after it; buffers start as NaN.
    pub fn gpu_trial_with(
        &self,
        name: &str,
        options: impl Fn() -> Options + Send + Sync + 'static,
        test: impl Fn(&Gpu) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Trial {
        self.adapter_trial(name, move |adapter| test(&open(adapter, options())?))
    }

    /// `test` of the adapter alone.
    pub fn adapter_trial(
        &self,
        name: &str,
        test: impl Fn(&wgpu::Adapter) -> Result<(), Failed> + Send + Sync + 'static,
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
                Trial::test(name, move || test(&adapter))
            }
        }
    }
}

/// How many devices were opened so far: none before a trial runs.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// How many devices [`Devices`] has opened so far.
pub fn opened() -> usize {
    OPENED.load(Ordering::Relaxed)
}

/// A device of its own, with these options; buffers start as NaN.
pub fn open(adapter: &wgpu::Adapter, options: Options) -> Result<Gpu, Failed> {
    OPENED.fetch_add(1, Ordering::Relaxed);
    Ok(Gpu::with_options(adapter, Options { poison: true, ..options })?)
}

/// One device for all trials: drivers allow only a few.
pub fn shared(adapter: &wgpu::Adapter) -> Result<&'static Gpu, Failed> {
    static GPU: OnceLock<Result<Gpu, String>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| {
        let opened = open(adapter, Options::default());
        opened.map_err(|failed| failed.message().unwrap_or_default().to_owned())
    });
    gpu.as_ref().map_err(|e| e.as_str().into())
}
