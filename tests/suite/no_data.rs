//! Pixels without data: what is found in images that have some, and that those that
//! have none stay as they are.

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::descriptor::{FamilyParams, rotation, translation};
use stemseg::image::micrograph::{Excluded, Micrograph, NonFinite, Screening};
use stemseg::pipeline::{self, Segmentation};
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent, plan::automatic};
use stemseg_files::read::{Frame, read_frame};

use crate::contract::noise;
use stemseg_testing::data::{self, adjusted_rand_index, load};
use stemseg_testing::devices::Devices;

type Outcome = Result<(), Failed>;

/// File, its truth, adjusted Rand index to be reached, absent pixels and outliers.
type Case = (&'static str, &'static str, f64, [usize; 2]);

const CASES: [Case; 8] = [
    ("cases/c01_gap_rows_u16", "cases/c00_truth", 0.96, [0, 768]),
    ("cases/c02_one_masked_pixel_u32", "cases/c00_truth", 0.96, [0, 1]),
    ("cases/c05_nan_border", "cases/c00_truth", 0.96, [16_720, 0]),
    ("kinds/rows_saturated", "kinds/rows_saturated.labels", 0.96, [0, 1536]),
    ("kinds/rows_sentinel", "kinds/rows_sentinel.labels", 0.96, [0, 2048]),
    ("kinds/one_hot_pixel", "kinds/one_hot_pixel.labels", 0.96, [0, 1]),
    ("kinds/nan_border", "kinds/nan_border.labels", 0.96, [29_410, 0]),
    ("kinds/zero_corners", "kinds/zero_corners.labels", 0.96, [43_389, 0]),
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = data::needs_shared("no_data", || {
        let case = |case: Case| {
            let name = format!("no_data::{}", case.0.replace('/', "_"));
            Trial::test(name, move || found(case))
        };
        let mut trials: Vec<Trial> = CASES.into_iter().map(case).collect();
        trials.push(Trial::test("no_data::mean_of_frames_with_gaps", mean_of_frames));
        trials.push(Trial::test("no_data::images_without_any_have_none", none));
        trials
    });
    trials.extend(devices.each("no_data::a_hot_pixel_spoils_no_patch", hot_pixel));
    trials
}

fn segment(micrograph: &Micrograph, clusters: Vec<usize>) -> Result<Segmentation, Failed> {
    let params = automatic::params(automatic::sampling(automatic::period(micrograph)), clusters);
    let plan = Plan::new(params, micrograph)?;
    Ok(pipeline::segment(micrograph, plan, &Cpu::new(), &Silent, Default::default())?)
}

fn read(name: &str, frame: Option<Frame>) -> Result<Micrograph, Failed> {
    let path = data::shared().join(format!("data/{name}.npy"));
    Ok(read_frame(&path, None, frame)?.pixels.to_micrograph(Screening::default())?)
}

/// Adjusted Rand index over the pixels with data, and that those without have label 0.
fn compare(map: &Array2<u16>, micrograph: &Micrograph, truth: &str) -> Result<f64, Failed> {
    let truth = load(&data::shared().join(format!("data/{truth}.npy")))?;
    let absent = |at: (usize, usize)| micrograph.absent().is_some_and(|absent| absent[at]);
    if let Some((at, label)) = map.indexed_iter().find(|(at, label)| (**label == 0) != absent(*at))
    {
        return Err(format!("the pixel at {at:?} has label {label}").into());
    }
    let pairs = map.indexed_iter().zip(&truth).filter(|((at, _), _)| !absent(*at));
    let (found, true_labels): (Vec<u16>, Vec<u16>) =
        pairs.map(|((_, &l), &t)| (l, t as u16)).unzip();
    Ok(adjusted_rand_index(&found, &true_labels))
}

fn found((name, truth, least, [absent, outliers]): Case) -> Outcome {
    let micrograph = read(name, None)?;
    let Excluded { outliers: found, .. } = micrograph.excluded();
    if (micrograph.excluded().absent(), found) != (absent, outliers) {
        return Err(format!("{:?}", micrograph.excluded()).into());
    }
    let two = segment(&micrograph, vec![2])?;
    let index = compare(&two.results[0].map.pixels(), &micrograph, truth)?;
    let chosen = segment(&micrograph, Vec::new())?.results[0].map.areas.len();
    match index >= least && chosen == 2 {
        true => Ok(()),
        false => Err(format!("adjusted Rand index {index:.4}, {chosen} patterns chosen").into()),
    }
}

fn mean_of_frames() -> Outcome {
    let micrograph = read("cases/c06_nan_stack", Some(Frame::Mean))?;
    let two = segment(&micrograph, vec![2])?;
    match compare(&two.results[0].map.pixels(), &micrograph, "cases/c06_truth")? {
        0.9.. => Ok(()),
        index => Err(format!("adjusted Rand index {index:.4}").into()),
    }
}

/// Real and simulated images, many of them with saturated or single bright columns.
fn none() -> Outcome {
    const HAVE_SOME: [&str; 5] =
        ["rows_saturated", "rows_sentinel", "one_hot_pixel", "nan_border", "zero_corners"];
    let mut looked_at = 0;
    for folder in ["sim", "real", "kinds"] {
        for entry in std::fs::read_dir(data::shared().join("data").join(folder))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let image = name.ends_with(".npy") || (folder == "real" && name.ends_with(".png"));
            if !image
                || name.contains("labels")
                || HAVE_SOME.iter().any(|kind| name.starts_with(kind))
            {
                continue;
            }
            let pixels = read_frame(&path, None, None)?.pixels;
            let excluded = pixels.to_micrograph(Screening::default())?.excluded();
            if excluded != Excluded::default() {
                return Err(format!("{name}: {excluded:?}").into());
            }
            looked_at += 1;
        }
    }
    if looked_at > 50 { Ok(()) } else { Err(format!("only {looked_at} images").into()) }
}

/// Descriptors of families that leave no pixel out are within reach of those of the image
/// without the hot pixel, and far from them where it is kept.
fn hot_pixel(backend: &dyn Backend) -> Outcome {
    let clean = noise((90, 110), 4);
    let mut hot = clean.clone();
    hot[(44, 52)] = 1e9;
    let families = vec![
        FamilyParams::Translation(translation::Params {
            patch: Extent::square(6),
            window: Extent::square(6),
            ..Default::default()
        }),
        FamilyParams::Rotation(rotation::Params {
            radius: 6,
            window: Extent::square(6),
            ..Default::default()
        }),
    ];
    let describe = |micrograph: &Micrograph| -> Result<Array2<f32>, Failed> {
        let params = Params { families: families.clone(), stride: 4, ..Default::default() };
        let plan = Plan::new(params, micrograph)?;
        if plan.sites().active().is_some() {
            return Err("sites at outliers take part".into());
        }
        crate::contract::describe(backend, micrograph.standardised()?, &plan, usize::MAX)
    };
    let without = describe(&Micrograph::new(clean.view(), None, NonFinite::Fail)?)?;
    let found = describe(&Micrograph::screened(hot.view(), Screening::default())?)?;
    let kept = describe(&Micrograph::new(hot.view(), None, NonFinite::Fail)?)?;
    let away = |other: &Array2<f32>| {
        let away = other.iter().zip(&without).map(|(a, b)| f64::from((a - b).abs()));
        away.sum::<f64>() / without.len() as f64
    };
    // Few windows hold the pixel, and it is one of more than a hundred in each; kept, it
    // makes everything else flat.
    match (away(&found), away(&kept)) {
        (found, kept) if found < 0.01 && kept > 0.03 && kept > 5.0 * found => Ok(()),
        (found, kept) => {
            Err(format!("{found} off where it is found, {kept} where it is kept").into())
        }
    }
}
