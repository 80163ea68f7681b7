use super::*;

/// Where a line crosses 0.5, from px to px linearly.
fn crossing(line: ndarray::ArrayView1<'_, f32>) -> f64 {
    let at = line.windows(2).into_iter().position(|w| w[0] >= 0.5 && w[1] < 0.5).unwrap();
    let (left, right) = (f64::from(line[at]), f64::from(line[at + 1]));
    at as f64 + (left - 0.5) / (left - right)
}

#[test]
fn the_steady_wave_has_its_speed_and_shape() {
    let equation = Equation::TravellingWave { diffusivity: 10.0, threshold: 0.9 };
    let film = simulate(&Settings { begin: 80.0, ..Settings::new(equation) }).unwrap();
    let front = |t: usize| crossing(film.slice(s![t, 0, ..]));
    let speed = (front(499) - front(0)) / (499.0 * 0.02);
    // The stable state 0 gains on 1 for a threshold above a half: the front retreats.
    let right = -(10.0_f64 / 2.0).sqrt() * (2.0 * 0.9 - 1.0);
    assert!((speed / right - 1.0).abs() < 1e-3, "{speed} for {right}");
    let (at, width) = (front(0), 20.0_f64.sqrt());
    for (c, &value) in film.slice(s![0, 0, ..]).iter().enumerate() {
        let shape = 1.0 / (1.0 + ((c as f64 - at) / width).exp());
        assert!((f64::from(value) - shape).abs() < 1e-3, "{c}: {value} for {shape}");
    }
}

#[test]
fn halving_the_time_steps_changes_nothing_that_counts() {
    let equation = Equation::AllenCahn { diffusivity: 1.5, rate: 0.12 };
    let coarse = Settings { size: [48, 64], frames: 6, ..Settings::new(equation) };
    let fine = Settings { frames: 11, interval: 0.5, ..coarse };
    let (coarse, fine) = (simulate(&coarse).unwrap(), simulate(&fine).unwrap());
    let difference = &coarse.slice(s![5, .., ..]) - &fine.slice(s![10, .., ..]);
    let worst = difference.iter().fold(0.0_f32, |worst, d| worst.max(d.abs()));
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn carried_boundaries_come_back_shifted() {
    let equation = Equation::Advection { x: 2.0, y: 1.0 };
    let film = simulate(&Settings { frames: 5, ..Settings::new(equation) }).unwrap();
    let (first, last) = (film.slice(s![0, ..124, ..120]), film.slice(s![4, 4.., 8..]));
    assert!((&first - &last).iter().all(|d| d.abs() < 1e-6));
}

#[test]
fn levels_of_curvature_flow_shrink_as_circles_do() {
    let equation = Equation::Curvature { mobility: 2.0 };
    let film = simulate(&Settings::new(equation)).unwrap();
    let area = |t: usize| film.slice(s![t, .., ..]).iter().filter(|v| **v > 0.5).count() as f64;
    let lost = area(0) - area(39);
    let right = std::f64::consts::TAU * 2.0 * 39.0;
    assert!((lost / right - 1.0).abs() < 0.05, "{lost} for {right}");
}

#[test]
fn noise_is_as_large_as_it_says_and_soft_noise_stays_at_boundaries() {
    let equation = Equation::Advection { x: 0.0, y: 0.0 };
    let still = Settings::new(equation);
    let clean = simulate(&still).unwrap();
    let white = simulate(&Settings { noise: Noise::White { deviation: 0.05 }, ..still }).unwrap();
    let deviation = (&white - &clean).std(0.0);
    assert!((deviation - 0.05).abs() < 0.001, "{deviation}");
    let noise = Noise::Soft { deviation: 1.0, radius: 3.0 };
    let soft = simulate(&Settings { noise, ..still }).unwrap();
    assert!(soft.iter().all(|v| (0.0..=1.0).contains(v)));
    let spread = |range: std::ops::Range<f32>| {
        let pairs = soft.iter().zip(&clean).filter(|(_, v)| range.contains(v));
        let logit = |v: f32| f64::from(v / (1.0 - v)).ln();
        let all: Vec<f64> = pairs.map(|(a, b)| logit(*a) - logit(*b)).collect();
        (all.iter().map(|d| d * d).sum::<f64>() / all.len() as f64).sqrt()
    };
    let logit = spread(0.3..0.7);
    assert!((logit - 1.0).abs() < 0.1, "{logit}");
    let far = soft.iter().zip(&clean).filter(|(_, v)| **v < 1e-4);
    assert!(far.clone().count() > 1000);
    assert!(far.into_iter().all(|(a, b)| (a - b).abs() < 0.01));
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let equation = Equation::Diffusion { diffusivity: 1.0 };
    let still = Settings::new(equation);
    let refused = |settings: Settings, words: &str| {
        let error = simulate(&settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(Settings { frames: 4, ..still }, "frames = 4: give 5 frames or more");
    refused(Settings { size: [8, 128], ..still }, "size = 8x128");
    refused(Settings { interval: f64::NAN, ..still }, "dt = NaN");
    refused(Settings { size: [1 << 20, 1 << 20], ..still }, "frames = 40");
    let equation = Equation::TravellingWave { diffusivity: -1.0, threshold: 0.9 };
    refused(Settings::new(equation), "diffusivity = -1");
}
