//! Films whose equation is known, from simulation to equation: terms, coefficients, verdicts.

use std::time::Instant;

use ndarray::{Array2, Array3, s};
use stemseg_dynamics::phase_field::{Equation, Noise, Settings, simulate};
use stemseg_dynamics::{Answer, Error, Film, Found, Options, Units, Verdict, find};

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Time that a run may take, s; tests are built without all optimisation and run side by side.
const PATIENCE: f64 = 60.0;

fn film_of(settings: &Settings) -> Result<Film, Failed> {
    Ok(Film::new(simulate(settings)?, None)?)
}

fn found(film: &Film, options: &Options) -> Result<Found, Failed> {
    let start = Instant::now();
    let found = find(film, options, &|| false)?;
    let time = start.elapsed().as_secs_f64();
    if time > PATIENCE {
        return Err(format!("it took {time} s").into());
    }
    Ok(found)
}

/// Exactly these terms, their coefficients within a share.
fn terms(answer: &Answer, right: &[(&str, f64)], within: f64) -> Result<(), Failed> {
    let fail = |what: String| Err(Failed::from(format!("{what}\n{}", answer.text())));
    if answer.verdict != Verdict::Equation {
        return fail(format!("{:?}", answer.verdict));
    }
    for (term, value) in right {
        let Some(got) = answer.written.terms.iter().find(|c| c.term.to_string() == *term) else {
            return fail(format!("{term} is missing"));
        };
        if (got.coefficient - value).abs() > within * value.abs() {
            return fail(format!("{term}: {} for {value}", got.coefficient));
        }
    }
    match answer.written.terms.len() == right.len() {
        true => Ok(()),
        false => fail("more terms than there are".into()),
    }
}

fn noted(answer: &Answer, words: &str) -> Result<(), Failed> {
    match answer.notes.iter().any(|note| note.contains(words)) {
        true => Ok(()),
        false => Err(format!("no note of {words:?} in {:?}", answer.notes).into()),
    }
}

const WAVE: Equation = Equation::TravellingWave { diffusivity: 10.0, threshold: 0.9 };

/// Units of the simulated wave.
fn in_time() -> Options {
    let units = Units { x: 1.0, y: 1.0, t: 0.02, name: "dx, dt".into(), first: true };
    Options { units: Some(units), ..Options::default() }
}

fn white(deviation: f64) -> Noise {
    Noise::White { deviation }
}

/// The published example, from a sharp step.
fn the_wave(noise: f64, within: f64) -> Result<(), Failed> {
    let film = film_of(&Settings { noise: white(noise), seed: 1, ..Settings::new(WAVE) })?;
    let answer = found(&film, &in_time())?.answer;
    let right = [("Phi_xx", 10.0), ("Phi^3", -1.0), ("Phi^2", 1.9), ("Phi", -0.9)];
    terms(&answer, &right, within)?;
    // Deviations are neither nothing nor everything.
    let honest = |c: &stemseg_dynamics::Coefficient| {
        noise == 0.0 || (0.002..0.2).contains(&(c.std / c.coefficient).abs())
    };
    match answer.written.terms.iter().all(honest) {
        true => Ok(()),
        false => Err(answer.text().into()),
    }
}

#[test]
fn wave_clean() -> Result<(), Failed> {
    the_wave(0.0, 0.02)
}

#[test]
fn wave_noise_2() -> Result<(), Failed> {
    the_wave(0.02, 0.03)
}

#[test]
fn wave_noise_5() -> Result<(), Failed> {
    the_wave(0.05, 0.06)
}

/// Other coefficients, seeds and grids than those of the published example.
#[test]
fn other_waves() -> Result<(), Failed> {
    for (seed, diffusivity, threshold, noise) in
        [(3, 4.0, 0.3, 0.02), (4, 6.0, 0.75, 0.02), (5, 15.0, 0.1, 0.0)]
    {
        let equation = Equation::TravellingWave { diffusivity, threshold };
        let size = [1, 400 + 50 * seed as usize];
        let settings = Settings { size, seed, noise: white(noise), ..Settings::new(equation) };
        let answer = found(&film_of(&settings)?, &in_time())?.answer;
        let right = [
            ("Phi_xx", diffusivity),
            ("Phi^3", -1.0),
            ("Phi^2", 1.0 + threshold),
            ("Phi", -threshold),
        ];
        terms(&answer, &right, if noise > 0.0 { 0.15 } else { 0.02 })?;
    }
    Ok(())
}

/// A wave that keeps its shape: its velocity, and that no more can be told.
#[test]
fn steady_wave() -> Result<(), Failed> {
    let speed = -(10.0_f64 / 2.0).sqrt() * (2.0 * 0.9 - 1.0);
    for noise in [0.0, 0.02, 0.05] {
        let settings = Settings { begin: 80.0, noise: white(noise), ..Settings::new(WAVE) };
        let answer = found(&film_of(&settings)?, &in_time())?.answer;
        terms(&answer, &[("Phi_x", -speed)], 0.02)?;
        noted(&answer, "cannot tell more")?;
        let front = answer.front.as_ref().ok_or("no front")?;
        let followed = front.speed / 0.02;
        if (followed / speed - 1.0).abs() > 0.01 {
            return Err(format!("noise {noise}: the front moves by {followed}").into());
        }
    }
    Ok(())
}

/// A wavy boundary under the noise of a soft segmentation.
#[test]
fn carried_boundary() -> Result<(), Failed> {
    for (seed, x, y, deviation) in [(0, 1.5, 0.7, 0.5), (1, -0.8, 0.5, 0.5), (2, 1.0, -1.0, 0.7)] {
        let noise = Noise::Soft { deviation, radius: 3.0 };
        let settings = Settings {
            size: [128, 160],
            seed,
            noise,
            ..Settings::new(Equation::Advection { x, y })
        };
        let answer = found(&film_of(&settings)?, &Options::default())?.answer;
        terms(&answer, &[("Phi_x", -x), ("Phi_y", -y)], 0.05)?;
        noted(&answer, "cannot tell more")?;
    }
    Ok(())
}

/// Of a straight boundary only the speed along its normal can be known.
#[test]
fn straight_boundary() -> Result<(), Failed> {
    let values = Array3::from_shape_fn((30, 96, 96), |(t, r, c)| {
        let along = 0.8 * c as f64 + 0.6 * r as f64 - 0.9 * t as f64;
        (0.5 - 0.5 * ((along - 55.0) / 5.0).tanh()) as f32
    });
    let answer = found(&Film::new(values, None)?, &Options::default())?.answer;
    noted(&answer, "the boundary is straight")?;
    noted(&answer, "0.90")?;
    noted(&answer, "the normal 37 deg")
}

#[test]
fn allen_cahn() -> Result<(), Failed> {
    for (noise, diffusivity, rate) in [(0.0, 1.5, 0.12), (0.03, 1.5, 0.12), (0.03, 2.5, 0.2)] {
        let equation = Equation::AllenCahn { diffusivity, rate };
        let settings =
            Settings { size: [96, 96], noise: white(noise), seed: 5, ..Settings::new(equation) };
        let answer = found(&film_of(&settings)?, &Options::default())?.answer;
        let right = [
            ("Phi_xx", diffusivity),
            ("Phi_yy", diffusivity),
            ("Phi^3", -2.0 * rate),
            ("Phi^2", 3.0 * rate),
            ("Phi", -rate),
        ];
        terms(&answer, &right, 0.1)?;
        // By derivatives of the smoothed film, coefficients are smaller by what noise is left in it.
        for way in &answer.second_ways {
            for (own, other) in answer.written.terms.iter().zip(&way.coefficients) {
                if (other / own.coefficient - 1.0).abs() > 0.3 {
                    return Err(format!("noise {noise}: {way:?} for {:?}", answer.written).into());
                }
            }
        }
        if answer.second_ways.len() != 2 {
            return Err(format!("{:?}", answer.second_ways).into());
        }
    }
    Ok(())
}

#[test]
fn diffusion() -> Result<(), Failed> {
    for (seed, noise, diffusivity) in [(1, 0.0, 1.5), (2, 0.03, 1.5), (3, 0.03, 0.6)] {
        let equation = Equation::Diffusion { diffusivity };
        let settings =
            Settings { size: [96, 96], noise: white(noise), seed, ..Settings::new(equation) };
        let answer = found(&film_of(&settings)?, &Options::default())?.answer;
        terms(&answer, &[("Phi_xx", diffusivity), ("Phi_yy", diffusivity)], 0.1)?;
    }
    Ok(())
}

/// A term that is not in the library by itself.
#[test]
fn curvature() -> Result<(), Failed> {
    let settings = Settings::new(Equation::Curvature { mobility: 1.2 });
    let term = "kappa |grad Phi|";
    let options = Options { more_terms: vec![term.parse()?], ..Options::default() };
    let answer = found(&film_of(&settings)?, &options)?.answer;
    terms(&answer, &[(term, 1.2)], 0.1)
}

/// A disc that grows along its normal.
#[test]
fn growth() -> Result<(), Failed> {
    let values = Array3::from_shape_fn((30, 128, 128), |(t, r, c)| {
        let radius = (r as f64 - 63.0).hypot(c as f64 - 66.0);
        (0.5 - 0.5 * ((radius - 25.0 - 0.8 * t as f64) / 5.0).tanh()) as f32
    });
    let answer = found(&Film::new(values, None)?, &Options::default())?.answer;
    terms(&answer, &[("|grad Phi|", 0.8)], 0.05)
}

#[test]
fn nothing_moves() -> Result<(), Failed> {
    let still = Settings::new(Equation::Advection { x: 0.0, y: 0.0 });
    let noises = [
        Noise::None,
        white(0.05),
        Noise::Soft { deviation: 1.0, radius: 3.0 },
        Noise::Soft { deviation: 0.3, radius: 1.0 },
    ];
    for (seed, noise) in noises.into_iter().enumerate() {
        let settings = Settings { noise, seed: seed as u64, ..still };
        let answer = found(&film_of(&settings)?, &Options::default())?.answer;
        if answer.verdict != Verdict::NothingMoves || answer.written.equation != "Phi_t = 0" {
            return Err(format!("{noise:?}: {}", answer.text()).into());
        }
    }
    Ok(())
}

/// Patches that pulse, each in its own time, obey no equation of the library.
#[test]
fn no_equation() -> Result<(), Failed> {
    let values = Array3::from_shape_fn((40, 96, 96), |(t, r, c)| {
        let (y, x) = (r as f64 / 14.0, c as f64 / 14.0);
        let own = ((y.floor() * 7.0 + x.floor() * 3.0) * 1.7).sin() * 3.0;
        let shape =
            (std::f64::consts::PI * y).sin().powi(2) * (std::f64::consts::PI * x).sin().powi(2);
        (0.5 + 0.4 * shape * (0.35 * t as f64 + own).sin()) as f32
    });
    let answer = found(&Film::new(values, None)?, &Options::default())?.answer;
    match answer.verdict {
        Verdict::NoEquation => Ok(()),
        _ => Err(answer.text().into()),
    }
}

/// A film that is carried as a whole by a known drift.
#[test]
fn drift() -> Result<(), Failed> {
    let settings = Settings::new(Equation::Advection { x: 1.1, y: 0.4 });
    let options = Options { drift: [0.3, -0.2], ..Options::default() };
    let answer = found(&film_of(&settings)?, &options)?.answer;
    terms(&answer, &[("Phi_x", -0.8), ("Phi_y", -0.6)], 0.02)
}

#[test]
fn labels() -> Result<(), Failed> {
    let settings = Settings::new(Equation::Advection { x: 1.0, y: 0.5 });
    let values = simulate(&settings)?.mapv(|value| f32::from(u8::from(value > 0.5)));
    let answer = found(&Film::new(values, None)?, &Options::default())?.answer;
    noted(&answer, "taken as 0 and 1")?;
    terms(&answer, &[("Phi_x", -1.0), ("Phi_y", -0.5)], 0.05)
}

#[test]
fn absent_values() -> Result<(), Failed> {
    let settings = Settings::new(Equation::Advection { x: 1.0, y: 0.5 });
    let mut values = simulate(&settings)?;
    values.slice_mut(s![.., ..20, ..]).fill(f32::NAN);
    values.slice_mut(s![30.., .., 100..]).fill(f32::NAN);
    let answer = found(&Film::new(values, None)?, &Options::default())?.answer;
    noted(&answer, "are not finite")?;
    terms(&answer, &[("Phi_x", -1.0), ("Phi_y", -0.5)], 0.02)
}

#[test]
fn bad_input() -> Result<(), Failed> {
    let said = |error: Error, words: &str| match error.to_string().contains(words) {
        true => Ok(()),
        false => Err(Failed::from(error.to_string())),
    };
    let Err(error) = Film::new(Array3::zeros((4, 32, 32)), None) else {
        return Err("4 frames were taken".into());
    };
    said(error, "5 or more")?;
    // Five short frames give few samples.
    let values = Array2::from_shape_fn((5, 16), |(t, c)| {
        (0.5 - 0.5 * ((c as f64 - 7.0 - 0.4 * t as f64) / 2.0).tanh()) as f32
    });
    let film = Film::of_line(values, None)?;
    match find(&film, &Options::default(), &|| false) {
        Err(error) => said(error, "give fewer `terms`, or a longer film")?,
        Ok(found) => return Err(found.answer.text().into()),
    }
    let options = Options { terms: Some(vec!["Phi_y".parse()?]), ..Options::default() };
    match find(&film, &options, &|| false) {
        Err(error) => said(error, "the film has a single row")?,
        Ok(found) => return Err(found.answer.text().into()),
    }
    match find(&film_of(&Settings::new(WAVE))?, &Options::default(), &|| true) {
        Err(Error::Interrupted) => Ok(()),
        _ => Err("it went on".into()),
    }
}

/// The same bits, whatever the number of threads.
#[test]
fn same_bits() -> Result<(), Failed> {
    let noise = Noise::Soft { deviation: 0.5, radius: 2.0 };
    let settings =
        Settings { frames: 20, noise, ..Settings::new(Equation::Advection { x: 1.0, y: 0.5 }) };
    let with = |threads: usize| -> Result<String, Failed> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| {
            let found = found(&film_of(&settings)?, &Options::default())?;
            Ok(format!("{:?}", found.answer))
        })
    };
    match with(1)? == with(3)? {
        true => Ok(()),
        false => Err("answers differ".into()),
    }
}
