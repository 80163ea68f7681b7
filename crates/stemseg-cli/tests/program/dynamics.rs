//! `stemseg dynamics` on a recording of which front and drift are known.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, Array3, s};
use serde_json::Value;
use stemseg_files::write::write_npy;
use stemseg_testing::data;
use stemseg_testing::place::Place;

use crate::job::stemseg;

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("dynamics::video", || {
        vec![
            Trial::test("dynamics::video", video),
            Trial::test("dynamics::segmented_video", segmented_video),
        ]
    })
}

/// Labels of a simulated recording, smoothed, with the drift of the specimen taken out: the
/// velocity of its front, by the equation and followed from frame to frame.
fn video() -> Result<(), Failed> {
    let folder = data::shared().join("data/video");
    let labels = data::load(&folder.join("j_moving_boundary_labels.npy"))?;
    let labels: Array3<f64> = labels.into_dimensionality()?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let frames = manifest["frames"].as_array().ok_or("no frames")?;
    let number = |value: &Value| value.as_f64().ok_or("no number");
    let mut film = Array3::from_elem(labels.dim(), f32::NAN);
    let mut fronts = Vec::new();
    for (t, frame) in frames.iter().enumerate() {
        let drift = &frame["drift_yx_px"];
        let shift = [number(&drift[0])?, number(&drift[1])?];
        fronts.push(number(&frame["front_x_px_specimen"])?);
        let smooth = smoothed(&labels.slice(s![t, .., ..]).to_owned(), 3.0);
        moved(&smooth, shift, film.slice_mut(s![t, .., ..]));
    }
    let speed = slope(&fronts);
    let place = Place::empty();
    write_npy(&place.path("film.npy"), film.view())?;
    let output = stemseg(&place).args(["dynamics", "film.npy", "--json"]).output()?;
    let said = || format!("{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
    let found = &summary["dynamics"];
    let terms = found["terms"].as_array().ok_or_else(said)?;
    let x = terms.iter().find(|c| c["term"] == "Phi_x").ok_or_else(said)?;
    let got = -number(&x["coefficient"])?;
    if (got / speed - 1.0).abs() > 0.1 {
        return Err(format!("the equation: {got} for {speed}: {}", said()).into());
    }
    let followed = number(&found["front"]["speed"])?;
    match (followed / speed - 1.0).abs() < 0.1 {
        true => Ok(()),
        false => Err(format!("followed: {followed} for {speed}").into()),
    }
}

/// The same recording from its pixels on: segmented, its drift found, and then its equation.
fn segmented_video() -> Result<(), Failed> {
    let folder = data::shared().join("data/video");
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let frames = manifest["frames"].as_array().ok_or("no frames")?;
    let place = |frame: &Value| frame["front_x_px_specimen"].as_f64().ok_or("no number");
    let speed = slope(&frames.iter().map(place).collect::<Result<Vec<f64>, _>>()?);
    let scratch = Place::empty();
    let film = folder.join("j_moving_boundary.npy");
    let series = stemseg(&scratch)
        .arg("series")
        .arg(film)
        .args(["-k", "2", "--save", "soft", "--no-report", "--no-overlay", "--device", "cpu"])
        .args(["--out", "film"])
        .output()?;
    if !series.status.success() {
        return Err(format!("{series:?}").into());
    }
    // Of both patterns, of which one grows as the other shrinks.
    for label in ["1", "2"] {
        let output = stemseg(&scratch)
            .args(["dynamics", "film/memberships.npy", "--label", label, "--out", label, "--json"])
            .output()?;
        let said = || format!("{output:?}");
        let summary: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
        let terms = summary["dynamics"]["terms"].as_array().ok_or_else(said)?;
        let [term] = &terms[..] else { return Err(said().into()) };
        let got = -term["coefficient"].as_f64().ok_or_else(said)?;
        if term["term"] != "Phi_x" || (got / speed - 1.0).abs() > 0.1 {
            return Err(format!("{got} for {speed}: {}", said()).into());
        }
    }
    Ok(())
}

fn slope(places: &[f64]) -> f64 {
    let count = places.len() as f64;
    let (time, place) = ((count - 1.0) / 2.0, places.iter().sum::<f64>() / count);
    let each = || places.iter().enumerate().map(|(t, p)| (t as f64 - time, p - place));
    each().map(|(t, p)| t * p).sum::<f64>() / each().map(|(t, _)| t * t).sum::<f64>()
}

/// Under a Gaussian.
fn smoothed(image: &Array2<f64>, deviation: f64) -> Array2<f64> {
    let half = (3.0 * deviation) as isize;
    let weight = |i: isize| (-0.5 * (i as f64 / deviation).powi(2)).exp();
    let total: f64 = (-half..=half).map(weight).sum();
    let along = |image: &Array2<f64>| {
        Array2::from_shape_fn(image.dim(), |(r, c)| {
            let at = |i: isize| c.saturating_add_signed(i).min(image.ncols() - 1);
            (-half..=half).map(|i| weight(i) * image[(r, at(i))]).sum::<f64>() / total
        })
    };
    along(&along(image).t().to_owned()).t().to_owned()
}

/// `image` at `shift` (rows, columns) from each pixel, linearly between pixels; NaN beyond.
fn moved(image: &Array2<f64>, shift: [f64; 2], mut out: ndarray::ArrayViewMut2<'_, f32>) {
    let (rows, cols) = image.dim();
    for ((r, c), out) in out.indexed_iter_mut() {
        let (y, x) = (r as f64 + shift[0], c as f64 + shift[1]);
        let (top, left) = (y.floor(), x.floor());
        if top < 0.0 || left < 0.0 || top as usize + 1 >= rows || left as usize + 1 >= cols {
            continue;
        }
        let at = |down: usize, right: usize| image[(top as usize + down, left as usize + right)];
        let (v, u) = (y - top, x - left);
        let upper = at(0, 0) * (1.0 - u) + at(0, 1) * u;
        let lower = at(1, 0) * (1.0 - u) + at(1, 1) * u;
        *out = (upper * (1.0 - v) + lower * v) as f32;
    }
}
