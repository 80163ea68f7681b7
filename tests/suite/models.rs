//! Fit and apply: a model labels other images of its kind with the numbers it was fitted with.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::image::micrograph::PixelSize;
use stemseg::model::Scale;
use stemseg::pipeline::{Also, Describing, many};
use stemseg::reduce::{maf::Differences, pca::Moments, pca::Pca};
use stemseg::sites::Extent;
use stemseg::{Error, Micrograph, Model, Segmentation, Segmenter, Silent, pipeline};
use stemseg_simulate::{Scene, Settings, Simulated, simulate};
use stemseg_testing::data::{self, adjusted_rand_index};
use stemseg_testing::devices::Devices;

type Outcome = Result<(), Failed>;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut each = |name: &str, test: fn(&dyn Backend) -> Outcome| {
        trials.extend(devices.each(&format!("models::{name}"), test));
    };
    each("an_image_is_labelled_as_it_was_fitted", same_image);
    each("halves_keep_their_numbers", halves);
    each("an_enlarged_image_keeps_its_numbers", enlarged);
    each("pystem_s_method_keeps_its_numbers", pystem);
    let mut here = |name: &str, test: fn() -> Outcome| {
        trials.push(Trial::test(format!("models::{name}"), test));
    };
    here("sums_of_parts_are_those_of_all", sums_merge);
    here("many_images_give_one_model", many_images);
    here("what_does_not_fit_is_refused_with_both_sides", refused);
    here("impossible_options_are_errors_with_their_names", options);
    trials.extend(data::needs_shared("models::frames_of_a_film_keep_their_numbers", || {
        vec![Trial::test("models::frames_of_a_film_keep_their_numbers", film)]
    }));
    trials
}

fn simulated(scene: &str, side: usize, seed: u64) -> Result<Simulated, Failed> {
    let settings = Settings { size: Extent::square(side), seed, ..Default::default() };
    Ok(simulate(&Scene::new(scene, &[], None)?, &settings, &Silent)?)
}

/// A fit to `image` on `backend`, and the model.
fn fitted(
    backend: &dyn Backend,
    segmenter: &Segmenter,
    image: ArrayView2<'_, f32>,
) -> Result<(Segmentation, Model), Failed> {
    let micrograph = Micrograph::screened(image, Default::default())?;
    let (plan, repetition) = segmenter.plan(&micrograph)?;
    let also = Also { repetition: Some(repetition), ..Also::default() };
    let found = pipeline::segment(&micrograph, plan, backend, &Silent, also)?;
    let model = Model::new(&found, &found.results[0], micrograph.pixel_size());
    Ok((found, model))
}

fn predicted(
    backend: &dyn Backend,
    model: &Model,
    image: ArrayView2<'_, f32>,
) -> Result<Segmentation, Failed> {
    let micrograph = Micrograph::screened(image, Default::default())?;
    let (plan, repetition) = model.plan(&micrograph, Scale::Auto)?;
    let also = Also { repetition: Some(repetition), ..Also::default() };
    Ok(model.predict_on(&micrograph, plan, backend, &Silent, also)?)
}

/// Share of the pixels that have other labels.
fn other(one: ArrayView2<'_, u16>, two: ArrayView2<'_, u16>) -> f64 {
    assert_eq!(one.dim(), two.dim());
    one.iter().zip(&two).filter(|(a, b)| a != b).count() as f64 / one.len() as f64
}

fn at_most(what: &str, share: f64, most: f64) -> Outcome {
    match share <= most {
        true => Ok(()),
        false => Err(format!("{what}: {share:.4} of the pixels have other labels").into()),
    }
}

fn same_image(backend: &dyn Backend) -> Outcome {
    let image = simulated("tilt-boundary", 256, 3)?.image;
    let (found, model) = fitted(backend, &Segmenter::auto().clusters(2), image.view())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.json");
    model.save(&path)?;
    let read = Model::load(&path)?;
    if read != model {
        return Err("the model is not read as it was written".into());
    }
    let again = predicted(backend, &read, image.view())?;
    at_most("labels", other(found.labels().view(), again.labels().view()), 0.001)?;
    let confidence = (found.confidence() - again.confidence()).mapv(f32::abs);
    let worst = confidence.iter().copied().fold(0.0, f32::max);
    match worst < 0.02 {
        true => Ok(()),
        false => Err(format!("confidence is off by {worst}").into()),
    }
}

fn halves(backend: &dyn Backend) -> Outcome {
    let Simulated { image, labels: truth, .. } = simulated("square-hexagonal", 320, 5)?;
    let (found, model) = fitted(backend, &Segmenter::auto().clusters(2), image.view())?;
    let whole = found.labels();
    for half in [s![.., ..160], s![.., 160..]] {
        let labels = predicted(backend, &model, image.slice(half))?.labels();
        // Windows are cut off where the halves meet.
        at_most("a half", other(whole.slice(half), labels.view()), 0.06)?;
    }
    let index = adjusted_rand_index(
        whole.as_slice().ok_or("contiguous")?,
        truth.as_slice().ok_or("contiguous")?,
    );
    match index > 0.9 {
        true => Ok(()),
        false => Err(format!("the fit itself is wrong: {index}").into()),
    }
}

fn enlarged(backend: &dyn Backend) -> Outcome {
    let image = simulated("tilt-boundary", 288, 1)?.image;
    let (found, model) = fitted(backend, &Segmenter::auto().clusters(2), image.view())?;
    let (rows, cols) = image.dim();
    // Values from 0 to 1 are what floats may have there.
    let most = image.iter().copied().fold(0.0, f32::max);
    let values = image.iter().map(|value| value / most).collect();
    let buffer: ImageBuffer<Luma<f32>, Vec<f32>> =
        ImageBuffer::from_raw(cols as u32, rows as u32, values).ok_or("size")?;
    let (wide, high) = (cols * 3 / 2, rows * 3 / 2);
    let larger = imageops::resize(&buffer, wide as u32, high as u32, FilterType::CatmullRom);
    let larger = Array2::from_shape_vec((high, wide), larger.into_raw())?;
    let labels = predicted(backend, &model, larger.view())?.labels();
    let whole = found.labels();
    let back = Array2::from_shape_fn((rows, cols), |(r, c)| labels[(r * 3 / 2, c * 3 / 2)]);
    at_most("enlarged", other(whole.view(), back.view()), 0.03)
}

fn pystem(backend: &dyn Backend) -> Outcome {
    let image = simulated("tilt-boundary", 256, 2)?.image;
    let (found, model) = fitted(backend, &Segmenter::pystem(), image.view())?;
    let labels = predicted(backend, &model, image.view())?.labels();
    at_most("pystem", other(found.labels().view(), labels.view()), 0.0)
}

/// Frames 0 and 29, of which the model knows the first.
fn film() -> Outcome {
    let folder = data::shared().join("data/video");
    let film: Array3<f64> =
        data::load(&folder.join("j_moving_boundary.npy"))?.into_dimensionality()?;
    let truth: Array3<f64> =
        data::load(&folder.join("j_moving_boundary_labels.npy"))?.into_dimensionality()?;
    let frame = |number: usize| film.index_axis(Axis(0), number).mapv(|v| v as f32);
    let (first, model) = fitted(&Cpu::new(), &Segmenter::auto().clusters(2), frame(0).view())?;
    let last = predicted(&Cpu::new(), &model, frame(29).view())?.labels();
    // Which label a phase has: the same in both frames.
    let of_phase = |labels: &Array2<u16>, number: usize, phase: f64| {
        let own = truth.index_axis(Axis(0), number);
        let inside = labels.iter().zip(&own).filter(|(_, t)| **t == phase).map(|(l, _)| *l);
        let (ones, all) =
            inside.fold((0, 0), |(ones, all), l| (ones + usize::from(l == 1), all + 1));
        ones as f64 / f64::from(all.max(1))
    };
    let phases: std::collections::BTreeSet<u8> = truth.iter().map(|&v| v as u8).collect();
    for phase in phases {
        let shares = [(&first.labels(), 0), (&last, 29)]
            .map(|(labels, number)| of_phase(labels, number, f64::from(phase)));
        if (shares[0] - shares[1]).abs() > 0.1 {
            return Err(format!("phase {phase} has label 1 in {shares:?} of its pixels").into());
        }
    }
    Ok(())
}

fn micrographs() -> Result<Vec<Micrograph>, Failed> {
    let one = simulated("square-hexagonal", 256, 1)?.image;
    let two = simulated("square-hexagonal", 256, 2)?.image;
    Ok(vec![
        Micrograph::screened(one.view(), Default::default())?,
        Micrograph::screened(two.view(), Default::default())?,
    ])
}

/// Sums that were written, read and merged are those of all bands.
fn sums_merge() -> Outcome {
    let micrographs = micrographs()?;
    let (plan, _) = Segmenter::auto().clusters(2).plan(&micrographs[0])?;
    let cpu = Cpu::new();
    let moments = |micrograph: &Micrograph| -> Result<Moments, Failed> {
        let image = plan.image(micrograph)?;
        Ok(Describing::new(image.view(), &plan, &cpu)?.moments(&Silent)?)
    };
    let [one, two] = [moments(&micrographs[0])?, moments(&micrographs[1])?];
    let mut all = Moments::zero(plan.channels());
    for part in [&one, &two] {
        let text = serde_json::to_string(part)?;
        all.merge(&serde_json::from_str(&text)?);
    }
    if all.count != one.count + two.count || all.sum != &one.sum + &two.sum {
        return Err("moments do not add up".into());
    }
    let pca = Pca::of_blocks(&all, plan.components(), &plan.blocks())?;
    let differences = |micrograph: &Micrograph| -> Result<Differences, Failed> {
        let image = plan.image(micrograph)?;
        Ok(Describing::new(image.view(), &plan, &cpu)?.differences(&pca, &Silent)?.0)
    };
    let [mut one, two] = [differences(&micrographs[0])?, differences(&micrographs[1])?];
    let mut turned = two.clone();
    one.merge(&serde_json::from_str(&serde_json::to_string(&two)?)?);
    turned.merge(&differences(&micrographs[0])?);
    let [one, turned] = [one.factors(2)?, turned.factors(2)?];
    match one.1.iter().zip(&turned.1).all(|(a, b)| (a - b).abs() < 1e-9 * a.abs().max(1.0)) {
        true => Ok(()),
        false => Err("the order of the parts matters".into()),
    }
}

fn many_images() -> Outcome {
    let segmenter = Segmenter::auto().clusters(2).device(stemseg::backend::DeviceChoice::Cpu);
    let mut truths = Vec::new();
    let mut images = Vec::new();
    for seed in [1, 2] {
        let Simulated { image, labels, .. } = simulated("square-hexagonal", 256, seed)?;
        images.push(image);
        truths.push(labels);
    }
    let model = segmenter.fit_many(&images)?;
    if model.clusters() != 2 || model.patterns[0].fraction < model.patterns[1].fraction {
        return Err(format!("{:?}", model.patterns).into());
    }
    // The same label is the same phase in both.
    let mut labels = Vec::new();
    let mut truth = Vec::new();
    for (image, own) in images.iter().zip(&truths) {
        labels.extend(predicted(&Cpu::new(), &model, image.view())?.labels());
        truth.extend(own.iter().copied());
    }
    let index = adjusted_rand_index(&labels, &truth);
    if index < 0.9 {
        return Err(format!("{index} over both").into());
    }
    // Of one image it is the fit of that image, except for the order of its steps.
    let (_, alone) = fitted(&Cpu::new(), &Segmenter::auto().clusters(2), images[0].view())?;
    let same = segmenter.fit_many(&images[..1])?;
    let [alone, same] = [alone, same].map(|model| predicted(&Cpu::new(), &model, images[0].view()));
    at_most("one image", other(alone?.labels().view(), same?.labels().view()), 0.002)?;
    let none: [Array2<f32>; 0] = [];
    match segmenter.fit_many(&none) {
        Err(Error::Parameter { name: "images", .. }) => {}
        other => return Err(format!("no image: {other:?}").into()),
    }
    let none: [many::Planned<'_>; 0] = [];
    match many::fit(&none, &Cpu::new(), &Silent) {
        Err(Error::Parameter { name: "images", .. }) => Ok(()),
        other => Err(format!("no image: {other:?}").into()),
    }
}

fn refused() -> Outcome {
    let image = simulated("tilt-boundary", 256, 1)?.image;
    let micrograph = Micrograph::screened(image.view(), Default::default())?;
    let sized =
        |nm: f64| micrograph.clone().with_pixel_size(Some(PixelSize { rows: nm, cols: nm }));
    let model = Segmenter::auto()
        .clusters(2)
        .device(stemseg::backend::DeviceChoice::Cpu)
        .fit(&sized(0.02))?;
    model.plan(&sized(0.021), Scale::Auto)?;
    let error = match model.plan(&sized(0.04), Scale::Auto) {
        Err(error) => error.to_string(),
        Ok(_) => return Err("pixels twice as large are taken".into()),
    };
    if !(error.starts_with("model = 2 patterns: ") && error.matches(" nm").count() >= 2) {
        return Err(error.into());
    }
    model.plan(&sized(0.04), Scale::Own)?;
    let mut other = model.clone();
    other.channels[3] = "something else".into();
    match other.plan(&sized(0.02), Scale::Auto) {
        Err(error) if error.to_string().contains("'something else'") => Ok(()),
        found => Err(format!("{found:?}").into()),
    }
}

fn options() -> Outcome {
    let image = simulated("tilt-boundary", 128, 1)?.image;
    let cases: [(&str, Segmenter); 6] = [
        ("restarts", Segmenter::auto().restarts(0)),
        ("clusters", Segmenter::auto().clusters(0)),
        ("period", Segmenter::auto().period(f64::NAN)),
        ("period", Segmenter::pystem().period(12.0)),
        ("smooth", Segmenter::auto().clusters(2).smooth(-1.0)),
        ("min-confidence", Segmenter::auto().clusters(2).min_confidence(1.5)),
    ];
    for (expected, segmenter) in cases {
        match segmenter.device(stemseg::backend::DeviceChoice::Cpu).segment(&image) {
            Err(Error::Parameter { name, .. }) if name == expected => {}
            other => return Err(format!("{expected}: {other:?}").into()),
        }
    }
    Ok(())
}
