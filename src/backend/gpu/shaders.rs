//! WGSL sources of the kernels, from `shaders/`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Index;

/// Name of a kernel, which is its entry point's too, and its WGSL.
pub(super) type Wgsl = (&'static str, &'static str);

/// The WGSL of a kernel: the ledger, what else it is to begin with, and the file of its
/// name.
macro_rules! wgsl {
    ($($before:literal,)* => $name:literal) => {
        ($name, concat!($crate::backend::gpu::shaders::file!("ledger"),
            $($crate::backend::gpu::shaders::file!($before),)*
            $crate::backend::gpu::shaders::file!($name)))
    };
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
    };
}

pub(super) use {file, wgsl};

/// The sources of all kernels by their names.
#[derive(Debug, Clone)]
pub struct Shaders(BTreeMap<&'static str, Cow<'static, str>>);

impl Shaders {
    /// These.
    pub(super) fn of(all: impl Iterator<Item = Wgsl>) -> Self {
        Self(all.map(|(name, wgsl)| (name, wgsl.into())).collect())
    }

    /// Names of the kernels.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// The source of the kernel of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|wgsl| &**wgsl)
    }

    /// The same with `from`, wherever it stands in kernel `name`, replaced by `to`.
    #[must_use]
    pub fn replaced(mut self, name: &str, from: &str, to: &str) -> Self {
        if let Some(wgsl) = self.0.get_mut(name) {
            *wgsl = wgsl.replace(from, to).into();
        }
        self
    }
}

impl Index<&str> for Shaders {
    type Output = str;

    fn index(&self, name: &str) -> &str {
        &self.0[name]
    }
}
