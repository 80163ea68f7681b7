//! The lattices of simulated crystals are found, whatever the noise.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, Axis, concatenate, s};
use stemseg::Silent;
use stemseg::image::micrograph::{Micrograph, Screening};
use stemseg::lattice::{self, Lattice, Vector};
use stemseg::plan::automatic;
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};

use stemseg_testing::data;

/// Scenes, the dose per pixel, and how many of their lattices must be found.
const SCENES: [(&[&str], f64, usize); 7] = [
    (&["tilt-boundary"], 50.0, 2),
    (&["square-hexagonal"], 20.0, 2),
    (&["rectangular-oblique"], 50.0, 2),
    (&["crystal-edge"], 20.0, 1),
    (&["inversion-domains"], 20.0, 1),
    (&["plane-groups", "p4mm", "p4"], 50.0, 1),
    (&["polycrystal"], 50.0, 3),
];

/// Images of the shared data, and the lengths of the first lattice's vectors, px.
const SHARED: [(&str, [f64; 2]); 6] = [
    ("a_tilt_gb_fcc110_high", [11.02, 11.02]),
    ("b_square_hexagonal_high", [12.0, 12.0]),
    ("c_p31m_p3m1_high", [28.0, 28.0]),
    ("f_L12_precipitates_mid", [11.0, 11.0]),
    ("g_crystal_amorphous_vacuum_high", [13.0, 13.0]),
    ("i_pm_pg_high", [26.0, 30.0]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let of_scene = |(words, dose, least): (&'static [&'static str], f64, usize)| {
        let title = format!("lattices::of_{}", words.join("_"));
        Trial::test(title, move || scene(words, dose, least))
    };
    let mut trials: Vec<Trial> = SCENES.into_iter().map(of_scene).collect();
    for scene in ["tilt-boundary", "plane-group p4mm", "square-hexagonal"] {
        let title = format!("lattices::period_of_{}_stays", scene.replace(' ', "_"));
        trials.push(Trial::test(title, move || stays(scene)));
    }
    trials.push(Trial::test("lattices::noise_has_none_at_any_sampling", noise));
    trials.extend(data::needs_shared("lattices", || {
        let of_file = |(name, lengths): (&'static str, [f64; 2])| {
            Trial::test(format!("lattices::of_{name}"), move || file(name, lengths))
        };
        SHARED.into_iter().map(of_file).collect()
    }));
    trials
}

/// Whether the vectors of `a` are whole combinations of those of `b` and the areas
/// agree.
fn same(a: [Vector; 2], b: [Vector; 2]) -> bool {
    let area = |[u, v]: [Vector; 2]| u[0] * v[1] - u[1] * v[0];
    let whole = |v: Vector| {
        let [i, j] = [area([v, b[1]]) / area(b), area([b[0], v]) / area(b)];
        let off = [i - i.round(), j - j.round()];
        let px = [off[0] * b[0][0] + off[1] * b[1][0], off[0] * b[0][1] + off[1] * b[1][1]];
        px[0].hypot(px[1]) < 0.4
    };
    a.into_iter().all(whole) && (area(a) / area(b)).abs().ln().abs() < 0.06
}

fn scene(words: &[&str], dose: f64, least: usize) -> Result<(), Failed> {
    let groups: Vec<String> = words[1..].iter().map(|&w| w.to_owned()).collect();
    let scene = Scene::new(words[0], &groups, None)?;
    let size = Extent::square(512);
    let settings = Settings { size, dose: Some(dose), seed: 3, ..Default::default() };
    let simulated = simulate(&scene, &settings, &Silent)?;
    let found = lattice::find(simulated.image.view(), None);
    let truth: Vec<[Vector; 2]> = simulated.phases.iter().filter_map(|p| p.lattice).collect();
    let is_true = |l: &Lattice| truth.iter().any(|&t| same(l.vectors, t));
    let known = truth.iter().filter(|&&t| found.iter().any(|l| same(l.vectors, t))).count();
    let right = found.first().is_some_and(is_true);
    match right && known >= least.min(truth.len()) {
        true => Ok(()),
        false => Err(format!("{known} of {truth:?} found: {found:?}").into()),
    }
}

/// Whatever is done to an image that leaves its crystals as they are changes the period by 3 % at
/// most, and so does giving back the one that was found.
fn stays(scene: &str) -> Result<(), Failed> {
    let words: Vec<String> = scene.split(' ').map(str::to_owned).collect();
    let scene = Scene::new(&words[0], &words[1..], None)?;
    let settings = Settings { size: Extent::square(480), seed: 5, ..Default::default() };
    let image = simulate(&scene, &settings, &Silent)?.image;
    let period = |image: &Array2<f32>| -> Result<lattice::Period, Failed> {
        let micrograph = Micrograph::screened(image.view(), Screening::default())?;
        Ok(automatic::period(&micrograph).ok_or("nothing repeats")?)
    };
    let found = period(&image)?;
    let mut bordered = Array2::zeros((560, 540));
    bordered.slice_mut(s![40..520, 30..510]).assign(&image);
    let turned = image.t().slice(s![.., ..;-1]).to_owned();
    let tiled = concatenate(Axis(1), &[image.view(), image.view()])?;
    let cases = [
        ("a crop", image.slice(s![60..400, 100..]).to_owned(), 1.0),
        ("turned", turned, 1.0),
        ("tiled", tiled, 1.0),
        ("with a border", bordered, 1.0),
        ("1.5 times", enlarged(&image, 1.5), 1.5),
        ("3 times", enlarged(&image, 3.0), 3.0),
        ("half", enlarged(&image, 0.5), 0.5),
    ];
    for (name, image, times) in cases {
        let ratio = period(&image)?.length / found.length / times;
        if (ratio - 1.0).abs() > 0.03 {
            return Err(format!("{name}: {ratio} times {found:?}").into());
        }
    }
    match automatic::sampling_for(Some(found.length), Some(found))
        == automatic::sampling(Some(found))
    {
        true => Ok(()),
        false => Err("the period given back changes the sampling".into()),
    }
}

fn enlarged(image: &Array2<f32>, times: f64) -> Array2<f32> {
    let (rows, cols) = image.dim();
    let most = image.iter().fold(f32::MIN_POSITIVE, |most, v| most.max(v.abs()));
    let grey = ImageBuffer::<Luma<f32>, _>::from_fn(cols as u32, rows as u32, |x, y| {
        Luma([0.5 + 0.4 * image[(y as usize, x as usize)] / most])
    });
    let to = |size: usize| (size as f64 * times).round() as u32;
    let large = imageops::resize(&grey, to(cols), to(rows), FilterType::CatmullRom);
    Array2::from_shape_fn((to(rows) as usize, to(cols) as usize), |(r, c)| {
        large.get_pixel(c as u32, r as u32)[0]
    })
}

fn noise() -> Result<(), Failed> {
    for seed in 1..12_u64 {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let side = 64 + 40 * (seed as usize % 7);
        // Of all pixels alike, and of few that are bright, as electrons are counted.
        let even = Array2::from_shape_fn((side, side), |_| random());
        let counts = even.mapv(|v| if v > 0.97 { 1.0 } else { 0.0 });
        for image in [even, counts] {
            if let Some(found) = lattice::survey(image.view(), None).period {
                return Err(format!("{found:?} in {side} px of noise, seed {seed}").into());
            }
        }
    }
    Ok(())
}

fn file(name: &str, lengths: [f64; 2]) -> Result<(), Failed> {
    let path = data::shared().join(format!("data/sim/{name}.npy"));
    let found = lattice::find(data::micrograph(&path)?.pixels(), None);
    let first = found.first().ok_or("no lattice is found")?;
    let off = |i: usize| (first.vectors[i][0].hypot(first.vectors[i][1]) - lengths[i]).abs();
    match off(0).max(off(1)) < 0.1 {
        true => Ok(()),
        false => Err(format!("{found:?} instead of {lengths:?}").into()),
    }
}
