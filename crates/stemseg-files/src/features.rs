//! What a build may leave out.

use stemseg::{Error, Result};

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

    /// Refuses to write its format in a build without it.
    ///
    /// # Errors
    /// [`Error::Parameter`], named `format`.
    pub fn check_written(self) -> Result<()> {
        if self.is_on() { Ok(()) } else { Err(self.not_written()) }
    }

    /// The error for its format where it is not written.
    pub(crate) fn not_written(self) -> Error {
        let (format, does) = match self {
            Self::Vendor => ("vendor", "reads files of instruments"),
            Self::Hspy => ("hspy", "writes hspy files"),
            Self::Zarr => ("ome-zarr", "writes OME-Zarr"),
        };
        Error::parameter("format", format, format!("{}; give tiff or npy", self.missing(does)))
    }

    /// Why a build without it cannot do what it `does` ("reads DM3 files").
    pub(crate) fn missing(self, does: &str) -> String {
        format!("this stemseg was built without the feature {}, which {does}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_is_left_out_is_refused_in_one_sentence() {
        for (feature, format, does) in [
            (Feature::Hspy, "hspy", "the feature hspy, which writes hspy files"),
            (Feature::Zarr, "ome-zarr", "the feature zarr, which writes OME-Zarr"),
        ] {
            let said = feature.not_written().to_string();
            assert!(said.contains(&format!("format = {format}")) && said.contains(does), "{said}");
            assert!(said.contains("give tiff or npy") && !said.contains(". "), "{said}");
            assert_eq!(feature.check_written().is_ok(), feature.is_on());
        }
    }
}
