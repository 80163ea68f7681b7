//! Reference cases: outputs of the float64 definition, scikit-learn and pySTEM,
//! listed in a `cases.json` (see `tests/reference/README.md`).

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use ndarray::Axis;
use serde_json::Value;
use stemseg::backend::Backend;
use stemseg::cluster::confidence::ClassSums;
use stemseg::cluster::kmeans::{self, Options};
use stemseg::descriptor::{
    FamilyParams, Translation, power_spectrum, reflection, rotation, translation,
};
use stemseg::plan::Components;
use stemseg::plan::Outline;
use stemseg::reduce::pca::{Moments, Pca};
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent, pipeline};

use crate::contract::describe;
use stemseg_testing::data::{self, adjusted_rand_index, compare, load, load2};
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = of_folder(devices, "reference", &data::reference());
    let golden = || of_folder(devices, "golden", &data::shared().join("golden"));
    trials.extend(data::needs_shared("golden", golden));
    trials
}

fn of_folder(devices: &Devices, tag: &str, folder: &Path) -> Vec<Trial> {
    let cases = match read_cases(folder) {
        Ok(cases) => cases,
        Err(e) => return vec![Trial::test(format!("{tag}::cases"), move || Err(e))],
    };
    let mut trials = Vec::new();
    for fields in cases {
        let case = Case { folder: folder.to_owned(), fields };
        let kind = case.text("kind").unwrap_or_default();
        let name = format!("{tag}::{}", case.text("name").unwrap_or_default());
        match kind.as_str() {
            "translation" => trials.extend(devices.each(&name, move |b| case.translation(b))),
            "kmeans" => trials.extend(devices.each(&name, move |b| case.kmeans(b))),
            "segment" => trials.extend(devices.each(&name, move |b| case.segment(b))),
            "pca" => trials.push(Trial::test(name, move || case.pca())),
            "fisher_separability" => trials.push(Trial::test(name, move || case.fisher())),
            "power_spectrum" | "rotation" | "reflection" => {
                let case = std::sync::Arc::new(case);
                let same = case.clone();
                trials.push(Trial::test(format!("{name}::definition"), move || same.definition()));
                trials.extend(devices.each(&name, move |b| case.pooled(b)));
            }
            other => {
                let why = format!("no test knows the kind '{other}'");
                trials.push(Trial::test(name, move || Err(why.into())));
            }
        }
    }
    trials
}

fn read_cases(folder: &Path) -> Result<Vec<Value>, Failed> {
    let path = folder.join("cases.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

struct Case {
    folder: PathBuf,
    fields: Value,
}

impl Case {
    fn text(&self, field: &str) -> Result<String, Failed> {
        let missing = || Failed::from(format!("the case has no text '{field}'"));
        Ok(self.fields[field].as_str().ok_or_else(missing)?.to_owned())
    }

    fn number(&self, field: &str) -> Result<f64, Failed> {
        self.fields[field]
            .as_f64()
            .ok_or_else(|| format!("the case has no number '{field}'").into())
    }

    fn numbers(&self, field: &str) -> Result<Vec<f64>, Failed> {
        Ok(serde_json::from_value(self.fields[field].clone())?)
    }

    fn extent(&self, field: &str) -> Result<Extent, Failed> {
        let [rows, cols]: [usize; 2] = serde_json::from_value(self.fields[field].clone())?;
        Ok(Extent { rows, cols })
    }

    fn path(&self, field: &str) -> Result<PathBuf, Failed> {
        Ok(self.folder.join(self.text(field)?))
    }

    /// The family of the case; `as_list` gives its translations one by one.
    fn params(&self, as_list: bool) -> Result<Params, Failed> {
        let list = match as_list {
            false => None,
            true => {
                let shifts = load2(&self.path("shifts")?)?;
                let one = |s: ndarray::ArrayView1<'_, f64>| Translation {
                    rows: s[0] as i32,
                    cols: s[1] as i32,
                };
                Some(shifts.rows().into_iter().map(one).collect())
            }
        };
        let params = translation::Params {
            patch: self.extent("patch")?,
            window: self.extent("window")?,
            max_points: self.fields["max_points"].as_u64().unwrap_or(0) as usize,
            list,
        };
        let stride = self.number("stride")? as usize;
        Ok(Params {
            families: vec![FamilyParams::Translation(params)],
            stride,
            ..Default::default()
        })
    }

    fn translation(&self, backend: &dyn Backend) -> Result<(), Failed> {
        let micrograph = data::micrograph(&self.path("image")?)?;
        let expected = load(&self.path("expected")?)?;
        let params = self.params(self.fields["max_points"].is_null())?;
        let plan = Plan::new(params, &micrograph)?;
        let shifts: Vec<String> = load2(&self.path("shifts")?)?
            .rows()
            .into_iter()
            .map(|s| format!("translation ({:+}, {:+}) px", s[0], s[1]))
            .collect();
        if plan.channel_names() != shifts {
            return Err("the translations are not those of the case".into());
        }
        let grid =
            [plan.sites().grid().count.rows, plan.sites().grid().count.cols, plan.channels()];
        if expected.shape() != grid {
            return Err(format!("the grid is {grid:?} instead of {:?}", expected.shape()).into());
        }
        let image = micrograph.standardised()?;
        let mut session = backend.upload(image.view(), &plan)?;
        for band in plan.sites().bands(backend.band_rows(&plan, u64::MAX)?) {
            let mut got = ndarray::Array2::zeros((band.len(), plan.channels()));
            session.describe(&band, got.view_mut())?;
            let part = expected.slice_axis(Axis(0), band.rows.clone().into());
            let part: Vec<f64> = part.iter().copied().collect();
            let got = got.as_slice().ok_or("contiguous")?;
            compare("descriptors", got, &part, plan.channels(), self.number("tolerance")?)?;
        }
        Ok(())
    }

    /// Parameters of a case of a pooled family or of power spectra.
    fn pooled_params(&self) -> Result<Params, Failed> {
        let whole = |field| self.number(field).map(|n| n as usize);
        let stride = whole("stride")?;
        let window = self.extent("window")?;
        let scale = match self.fields["logarithm"].as_bool() {
            Some(true) => power_spectrum::Scale::Log,
            _ => power_spectrum::Scale::Linear,
        };
        let family = match self.text("kind")?.as_str() {
            "rotation" => FamilyParams::Rotation(rotation::Params {
                radius: whole("radius")?,
                window,
                folds: vec![2, 3, 4, 6],
                rings: whole("radial_samples")?,
                inner_stride: stride,
                pool_top: whole("pool_top")?,
            }),
            "reflection" => FamilyParams::Reflection(reflection::Params {
                radius: whole("radius")?,
                window,
                axes: whole("planes")?,
                rings: whole("radial_samples")?,
                inner_stride: stride,
                pool_top: whole("pool_top")?,
            }),
            "power_spectrum" => FamilyParams::PowerSpectrum(power_spectrum::Params {
                window,
                spectrum: power_spectrum::Spectrum::Full,
                scale,
            }),
            kind => return Err(format!("no family for '{kind}'").into()),
        };
        Ok(Params { families: vec![family], stride, ..Default::default() })
    }

    /// Expected values, site by site, and how far others may be from them.
    fn expected(&self, channels: usize) -> Result<(Vec<f64>, f64), Failed> {
        let expected: Vec<f64> = load(&self.path("expected")?)?.iter().copied().collect();
        if !expected.len().is_multiple_of(channels) {
            return Err(format!("{channels} channels do not make {} values", expected.len()).into());
        }
        let relative = !self.fields["tolerance_is"].is_null();
        let largest = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let tolerance = self.number("tolerance")? * if relative { largest } else { 1.0 };
        Ok((expected, tolerance))
    }

    /// The f64 definition against the reference.
    fn definition(&self) -> Result<(), Failed> {
        let image = load2(&self.path("image")?)?;
        let plan = Plan::new(self.pooled_params()?, Outline::new(image.dim(), 1.0))?;
        let (expected, tolerance) = self.expected(plan.channels())?;
        let got = plan.families()[0].by_definition(image.view(), plan.sites().grid(), None);
        let got: Vec<f32> = got.iter().map(|&v| v as f32).collect();
        compare("definition", &got, &expected, plan.channels(), tolerance)
    }

    /// A backend against the reference.
    fn pooled(&self, backend: &dyn Backend) -> Result<(), Failed> {
        let micrograph = data::micrograph(&self.path("image")?)?;
        let plan = Plan::new(self.pooled_params()?, &micrograph)?;
        let (expected, tolerance) = self.expected(plan.channels())?;
        let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
        let got: Vec<f32> = got.iter().copied().collect();
        compare("descriptors", &got, &expected, plan.channels(), tolerance)
    }

    fn pca(&self) -> Result<(), Failed> {
        let input = load(&self.path("input")?)?;
        let channels = *input.shape().last().ok_or("no channels")?;
        let sites = input.len() / channels;
        let x = input.into_shape_with_order((sites, channels))?;
        let moments =
            Moments { count: sites as u64, sum: x.sum_axis(Axis(0)), products: x.t().dot(&x) };
        let pca = Pca::new(&moments, Components::Count(self.number("components")? as usize))?;
        let report = [
            ("explained_variance", &pca.report.explained_variance),
            ("explained_variance_ratio", &pca.report.explained_variance_ratio),
        ];
        for (field, got) in report {
            for (got, expected) in got.iter().zip(self.numbers(field)?) {
                if (got - expected).abs() > 1e-6 * expected {
                    return Err(format!("{field}: {got} instead of {expected}").into());
                }
            }
        }
        let expected = load(&self.path("expected_features")?)?;
        let expected = expected.into_shape_with_order((sites, pca.features()))?;
        let got = pca.project(x.mapv(|v| v as f32).view());
        for c in 0..pca.features() {
            let sign = got.column(c).dot(&expected.column(c)).signum();
            let got: Vec<f32> = got.column(c).iter().map(|&v| v as f32).collect();
            let expected: Vec<f64> = expected.column(c).iter().map(|&v| sign * v).collect();
            compare("features", &got, &expected, 1, self.number("tolerance")?)?;
        }
        Ok(())
    }

    fn fisher(&self) -> Result<(), Failed> {
        let input = load(&self.path("input")?)?.mapv(|v| v as f32);
        let channels = *input.shape().last().ok_or("no channels")?;
        let labels = load(&self.path("labels")?)?;
        let clusters = labels.iter().fold(0.0, |most: f64, &l| most.max(l)) as usize + 1;
        let mut sums = ClassSums::zero(clusters, channels);
        let values: Vec<f32> = input.iter().copied().collect();
        for (descriptor, &label) in values.chunks_exact(channels).zip(&labels) {
            sums.add(label as usize, descriptor);
        }
        let got: Vec<f32> = sums.separability().iter().map(|&v| v as f32).collect();
        let expected: Vec<f64> = load(&self.path("expected")?)?.iter().copied().collect();
        compare("separability", &got, &expected, 1, self.number("tolerance")?)
    }

    fn kmeans(&self, backend: &dyn Backend) -> Result<(), Failed> {
        let points = load(&self.path("input")?)?;
        let q = *points.shape().last().ok_or("no features")?;
        let points = points.mapv(|v| v as f32);
        let points = points.to_shape((points.len() / q, q))?;
        let options = Options { clusters: self.number("k")? as usize, restarts: 10, seed: 0 };
        let found =
            kmeans::cluster(points.view(), &kmeans::Pairs::default(), options, backend, &Silent)?;
        self.inertia(found.inertia)?;
        let expected = load(&self.path("expected")?)?;
        let expected: Vec<u64> = expected.iter().map(|&l| l as u64).collect();
        // Other optima within 0.1 % of the inertia may differ a little more.
        self.agreement(&found.labels, &expected, 0.95)
    }

    fn segment(&self, backend: &dyn Backend) -> Result<(), Failed> {
        let micrograph = data::micrograph(&self.path("image")?)?;
        let clusters = vec![self.number("k")? as usize];
        let params = Params { clusters, ..self.params(false)? };
        let plan = Plan::new(params, &micrograph)?;
        let found = pipeline::segment(&micrograph, plan, backend, &Silent, Default::default())?;
        let pipeline::Patterns { clustering, map, .. } = &found.results[0];
        self.inertia(clustering.inertia)?;
        let expected = load(&self.path("expected_grid")?)?;
        if expected.shape() != map.sites.shape() {
            return Err(
                format!("sites {:?} instead of {:?}", map.sites.shape(), expected.shape()).into()
            );
        }
        let sites: Vec<u64> = map.sites.iter().map(|&l| l.into()).collect();
        let expected: Vec<u64> = expected.iter().map(|&l| l as u64).collect();
        self.agreement(&sites, &expected, 0.99)
    }

    fn inertia(&self, found: f64) -> Result<(), Failed> {
        let expected = self.number("inertia")?;
        if found > expected * 1.001 {
            return Err(format!("inertia {found} is more than 0.1 % above {expected}").into());
        }
        Ok(())
    }

    fn agreement<T: Copy + Into<u64>>(
        &self,
        found: &[T],
        expected: &[u64],
        least: f64,
    ) -> Result<(), Failed> {
        let index = adjusted_rand_index(found, expected);
        if index < least {
            return Err(format!(
                "adjusted Rand index {index:.4} with the reference; {least} is required"
            )
            .into());
        }
        Ok(())
    }
}
