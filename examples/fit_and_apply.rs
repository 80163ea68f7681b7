//! Patterns learnt from one image, found in another: same numbers, same colours.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    reason = "an example prints, and runs in the tests too"
)]

use stemseg::ndarray::Array2;
use stemseg::{Model, Result, Segmenter};

pub fn main() -> Result<()> {
    let (before, after) = (film_frame(150), film_frame(90));
    let model = Segmenter::auto().clusters(2).fit(&before)?.with_names(["grain", "matrix"]);

    // A model is a file: what is learnt here can be applied elsewhere.
    let path = std::env::temp_dir().join(format!("stemseg-example-{}.json", std::process::id()));
    model.save(&path)?;
    let model = Model::load(&path)?;
    let _ = std::fs::remove_file(&path);

    for (image, name) in [(&before, "before"), (&after, "after")] {
        let areas = model.predict(image)?.results[0].map.areas.clone();
        for (area, pattern) in areas.iter().zip(&model.patterns) {
            let name_of_pattern = pattern.name.as_deref().unwrap_or_default();
            println!("{name}: {name_of_pattern} covers {:.1} %", 100.0 * area.fraction);
        }
        // The grain keeps label 1 though it is the smaller one now.
        assert_eq!(areas[0].fraction > areas[1].fraction, name == "before");
    }
    Ok(())
}

/// Two crystals with a boundary `wide` px from the left.
fn film_frame(wide: usize) -> Array2<u16> {
    let wave = |x: f32, period: f32| (std::f32::consts::TAU * x / period).cos();
    Array2::from_shape_fn((180, 240), |(row, col)| {
        let (y, x) = (row as f32, col as f32);
        let noise = ((row * 7919 + col * 104_729 + wide) % 1009) as f32 / 2000.0;
        let signal = match col < wide {
            true => wave(x, 9.0) + wave(y, 9.0),
            false => wave(x + y, 12.0) + wave(x - y, 12.0),
        };
        (1000.0 + 200.0 * (signal + noise)) as u16
    })
}
