//! Formats whose feature this build leaves out: recognised, and refused with its name.

use std::path::Path;

use super::{Format, Images};
use crate::features::Feature;
use stemseg::{Error, Result};

/// A format that is not read.
pub(super) struct LeftOut {
    name: &'static str,
    feature: Feature,
    /// What the feature does.
    reads: &'static str,
    recognises: fn(&[u8]) -> bool,
    claims: fn(&Path) -> bool,
}

impl Format for LeftOut {
    fn name(&self) -> &'static str {
        self.name
    }

    fn recognises(&self, head: &[u8]) -> bool {
        (self.recognises)(head)
    }

    fn claims(&self, path: &Path) -> bool {
        (self.claims)(path)
    }

    fn is_read(&self) -> bool {
        false
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let missing = self.feature.missing(self.reads);
        let reason = format!("is {}; {missing}; save the image as TIFF or npy", self.name);
        Err(Error::unreadable(path, reason))
    }
}

#[cfg(any(test, not(feature = "vendor")))]
const fn vendor(name: &'static str, recognises: fn(&[u8]) -> bool) -> LeftOut {
    let reads = "reads files of instruments (DM3, DM4, ser, emi, EMD, MRC)";
    LeftOut { name, feature: Feature::Vendor, reads, recognises, claims: |_| true }
}

#[cfg(any(test, not(feature = "vendor")))]
pub(super) static DM: LeftOut = vendor("DigitalMicrograph", |head| {
    // Version, length, order of bytes.
    let word =
        |at: usize| head.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
    matches!((word(0), word(8)), (Some(3), Some(0 | 1)))
        || matches!((word(0), word(12)), (Some(4), Some(0 | 1)))
});

#[cfg(any(test, not(feature = "vendor")))]
pub(super) static SER: LeftOut = vendor("TIA ser", |head| head.starts_with(b"II\x97\x01"));

#[cfg(any(test, not(feature = "vendor")))]
pub(super) static EMI: LeftOut = vendor("TIA emi", |head| head.starts_with(b"JK\0\x02"));

/// Those with the mark of 2000 and later.
#[cfg(any(test, not(feature = "vendor")))]
pub(super) static MRC: LeftOut =
    vendor("MRC", |head| head.get(208..).is_some_and(|rest| rest.starts_with(b"MAP")));

/// What is in the file, an HDF5 reader would have to say.
#[cfg(any(test, not(any(feature = "vendor", feature = "hspy"))))]
pub(super) static HDF5: LeftOut = LeftOut {
    name: "HDF5",
    feature: Feature::Hspy,
    reads: "reads hspy (vendor, which this build leaves out too, reads EMD)",
    recognises: super::is_hdf5,
    claims: |_| true,
};

#[cfg(all(not(feature = "hspy"), feature = "vendor"))]
pub(super) static HSPY: LeftOut = LeftOut {
    name: "HyperSpy hspy",
    feature: Feature::Hspy,
    reads: "reads hspy files",
    recognises: super::is_hdf5,
    claims: super::hdf5::is_hspy,
};

#[cfg(any(test, not(feature = "zarr")))]
pub(super) static ZSPY: LeftOut = LeftOut {
    name: "HyperSpy zspy",
    feature: Feature::Zarr,
    reads: "reads zspy files",
    recognises: |head| head.starts_with(b"PK\x03\x04"),
    claims: super::zspy_mark::is_zspy,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// What a build without the features says of the small files of every format.
    #[test]
    fn each_is_refused_in_one_sentence_that_names_the_feature() {
        let folder = tempfile::tempdir().unwrap();
        let formats: [&LeftOut; 6] = [&DM, &SER, &EMI, &MRC, &HDF5, &ZSPY];
        let expected = |name: &str| match name.rsplit_once('.').unwrap().1 {
            "dm3" | "ser" | "mrc" => Some("feature vendor, which reads"),
            "emd" | "hspy" => Some("feature hspy, which reads hspy (vendor,"),
            "zspy" => Some("feature zarr, which reads zspy"),
            "npy" | "npz" => None,
            _ => panic!("say here what a build without features does with {name}"),
        };
        for (name, bytes) in stemseg_testing::files::all() {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let head = &bytes[..bytes.len().min(super::super::HEAD as usize)];
            let found = formats.iter().find(|f| f.recognises(head) && f.claims(&path));
            let Some(words) = expected(name) else {
                assert!(found.is_none(), "{name}");
                continue;
            };
            let found = found.unwrap_or_else(|| panic!("{name} is not recognised"));
            assert!(!found.is_read());
            let Err(error) = found.open(&path) else { panic!("{name} is opened") };
            let said = error.to_string();
            assert!(said.contains(name) && said.contains(words), "{said}");
            assert!(!said.contains(". ") && !said.contains('\n'), "{said}");
        }
    }
}
