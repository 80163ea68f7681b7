use std::path::Path;
use std::sync::Mutex;

use ndarray::Array2;
use stemseg::backend::{Backend, DeviceChoice};
use stemseg::image::micrograph::Micrograph;
use stemseg::pipeline::{Also, Segmentation};
use stemseg::wording::Text;
use stemseg::{Error, Params, Plan, Progress, Result};
use stemseg_files::write::write_npy;

use crate::{
    Finished, Image, Method, Observer, Outcome, Outcomes, Prepared, Preset, Request, Settings,
    Silent, length, run, run_by,
};

/// Rows of atoms 6 px apart on the left, columns on the right.
fn write_image(path: &Path) {
    let image = Array2::from_shape_fn((64, 96), |(row, col)| {
        let along = if col < 48 { row } else { col };
        100.0 * (along as f32 * std::f32::consts::TAU / 6.0).cos()
    });
    write_npy(path, image.view()).unwrap();
}

/// A fast run over `images`.
fn request(images: &[&Path]) -> Request {
    let mut request = Request::new(images.iter().copied());
    let settings = &mut request.settings;
    (settings.clusters, settings.preset) = (vec![2], Some(Preset::Pystem));
    settings.descriptor.patch = Some(length::spans("6").unwrap());
    settings.descriptor.window = Some(length::spans("6").unwrap());
    (request.device, request.output.report) = (DeviceChoice::Cpu, false);
    request
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Progress for Diary {}

impl Observer for Diary {
    fn images(&self, count: usize) {
        self.write(format!("{count} images"));
    }

    fn note(&self, image: Option<&Path>, note: &Text) {
        let image = image.and_then(Path::file_name).unwrap_or_default();
        self.write(format!("note {}: {note}", image.display()));
    }

    fn at_work(&self, image: &Path, begins: bool) {
        let name = image.file_name().unwrap_or_default();
        self.write(format!("{} {}", if begins { "+" } else { "-" }, name.display()));
    }

    fn finished(&self, result: &Finished<'_>) -> Result<()> {
        let place = result.place.file_name().unwrap_or_default();
        let k = &result.summary["kmeans"]["clusters"];
        let kept = result.segmented.is_none();
        self.write(format!("{} k {k} kept {kept}", place.display()));
        Ok(())
    }

    fn failed(&self, image: &Image, error: &Error) {
        let name = image.file.file_name().unwrap_or_default();
        self.write(format!("{} failed: {error}", name.display()));
    }
}

fn words(outcomes: &Outcomes) -> Vec<&'static str> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Done => "done",
        Outcome::Kept => "kept",
        Outcome::Failed(_) => "failed",
        Outcome::NotDone => "not done",
    };
    outcomes.images.iter().map(|image| word(&image.outcome)).collect()
}

#[test]
fn a_batch_tells_what_becomes_of_each_image_and_can_be_resumed() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    write_image(&file("a.npy"));
    std::fs::write(file("b.npy"), "no image").unwrap();
    let mut request = request(&[&file("a.npy"), &file("b.npy")]);
    request.output.place = Some(file("results"));
    let diary = Diary::default();
    let outcomes = run(&request, &diary).unwrap();
    assert_eq!(words(&outcomes), ["done", "failed"]);
    assert!(outcomes.batch && !outcomes.interrupted && outcomes.counts() == [1, 0, 0]);
    let (image, error) = outcomes.failures().next().unwrap();
    assert_eq!(image.file, file("b.npy"));
    assert!(error.to_string().contains("b.npy"), "{error}");
    let table = std::fs::read_to_string(outcomes.table.unwrap()).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    let diary = diary.0.into_inner().unwrap();
    let has = |line: &str| diary.iter().any(|there| there.starts_with(line));
    let expected = ["2 images", "+ a.npy", "- a.npy", "a.stemseg k 2 kept false", "b.npy failed: "];
    assert!(expected.into_iter().all(has), "{diary:?}");
    let at_work = |sign: &str| diary.iter().filter(|line| line.starts_with(sign)).count();
    assert_eq!(at_work("+ "), at_work("- "), "{diary:?}");

    request.resume = true;
    request.images.pop();
    request.images.push(file("results/none.npy"));
    let diary = Diary::default();
    assert_eq!(words(&run(&request, &diary).unwrap()), ["kept", "failed"]);
    assert!(diary.0.into_inner().unwrap().contains(&"a.stemseg k 2 kept true".to_owned()));
}

#[test]
fn advice_names_settings_and_no_options() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a.npy");
    write_image(&file);
    let request = request(&[&file]);
    assert_eq!(words(&run(&request, &Silent).unwrap()), ["done"]);
    let again = run(&request, &Silent).unwrap();
    let (_, error) = again.failures().next().unwrap();
    assert!(matches!(error, Error::Exists(_)), "{error}");
    let advice = "give force = true to replace it, or another out folder";
    assert!(error.to_string().ends_with(advice), "{error}");
}

/// Settings whose labels of pixels are counted before they are handed on.
struct Counting<'a> {
    settings: &'a Settings,
    counted: Mutex<Vec<usize>>,
}

impl Method for Counting<'_> {
    fn families(&self) -> Vec<&str> {
        self.settings.names()
    }

    fn clusters(&self) -> Vec<usize> {
        vec![3]
    }

    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared> {
        let mut prepared = self.settings.prepare(micrograph)?;
        let params = Params { clusters: vec![3], ..prepared.plan.params().clone() };
        prepared.plan = Plan::new(params, micrograph)?;
        Ok(prepared)
    }

    fn segment(
        &self,
        micrograph: &Micrograph,
        plan: Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
        also: Also<'_>,
    ) -> Result<Segmentation> {
        let found = self.settings.segment(micrograph, plan, backend, progress, also)?;
        let counted = found.results[0].map.areas.len();
        self.counted.lock().unwrap().push(counted);
        Ok(found)
    }
}

#[test]
fn another_method_takes_the_place_of_the_settings() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a.npy");
    write_image(&file);
    let request = request(&[&file]);
    let method = Counting { settings: &request.settings, counted: Mutex::default() };
    assert_eq!(words(&run_by(&request, &method, &Silent).unwrap()), ["done"]);
    assert_eq!(*method.counted.lock().unwrap(), [3]);
    let summary = std::fs::read(place.path().join("a.stemseg/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["kmeans"]["clusters"], 3);
}
