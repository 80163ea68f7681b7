//! What a build may leave out.

/// A Cargo feature of this crate: formats whose readers and writers bring crates of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Files of instruments: DM3 and DM4, TIA ser and emi, MRC, Velox and NCEM EMD.
    Vendor,
    /// HyperSpy's hspy, read and written.
    Hspy,
    /// HyperSpy's zspy, read, and OME-Zarr, written.
    Zarr,
}

impl Feature {
    /// Its name in Cargo.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Hspy => "hspy",
            Self::Zarr => "zarr",
        }
    }

    /// Whether this build has it.
    pub fn is_on(self) -> bool {
        match self {
            Self::Vendor => cfg!(feature = "vendor"),
            Self::Hspy => cfg!(feature = "hspy"),
            Self::Zarr => cfg!(feature = "zarr"),
        }
    }

    /// Why a build without it cannot do what it `does` ("reads DM3 files").
    #[cfg_attr(all(feature = "vendor", feature = "hspy", feature = "zarr"), allow(dead_code))]
    pub(crate) fn missing(self, does: &str) -> String {
        format!("this stemseg was built without the feature {}, which {does}", self.name())
    }
}
