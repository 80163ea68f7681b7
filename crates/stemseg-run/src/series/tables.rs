//! `kinetics.csv`: one line for each frame.

use std::path::Path;

use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};
use stemseg_series::kinetics::{Boundary, Pair, scatter};

use super::account::{Account, Measured};

/// Frames on either side that the error of a position is taken from.
const AROUND: usize = 4;

/// What lengths and times of a film are in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scales {
    /// Size of a pixel, where it is known.
    pub(crate) size: Option<PixelSize>,
    /// Time between frames, s, where it is known.
    pub(crate) interval: Option<f64>,
}

impl Scales {
    /// Edge of a square of the area of a pixel, nm.
    pub(crate) fn nm(&self) -> Option<f64> {
        self.size.map(|size| (size.rows * size.cols).sqrt())
    }

    /// Nanometres a second of one px a frame.
    pub(crate) fn nm_per_s(&self) -> Option<f64> {
        self.nm().zip(self.interval).map(|(nm, s)| nm / s)
    }
}

/// Where a boundary lies along its mean direction through all of the film, px: a number that grows
/// as it moves away from the lower label.
pub(crate) struct Along {
    direction: [f64; 2],
}

impl Along {
    /// Of the boundary between `pair`; the columns' direction where it has none.
    pub(crate) fn of(account: &Account, pair: Pair) -> Self {
        let mut sum = [0.0; 2];
        for frame in &account.frames {
            for boundary in frame.boundaries.iter().filter(|boundary| boundary.pair == pair) {
                for (sum, normal) in sum.iter_mut().zip(boundary.normal) {
                    *sum += boundary.length * normal;
                }
            }
        }
        let size = f64::hypot(sum[0], sum[1]);
        let direction = if size > 0.0 { sum.map(|v| v / size) } else { [0.0, 1.0] };
        Self { direction }
    }

    /// The direction, rows and columns, of length 1.
    pub(crate) fn direction(&self) -> [f64; 2] {
        self.direction
    }

    pub(crate) fn at(&self, boundary: &Boundary) -> f64 {
        self.direction[0] * boundary.position[0] + self.direction[1] * boundary.position[1]
    }
}

/// The boundary of `pair` in a frame.
pub(crate) fn boundary(frame: &Measured, pair: Pair) -> Option<&Boundary> {
    frame.boundaries.iter().find(|boundary| boundary.pair == pair)
}

/// Writes the table.
///
/// # Errors
/// [`Error::Io`] with the path.
pub(crate) fn write(path: &Path, account: &Account, scales: Scales) -> Result<()> {
    let fail = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { path: path.into(), source },
        other => {
            Error::Io { path: path.into(), source: std::io::Error::other(format!("{other:?}")) }
        }
    };
    let mut table = csv::Writer::from_path(path).map_err(fail)?;
    let pairs = account.pairs();
    let labels = account.frames.first().map_or(0, |frame| frame.domains.len());
    let adapted = account.frames.iter().any(|frame| frame.line.moved.is_some());
    table.write_record(head(&pairs, labels, adapted)).map_err(fail)?;
    let errors: Vec<Vec<Option<f64>>> = pairs
        .iter()
        .map(|&pair| {
            let along = Along::of(account, pair);
            let at = |frame: &Measured| boundary(frame, pair).map(|boundary| along.at(boundary));
            scatter(&account.frames.iter().map(at).collect::<Vec<_>>(), AROUND)
        })
        .collect();
    for (number, frame) in account.frames.iter().enumerate() {
        let errors: Vec<Option<f64>> = errors.iter().map(|errors| errors[number]).collect();
        table.write_record(row(frame, (&pairs, &errors), scales)).map_err(fail)?;
    }
    table.flush().map_err(Error::io(path))
}

fn head(pairs: &[Pair], labels: usize, adapted: bool) -> Vec<String> {
    let mut head: Vec<String> = [
        "frame",
        "time_s",
        "status",
        "drift_row_px",
        "drift_col_px",
        "drift_agreement",
        "confidence",
    ]
    .map(str::to_owned)
    .into();
    head.push("seen_percent".into());
    for label in 1..=labels {
        head.push(format!("area_{label}_percent"));
        head.push(format!("area_{label}_nm2"));
        head.push(format!("domains_{label}"));
        head.extend(adapted.then(|| format!("moved_{label}")));
    }
    for (a, b) in pairs {
        for what in [
            "length_px",
            "length_nm",
            "row_px",
            "col_px",
            "position_error_px",
            "velocity_px_per_frame",
            "velocity_error_px_per_frame",
            "velocity_nm_per_s",
            "velocity_error_nm_per_s",
        ] {
            head.push(format!("boundary_{a}_{b}_{what}"));
        }
    }
    head
}

fn row(
    frame: &Measured,
    (pairs, errors): (&[Pair], &[Option<f64>]),
    scales: Scales,
) -> Vec<String> {
    let digits = |value: Option<f64>, digits: usize| {
        value.map_or(String::new(), |value| format!("{value:.digits$}"))
    };
    let line = &frame.line;
    let all: u64 = frame.areas.iter().sum();
    let seen: u64 = frame.areas.iter().skip(1).sum();
    let area = scales.size.map(|size| size.rows * size.cols);
    let mut row = vec![
        line.frame.to_string(),
        digits(scales.interval.map(|s| s * line.frame as f64), 6),
        line.status.name().into(),
        format!("{:.4}", line.drift[0]),
        format!("{:.4}", line.drift[1]),
        digits(line.agreement, 4),
        digits(line.confidence, 4),
        digits((all > 0).then(|| 100.0 * seen as f64 / all.max(1) as f64), 4),
    ];
    for (label, domains) in (1..).zip(&frame.domains) {
        let pixels = frame.areas.get(label).copied().unwrap_or_default();
        let labelled = seen > 0;
        row.push(digits(labelled.then(|| 100.0 * pixels as f64 / seen as f64), 4));
        row.push(digits(area.filter(|_| labelled).map(|area| area * pixels as f64), 6));
        row.push(if labelled { domains.to_string() } else { String::new() });
        let moved = line.moved.as_ref().map(|moved| digits(moved.get(label - 1).copied(), 4));
        row.extend(moved);
    }
    for (&pair, &error) in pairs.iter().zip(errors) {
        let there = boundary(frame, pair);
        let velocity = frame.velocities.iter().find(|velocity| velocity.pair == pair);
        let of = |value: &dyn Fn(&Boundary) -> f64| there.map(value);
        row.push(digits(of(&|b| b.length), 3));
        row.push(digits(of(&|b| b.length).zip(scales.nm()).map(|(px, nm)| px * nm), 6));
        row.push(digits(of(&|b| b.position[0]), 3));
        row.push(digits(of(&|b| b.position[1]), 3));
        row.push(digits(error, 3));
        let (mean, error) = (velocity.map(|v| v.mean), velocity.and_then(|v| v.error));
        row.push(digits(mean, 4));
        row.push(digits(error, 4));
        row.push(digits(mean.zip(scales.nm_per_s()).map(|(v, nm)| v * nm), 8));
        row.push(digits(error.zip(scales.nm_per_s()).map(|(v, nm)| v * nm), 8));
    }
    row
}
