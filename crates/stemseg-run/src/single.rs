//! [`Single`]: one image segmented in memory, and written where its caller likes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, s};
use serde_json::{Map, Value, json};
use stemseg::backend::{Backend, DeviceInfo};
use stemseg::image::rows;
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, Segmentation};
use stemseg::plan::Plan;
use stemseg::remarks::Remarks;
use stemseg::sites::Band;
use stemseg::threads::beside;
use stemseg::{Error, Result, memory};
use stemseg_crystals::Crystals;
use stemseg_files::write::ResultFolder;
use stemseg_regions::Regions;
use stemseg_regions::lines::BoundaryLines;
use stemseg_report::summary::ModelFile;

use crate::devices::{Devices, Done};
use crate::input::array::ARRAY;
use crate::input::read::{Read, with_path};
use crate::method::{Method, Prepared};
use crate::notes::notes;
use crate::observer::Observer;
use crate::result::names::planned;
use crate::result::strain;
use crate::result::write::{Writing, regions};
use crate::{Area, Output, Request, sweep_beside, tidy};

/// An image that was segmented, with everything that its result folder says.
#[derive(Debug)]
#[non_exhaustive]
pub struct Single {
    /// The image.
    pub input: Read,
    /// What was found.
    pub found: Segmentation,
    /// Descriptors of all sites `[sites, D]`, sites row by row, where they were wanted.
    pub descriptors: Option<Array2<f32>>,
    /// What computed it.
    pub device: DeviceInfo,
    /// What was to be said before anything was found.
    said: Remarks,
    repetition: Repetition,
    model: Option<ModelFile>,
    least_region: Option<Area>,
    started: Instant,
    read: Duration,
}

/// What is wanted in addition to a segmentation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Also {
    /// Descriptors of all sites.
    pub descriptors: bool,
    /// Maps of the channels that tell patterns apart best, without which there is no report.
    pub channel_maps: bool,
    /// What [`Single::refine`] needs, where that is little.
    pub refinable: bool,
}

impl Single {
    /// Segments `input` by `method`, with the device and within the memory that `request` names.
    ///
    /// # Errors
    /// As [`run`](crate::run()) has for one image.
    pub fn segment(
        mut input: Read,
        method: &dyn Method,
        request: &Request,
        also: Also,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let started = Instant::now();
        request.check(method)?;
        let file = input.summary.path.clone();
        // Nobody looks for an array in a file of its name.
        let named = |error: Error| match input.summary.format {
            ARRAY => error,
            _ => with_path(&file, error),
        };
        let size = input.summary.pixel_size_nm;
        if let Some(least) = request.least_region {
            least.pixels("least-region", size)?;
        }
        input.micrograph.standardised().map_err(named)?;
        let Prepared { plan, remarks, repetition } = method.prepare(&input.micrograph)?;
        let plan = within(plan, request.memory)?;
        observer.check()?;
        let devices = Devices::open(request, &method.families())?;
        let work = |backend: &dyn Backend| {
            segment(&input, method, (plan.clone(), repetition), backend, also, observer)
                .map_err(named)
        };
        let (done, sha256) = std::thread::scope(|scope| {
            let sha256 = beside(scope, || input.sha256());
            (devices.run(work), sha256.join())
        });
        let Done { result: (mut found, descriptors), device, warning } = done?;
        input.summary.sha256 = sha256?;
        let absorbed = tidy::absorb(&mut found, request.least_region, size)?;
        input.remarks.extend(remarks);
        input.remarks.extend(devices.remarks.clone());
        warning.into_iter().for_each(|warning| input.remarks.warn(warning));
        let said = input.remarks.clone();
        notes(&found, absorbed).into_iter().for_each(|note| input.remarks.note(note));
        let (model, read) = (method.model(), Duration::ZERO);
        let least_region = request.least_region;
        Ok(Self {
            input,
            found,
            descriptors,
            device,
            said,
            repetition,
            model,
            least_region,
            started,
            read,
        })
    }

    /// Whether [`refine`](Self::refine) has what it needs.
    pub fn is_refinable(&self) -> bool {
        // Labels of small regions are other than they were found.
        self.found.is_refinable() && self.least_region.is_none()
    }

    /// The same under the marks of `request`, which is that of the segmentation otherwise: what
    /// [`segment`](Self::segment) finds with them, in a fraction of the time.
    ///
    /// # Errors
    /// As [`Segmentation::refine`]; as [`segment`](Self::segment) has for a device.
    pub fn refine(&self, request: &Request, observer: &dyn Observer) -> Result<Self> {
        let started = Instant::now();
        let families: Vec<&str> = self.names();
        let devices = Devices::open(request, &families)?;
        let mut input = self.input.clone();
        input.remarks = self.said.clone();
        let marks = &request.settings.marks;
        let work = |backend: &dyn Backend| {
            self.found.refine(&input.micrograph, marks.clone(), backend, observer)
        };
        let Done { result: found, device, warning } = devices.run(work)?;
        warning.into_iter().for_each(|warning| input.remarks.warn(warning));
        let said = input.remarks.clone();
        notes(&found, Vec::new()).into_iter().for_each(|note| input.remarks.note(note));
        let (repetition, read) = (self.repetition, Duration::ZERO);
        let (descriptors, model, least_region) = (None, None, None);
        Ok(Self {
            input,
            found,
            descriptors,
            device,
            said,
            repetition,
            model,
            least_region,
            started,
            read,
        })
    }

    /// Makes the maps of channels that a report needs, by doing the work once more, to the same
    /// bits; `method` and `request` are those of the segmentation.
    ///
    /// # Errors
    /// As [`segment`](Self::segment).
    pub fn make_channel_maps(
        &mut self,
        method: &dyn Method,
        request: &Request,
        observer: &dyn Observer,
    ) -> Result<()> {
        if !self.found.channel_maps.is_empty() {
            return Ok(());
        }
        let Prepared { plan, repetition, .. } = method.prepare(&self.input.micrograph)?;
        let plan = within(plan, request.memory)?;
        let devices = Devices::open(request, &method.families())?;
        let also = Also { channel_maps: true, ..Also::default() };
        let work = |backend: &dyn Backend| {
            segment(&self.input, method, (plan.clone(), repetition), backend, also, observer)
        };
        let Done { result: (found, _), device, .. } = devices.run(work)?;
        self.found = found;
        let size = self.input.summary.pixel_size_nm;
        tidy::absorb(&mut self.found, request.least_region, size)?;
        self.device = device;
        Ok(())
    }

    /// The connected regions of the labels.
    pub fn regions(&self) -> Regions {
        regions(&self.found.results[0], &self.input)
    }

    /// The lines along which regions meet, and their triple points.
    pub fn boundary_lines(&self) -> BoundaryLines {
        let size = self.input.summary.pixel_size_nm;
        BoundaryLines::new(&self.regions(), &self.found.plan, &self.found.results[0], size)
    }

    /// How regions are strained and turned inside: exx, eyy, exy, rotation (degrees) and standard
    /// error, `[rows, cols]` each, NaN where nothing is known; relative to the lattice of the region
    /// that has the pixel `reference`, row and column, or to each region's own.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a pixel in no region with a lattice.
    pub fn strain(&self, reference: Option<[usize; 2]>) -> Result<[Array2<f32>; 5]> {
        let (regions, pixels) = (self.regions(), self.input.micrograph.pixels());
        let crystals = Crystals::new(pixels, &regions, self.input.summary.pixel_size_nm);
        let (maps, _) = strain::maps(pixels, &regions, &crystals, reference)?;
        Ok(std::array::from_fn(|map| rows::collect(&maps.map(map))))
    }

    /// What summary.json says, except for the list of files.
    pub fn summary(&self, output: &Output) -> Value {
        json!(self.writing(output).tell(&self.found, 0).summary)
    }

    /// Writes the result folder `place`, which appears whole or not at all; there is no report
    /// where there are no maps of channels. Gives its place and summary.json.
    ///
    /// # Errors
    /// As [`ResultFolder::create`], and what the system says of the files in it.
    pub fn write(
        &self,
        place: &Path,
        output: &Output,
        observer: &dyn Observer,
    ) -> Result<(PathBuf, Value)> {
        let mut output = output.clone();
        output.report &= !self.found.channel_maps.is_empty();
        output.check(&self.names(), &self.found.plan.params().clusters)?;
        sweep_beside([place], &|_| {});
        let clusters = &self.found.plan.params().clusters;
        let planned = planned(&output, &self.input.summary.path, clusters);
        let folder = ResultFolder::create(place, output.force, &planned)?;
        let mut summary: Map<String, Value> = self
            .writing(&output)
            .write(&self.found, &folder, observer)
            .map_err(|error| folder.named(error))?;
        let place = folder.commit(&mut summary)?;
        Ok((place, Value::from(summary)))
    }

    fn names(&self) -> Vec<&str> {
        self.found.plan.families().iter().map(|family| family.name()).collect()
    }

    fn writing<'a>(&'a self, options: &'a Output) -> Writing<'a> {
        Writing {
            options,
            input: &self.input,
            repetition: self.repetition,
            model: self.model.clone(),
            least_region: self.least_region,
            device: self.device.clone(),
            started: self.started,
            read: self.read,
        }
    }
}

/// `plan` within the memory that was given, or the usual one.
pub(crate) fn within(plan: Plan, given: Option<u64>) -> Result<Plan> {
    let usual = || plan.usual_memory(memory::available(), 0);
    let bytes = given.map_or_else(usual, Ok)?;
    plan.within(bytes, 0)
}

fn segment(
    input: &Read,
    method: &dyn Method,
    (plan, repetition): (Plan, Repetition),
    backend: &dyn Backend,
    also: Also,
    observer: &dyn Observer,
) -> Result<(Segmentation, Option<Array2<f32>>)> {
    let count = plan.sites().grid().count;
    let empty = || Array2::zeros((count.rows * count.cols, plan.channels()));
    let mut descriptors = also.descriptors.then(empty);
    let mut sink = descriptors.as_mut().map(|all| {
        |band: &Band, values: ArrayView2<'_, f32>| {
            let first = band.rows.start * band.cols;
            all.slice_mut(s![first..first + values.nrows(), ..]).assign(&values);
            Ok(())
        }
    });
    let wanted = pipeline::Also {
        descriptors: sink.as_mut().map(|sink| sink as pipeline::DescriptorSink<'_>),
        channel_maps: also.channel_maps,
        repetition: Some(repetition),
        refinable: also.refinable,
    };
    let found = method.segment(&input.micrograph, plan.clone(), backend, observer, wanted)?;
    Ok((found, descriptors))
}

#[cfg(test)]
mod tests {
    use stemseg::Silent;

    use super::*;
    use crate::input::Input;
    use crate::run;

    #[test]
    fn an_array_gives_what_its_file_gives() {
        let image = Array2::from_shape_fn((96, 144), |(row, col)| {
            let along = if col < 72 { row } else { col };
            let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 500.0;
            100.0 * (along as f32 * std::f32::consts::TAU / 6.0).cos() + noise
        });
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("grain.npy");
        stemseg_files::write::write_npy(&file, image.view()).unwrap();
        let mut request = Request::new([&file]);
        request.settings.clusters = vec![2];
        run(&request, &Silent).unwrap();

        let input = Read::of_array(image.view(), None, "grain.npy".as_ref(), &Input::default());
        let also = Also { descriptors: true, channel_maps: true, refinable: false };
        let single =
            Single::segment(input.unwrap(), &request.settings, &request, also, &Silent).unwrap();
        let other = place.path().join("other.stemseg");
        single.write(&other, &Output::default(), &Silent).unwrap();
        let of =
            |folder: &str, name: &str| std::fs::read(place.path().join(folder).join(name)).unwrap();
        for name in ["labels.npy", "labels.tif", "confidence.tif", "model.json", "overlay.png"] {
            assert!(of("grain.stemseg", name) == of("other.stemseg", name), "{name}");
        }
        assert!(other.join("report.html").exists());
        let summary = single.summary(&Output::default());
        assert_eq!(summary["kmeans"]["clusters"], 2);
        let sites = single.found.plan.sites().grid().len();
        let descriptors = single.descriptors.unwrap();
        assert_eq!(descriptors.dim(), (sites, single.found.plan.channels()));
        assert!(descriptors.rows().into_iter().all(|row| row.iter().any(|&v| v != 0.0)));
        let error = Single::segment(
            Read::of_array(image.view(), None, "a".as_ref(), &Input::default()).unwrap(),
            &request.settings,
            &Request { memory: Some(1), ..request.clone() },
            Also::default(),
            &Silent,
        );
        assert!(error.unwrap_err().to_string().contains("memory"));
    }
}
