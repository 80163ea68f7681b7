//! [`LabelKinetics`]: the tables of a film whose label maps are there already, whoever made them.

use std::fs;

use ndarray::Array2;
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};
use tempfile::TempDir;

use super::account::{Account, Units};
use super::source::Status;
use super::tables::{self, Scales};
use super::work::{self, Line};

/// Period that domains and squares are measured by where none is known, px.
const PERIOD: f64 = 12.0;

/// Kinetics of label maps that come one after the other, as [`series`](super::series()) tells them.
#[derive(Debug)]
pub struct LabelKinetics {
    account: Account,
    scales: Scales,
    folder: TempDir,
    shape: Option<(usize, usize)>,
}

impl LabelKinetics {
    /// Of a film with labels 1 to `patterns`, in which crystals repeat every `period` px; pixels have
    /// this `size`, and frames are `interval` seconds apart, where that is known.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a period or an interval that cannot be; [`Error::Io`] of the folder
    /// for temporary files.
    pub fn new(
        patterns: usize,
        period: Option<f64>,
        size: Option<PixelSize>,
        interval: Option<f64>,
    ) -> Result<Self> {
        for (name, value) in [("period", period), ("interval", interval)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                return Err(Error::parameter(name, value, "it must be above 0"));
            }
        }
        if patterns == 0 || patterns > usize::from(u16::MAX) {
            let reason = format!("a film has 1 to {} patterns", u16::MAX);
            return Err(Error::parameter("clusters", patterns, reason));
        }
        let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let units = Units {
            patterns,
            period: period.unwrap_or(PERIOD),
            interval,
            pixel: size.map(|size| size.rows * size.cols),
        };
        let account = Account::new(units, &folder.path().join(work::DOMAINS))?;
        Ok(Self { account, scales: Scales { size, interval }, folder, shape: None })
    }

    /// Adds the `labels` `[rows, cols]` of the next frame, 0 where a pixel has none.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a frame of another size, or a label that there is not.
    pub fn add(&mut self, labels: Array2<u16>) -> Result<()> {
        let frame = self.account.frames.len();
        let shape = *self.shape.get_or_insert(labels.dim());
        if labels.dim() != shape {
            let reason = format!("frame {frame} has another size than the first, {shape:?} px");
            return Err(Error::parameter("labels", format!("{:?}", labels.dim()), reason));
        }
        let most = labels.iter().copied().max().unwrap_or_default();
        if most > self.account.patterns() {
            let patterns = self.account.patterns();
            let reason = format!("frame {frame} has it, but there are {patterns} patterns");
            return Err(Error::parameter("label", most, reason));
        }
        let line = Line {
            frame,
            status: if most == 0 { Status::Blank } else { Status::Ok },
            drift: [0.0; 2],
            agreement: None,
            confidence: None,
            strangeness: None,
            moved: None,
            centroids: None,
        };
        self.account.add(line, (most > 0).then_some(labels))
    }

    /// What `kinetics.csv` and `domains.csv` say.
    ///
    /// # Errors
    /// [`Error::Io`] of a temporary file.
    pub fn finish(mut self) -> Result<[String; 2]> {
        self.account.finish()?;
        let path = |name| self.folder.path().join(name);
        tables::write(&path(work::KINETICS), &self.account, self.scales)?;
        let text = |name| fs::read_to_string(path(name)).map_err(Error::io(path(name)));
        Ok([text(work::KINETICS)?, text(work::DOMAINS)?])
    }
}
