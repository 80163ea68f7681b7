//! Colours of labels: seven of Okabe and Ito's and a pale cyan for the first, generated
//! ones beyond.

/// Distinct colours; labels beyond take them again from the first.
const COUNT: usize = 512;

/// Red, green and blue of labels 1 and on. The tests below make them afresh and
/// compare (`STEMSEG_UPDATE=1` writes them): at run time that would take longer
/// than to draw an overlay.
const COLOURS: &[u8; 3 * COUNT] = include_bytes!("colours.rgb");

/// sRGB colour of `label`: black for 0 (not segmented), then 512 distinct ones,
/// the same in every run and output.
pub fn colour(label: usize) -> [u8; 3] {
    match label.checked_sub(1) {
        None => [0; 3],
        Some(index) => COLOURS.as_chunks().0[index % COUNT],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use palette::{FromColor, LinSrgb, Oklab, Srgb};

    use super::*;

    /// Okabe and Ito's colours, those first that differ most also for the colour-blind.
    /// Pale cyan stands for their black, which does not show on a micrograph: it is far
    /// from the others in all kinds of sight. The grey that R takes is the reddish
    /// purple of those who see no green.
    const FIRST: [[u8; 3]; 8] = [
        [230, 159, 0],   // orange
        [86, 180, 233],  // sky blue
        [0, 158, 115],   // bluish green
        [213, 94, 0],    // vermillion
        [0, 114, 178],   // blue
        [240, 228, 66],  // yellow
        [204, 121, 167], // reddish purple
        [150, 240, 240], // pale cyan
    ];

    /// Steps per channel of the grid from which colours are generated.
    const GRID: u8 = 18;

    /// [`FIRST`], then each time the colour of the grid that is farthest from all
    /// before in OKLab, where equal distances look equal (Glasbey's way).
    fn generate() -> Vec<[u8; 3]> {
        let mut colours = FIRST.to_vec();
        let candidates: Vec<([u8; 3], Oklab)> = grid().filter(|(_, lab)| is_useful(lab)).collect();
        let mut distance = vec![f32::INFINITY; candidates.len()];
        let approach = |distance: &mut [f32], new: Oklab| {
            for (d, (_, lab)) in distance.iter_mut().zip(&candidates) {
                *d = d.min(squared_distance(*lab, new));
            }
        };
        for &rgb in &FIRST {
            approach(&mut distance, oklab(rgb));
        }
        while colours.len() < COUNT {
            let farthest = (0..distance.len()).max_by(|&a, &b| distance[a].total_cmp(&distance[b]));
            let (rgb, lab) = candidates[farthest.unwrap_or(0)];
            colours.push(rgb);
            approach(&mut distance, lab);
        }
        colours
    }

    fn grid() -> impl Iterator<Item = ([u8; 3], Oklab)> {
        let level = |step: u8| (f32::from(step) * 255.0 / f32::from(GRID - 1)).round() as u8;
        (0..GRID)
            .flat_map(move |r| (0..GRID).flat_map(move |g| (0..GRID).map(move |b| [r, g, b])))
            .map(move |steps| steps.map(level))
            .map(|rgb| (rgb, oklab(rgb)))
    }

    /// Neither dark nor pale nor grey: it must show as a tint on a grey image.
    fn is_useful(lab: &Oklab) -> bool {
        (0.45..0.92).contains(&lab.l) && lab.a.hypot(lab.b) > 0.09
    }

    fn oklab(rgb: [u8; 3]) -> Oklab {
        Oklab::from_color(Srgb::from(rgb).into_format::<f32>())
    }

    fn squared_distance(a: Oklab, b: Oklab) -> f32 {
        (a.l - b.l).powi(2) + (a.a - b.a).powi(2) + (a.b - b.b).powi(2)
    }

    #[test]
    fn the_colours_are_those_that_are_generated() {
        let made = generate().concat();
        if std::env::var_os("STEMSEG_UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/colours.rgb");
            std::fs::write(path, &made).unwrap();
        }
        assert!(made == COLOURS, "src/report/colours.rgb is out of date");
    }

    #[test]
    fn nothing_is_black_and_all_others_differ() {
        assert_eq!(colour(0), [0; 3]);
        let all: HashSet<_> = (0..=COUNT).map(colour).collect();
        assert_eq!(all.len(), COUNT + 1);
        assert_eq!(colour(COUNT + 1), colour(1));
        assert_eq!(colour(65535), colour((65535 - 1) % COUNT + 1));
    }

    #[test]
    fn the_first_colours_can_be_told_apart() {
        let closest = |count: usize| {
            let labs: Vec<_> = (1..=count).map(|label| oklab(colour(label))).collect();
            let pairs = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
            pairs.map(|(i, j)| squared_distance(labs[i], labs[j]).sqrt()).fold(9.0, f32::min)
        };
        // 0.02 is about a just noticeable difference.
        for (count, least) in [(3, 0.18), (8, 0.115), (30, 0.115), (60, 0.08), (254, 0.045)] {
            assert!(closest(count) > least, "{count}: {}", closest(count));
        }
    }

    /// What linear red, green and blue become for those who lack a kind of cones:
    /// Machado, Oliveira and Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291
    /// (2009), severity 1.
    const COLOUR_BLIND: [(&str, [[f32; 3]; 3]); 3] = [
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    #[test]
    fn the_first_colours_can_be_told_apart_by_the_colour_blind() {
        // Three to four times a just noticeable difference.
        const LEAST: f32 = 0.075;
        for (name, rows) in COLOUR_BLIND {
            let seen = |label: usize| {
                let lin: LinSrgb = Srgb::from(colour(label)).into_linear();
                let mix = |[r, g, b]: [f32; 3]| {
                    (r * lin.red + g * lin.green + b * lin.blue).clamp(0.0, 1.0)
                };
                let [red, green, blue] = rows.map(mix);
                Oklab::from_color(LinSrgb::new(red, green, blue))
            };
            for (a, b) in (1..=FIRST.len()).flat_map(|a| (1..a).map(move |b| (a, b))) {
                let distance = squared_distance(seen(a), seen(b)).sqrt();
                assert!(distance > LEAST, "{name}: {b} and {a} are {distance} apart");
            }
        }
    }

    #[test]
    fn colours_do_not_change() {
        // Files of different runs are compared side by side.
        assert_eq!(colour(1), [230, 159, 0]);
        assert_eq!([9, 10, 11].map(colour), [[150, 0, 255], [150, 15, 105], [0, 0, 255]]);
    }
}
