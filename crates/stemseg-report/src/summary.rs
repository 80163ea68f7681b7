//! `summary.json`: what was done, with what, and what came of it.

mod input;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::area;
pub use crate::calibration::{ByLattice, Calibrated};
pub use crate::crystals::{LabelBoundary, LabelLattice};
pub use crate::lines::LinesFound;
use crate::overlay::{OverlayOptions, Style};
pub use crate::strain::{LabelStrain, Strained};
use input::lossy;
pub use input::{Checksummed, Input, NonFiniteFound, OutliersFound};
use stemseg::backend::{DeviceInfo, DeviceWork};
use stemseg::cluster::choose::Choice;
use stemseg::image::micrograph::PixelSize;
use stemseg::labels::boundary::boundaries;
use stemseg::labels::label_map::Area;
use stemseg::lattice::Repetition;
use stemseg::pipeline::{Patterns, Segmentation, Timings};
use stemseg::plan::{Params, Plan};
use stemseg::reduce::pca::Explained;
use stemseg::remarks::{Remarks, Warning};
use stemseg::sites::SiteGrid;
use stemseg::wording::Text;
use stemseg_crystals::{Crystals, ScanDistortion};
use stemseg_files::write::LabelType;
use stemseg_regions::grains::Grains;

/// Everything in `summary.json`, in its order.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Version of stemseg that wrote it.
    pub stemseg_version: &'static str,
    /// The image.
    pub input: Input,
    /// The parameters as they were used; `clusters` holds this result's alone.
    pub parameters: Params,
    /// How the image repeats, where it was looked for.
    pub lattice: Option<Repetition>,
    /// The model that labelled the image, where nothing was fitted to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFile>,
    /// What computed.
    pub device: DeviceInfo,
    /// What it was asked to do, where it is a graphics device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_work: Option<DeviceWork>,
    /// What was computed at the sites.
    pub descriptors: Descriptors,
    /// What PCA kept.
    pub pca: Explained,
    /// How the clustering went.
    pub kmeans: KMeans,
    /// Why this number of clusters, where their number was chosen.
    pub choice: Option<Choice>,
    /// What each label covers.
    pub labels: Vec<LabelArea>,
    /// What repeats in the regions of each label. Filled where `lattices.csv` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lattices: Option<Vec<LabelLattice>>,
    /// What a known lattice says of pixels and scan, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibrated>,
    /// How the scan distorts the image, where crystals that are turned against each other agree on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_distortion: Option<ScanDistortion>,
    /// How strained regions are inside. Filled where `strain.tif` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strain: Option<Strained>,
    /// How long the boundaries between labels are, the longest first, and how the crystals on both
    /// sides are related where the lattices are known.
    pub boundaries: Vec<LabelBoundary>,
    /// How many lines these consist of, and where they meet. Filled where `boundaries.csv` and
    /// `triple_points.csv` are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary_lines: Option<LinesFound>,
    /// What regions had to have at least, px, where smaller ones were given to neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_region_px: Option<f64>,
    /// The connected regions of each label: how many, and how large; those that the image cuts off
    /// are made up for. Filled where `regions.csv` is written.
    pub regions: Vec<Grains>,
    /// How sure the labels are.
    pub confidence: Confidence,
    /// Which channels tell the patterns apart.
    pub separability: Separability,
    /// Why the result may be wrong; empty where nothing speaks against it.
    pub warnings: Vec<Warning>,
    /// What was done or decided, a sentence each.
    pub notes: Vec<Text>,
    /// All files and folders of the result, this one too; those of folders end with `/`. Filled
    /// when all are there.
    pub files: Vec<String>,
    /// Integers in which labels are stored.
    pub label_type: LabelType,
    /// How `overlay.png` is drawn.
    pub overlay: Overlay,
    /// Wall-clock times, ms.
    pub timings_ms: TimingsMs,
}

/// A model that labelled an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// The file, as given; U+FFFD stands for what is no Unicode in its name.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

/// How an overlay is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overlay {
    /// How labels are shown.
    pub style: Style,
    /// Share of the label's colour in a tinted pixel, where pixels are tinted.
    pub alpha: Option<f64>,
}

impl From<&OverlayOptions> for Overlay {
    fn from(options: &OverlayOptions) -> Self {
        // As it was given, not as f32 holds it.
        let share = (f64::from(options.alpha) * 1e6).round() / 1e6;
        let alpha = (options.style != Style::Lines).then_some(share);
        Self { style: options.style, alpha }
    }
}

/// What was computed at the sites.
#[derive(Debug, Clone, Serialize)]
pub struct Descriptors {
    /// The families, in the order of their channels.
    pub families: Vec<&'static str>,
    /// Number of channels.
    pub channels: usize,
    /// Number of sites that took part.
    pub sites: usize,
    /// Where they are.
    pub grid: SiteGrid,
    /// Names of the channels.
    pub channel_names: Vec<String>,
}

/// How the clustering went.
#[derive(Debug, Clone, Serialize)]
pub struct KMeans {
    /// Number of clusters.
    pub clusters: usize,
    /// Sum of squared distances of the sites' features from their centroids.
    pub inertia: f64,
    /// Iterations of the best run.
    pub iterations: usize,
    /// Number of runs it was chosen from.
    pub restarts: usize,
    /// Whether the run ended because no label changed.
    pub converged: bool,
}

/// What one label covers.
#[derive(Debug, Clone, Serialize)]
pub struct LabelArea {
    /// What the model calls the pattern, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Label, pixels and share of the image.
    #[serde(flatten)]
    pub area: Area,
    /// Area, nm^2, where the file is calibrated.
    pub area_nm2: Option<f64>,
    /// How far that may be off, nm^2: the length of the label's boundaries times half the
    /// distance of neighbouring sites, within which a boundary may lie anywhere.
    pub area_uncertainty_nm2: Option<f64>,
    /// Mean membership over its pixels, 0 to 1.
    pub confidence: f64,
}

impl LabelArea {
    /// What each label of `patterns` covers, one result of `found`, with the size of a pixel.
    pub fn all(patterns: &Patterns, found: &Segmentation, pixel: Option<PixelSize>) -> Vec<Self> {
        let (map, plan) = (&patterns.map, &found.plan);
        let name = |label: u16| found.model.as_ref()?.name(label).map(str::to_owned);
        let means = map.means(&patterns.memberships);
        let boundaries = boundaries(map, plan.sites(), plan.frame(), pixel);
        let along = |label: u16| -> f64 {
            let own = boundaries.iter().filter(|b| b.labels.contains(&label));
            own.filter_map(|b| b.length_nm).sum()
        };
        let half_a_step = |p: PixelSize| {
            0.5 * plan.sites().grid().stride as f64 / plan.frame().scale * (p.rows * p.cols).sqrt()
        };
        let area = |&area: &Area| Self {
            name: name(area.label),
            area,
            area_nm2: pixel.map(|p| p.rows * p.cols * area.pixels as f64),
            area_uncertainty_nm2: pixel.map(|p| half_a_step(p) * along(area.label)),
            confidence: means[usize::from(area.label) - 1],
        };
        map.areas.iter().map(area).collect()
    }

    /// Its area, to be put into words, where the file is calibrated.
    pub fn calibrated(&self) -> Option<area::Area> {
        let (nm2, uncertainty_nm2) = self.area_nm2.zip(self.area_uncertainty_nm2)?;
        Some(area::Area { nm2, uncertainty_nm2 })
    }
}

/// How sure the labels are: membership of the sites in their clusters.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Confidence {
    /// Mean over the labelled pixels.
    pub mean: f64,
    /// Share of the labelled pixels above 0.9.
    pub fraction_above_0_9: f64,
}

impl Confidence {
    fn new(patterns: &Patterns) -> Self {
        let (mut count, mut sum, mut above) = (0_u64, 0.0, 0_u64);
        patterns.map.spread(&patterns.memberships).by_site(|value, pixels| {
            count += pixels;
            sum += f64::from(value) * pixels as f64;
            above += if value > 0.9 { pixels } else { 0 };
        });
        let n = count.max(1) as f64;
        Self { mean: sum / n, fraction_above_0_9: above as f64 / n }
    }
}

/// Which channels tell the patterns apart (Fisher: sum of squares between
/// classes over that within them).
#[derive(Debug, Clone, Serialize)]
pub struct Separability {
    /// The best channels, best first.
    pub best: Vec<Channel>,
    /// Of every channel, in the order of `descriptors.channel_names`.
    pub channels: Vec<f64>,
}

/// One channel's separability.
#[derive(Debug, Clone, Serialize)]
pub struct Channel {
    /// Name of the channel.
    pub name: String,
    /// Its separability.
    pub value: f64,
}

impl Separability {
    /// How many of the best are listed.
    const BEST: usize = 10;

    fn new(patterns: &Patterns, plan: &Plan) -> Self {
        let values = patterns.separability.to_vec();
        let mut best: Vec<Channel> = plan
            .channel_names()
            .into_iter()
            .zip(&values)
            .map(|(name, &value)| Channel { name, value })
            .collect();
        best.sort_by(|a, b| b.value.total_cmp(&a.value));
        best.truncate(Self::BEST);
        Self { best, channels: values }
    }
}

/// Wall-clock times, ms.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct TimingsMs {
    /// Reading the file and taking off its mean.
    pub read: f64,
    /// From the image in memory to the last descriptor or covariance sum.
    pub describe: f64,
    /// Eigenvectors and projection.
    pub pca: f64,
    /// k-means, all restarts.
    pub cluster: f64,
    /// Site labels to pixel labels.
    pub upsample: f64,
    /// Separability of the channels.
    pub separability: f64,
    /// Maps of the best channels, for the report.
    pub maps: f64,
    /// Regions and their lattices.
    pub lattices: f64,
    /// Writing the files before this one.
    pub write: f64,
    /// Everything, from the start of the program.
    pub total: f64,
}

impl Summary {
    /// The summary of one clustering of `found`.
    pub fn new(
        input: Input,
        device: &DeviceInfo,
        found: &Segmentation,
        patterns: &Patterns,
        remarks: Remarks,
    ) -> Self {
        let Patterns { clustering, map, .. } = patterns;
        let clusters = clustering.centroids.nrows();
        let pixel_size = input.pixel_size_nm;
        Self {
            stemseg_version: env!("CARGO_PKG_VERSION"),
            input,
            parameters: found.plan.params().of_result(clusters),
            lattice: None,
            model: None,
            device: device.clone(),
            device_work: found.device_work,
            descriptors: Descriptors::new(&found.plan),
            pca: found.pca.report.clone(),
            kmeans: KMeans {
                clusters,
                inertia: clustering.inertia,
                iterations: clustering.iterations,
                restarts: clustering.restarts,
                converged: clustering.converged,
            },
            choice: found.choice.clone(),
            labels: LabelArea::all(patterns, found, pixel_size),
            lattices: None,
            calibration: None,
            scan_distortion: None,
            strain: None,
            boundaries: boundaries(map, found.plan.sites(), found.plan.frame(), pixel_size)
                .into_iter()
                .map(|boundary| LabelBoundary { boundary, interface: None })
                .collect(),
            boundary_lines: None,
            least_region_px: None,
            regions: Vec::new(),
            confidence: Confidence::new(patterns),
            separability: Separability::new(patterns, &found.plan),
            warnings: remarks.warnings.into_iter().chain(patterns.warnings.clone()).collect(),
            notes: remarks.notes,
            files: Vec::new(),
            label_type: LabelType::least(map.largest()),
            overlay: (&OverlayOptions::default()).into(),
            timings_ms: TimingsMs::new(&found.timings),
        }
    }
}

impl Summary {
    /// Says what the crystals are, and how those that touch are related.
    pub fn tell(&mut self, crystals: &Crystals) {
        self.lattices = Some(LabelLattice::all(crystals));
        for LabelBoundary { boundary, interface } in &mut self.boundaries {
            *interface = crystals.interfaces.get(&boundary.labels).cloned();
        }
        self.scan_distortion = ScanDistortion::new(crystals);
        self.warnings.extend(self.scan_distortion.as_ref().map(crate::scan::warning));
    }
}

impl Descriptors {
    fn new(plan: &Plan) -> Self {
        Self {
            families: plan.families().iter().map(|f| f.name()).collect(),
            channels: plan.channels(),
            sites: plan.sites().active_count(),
            grid: *plan.sites().grid(),
            channel_names: plan.channel_names(),
        }
    }
}

impl TimingsMs {
    fn new(timings: &Timings) -> Self {
        Self {
            describe: ms(timings.describe),
            pca: ms(timings.pca),
            cluster: ms(timings.cluster),
            upsample: ms(timings.upsample),
            separability: ms(timings.separability),
            maps: ms(timings.maps),
            ..Default::default()
        }
    }
}

/// Milliseconds, to the microsecond.
pub fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
