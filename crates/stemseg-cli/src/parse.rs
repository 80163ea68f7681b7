//! Values of arguments.

use stemseg::plan::Mark;
use stemseg_files::read::Frame;

/// A whole number; what must be at least 1 is checked where the limit is known.
pub(super) fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is not a whole number of 0 or more"))
}

/// A frame of a stack, or the mean over all.
pub(super) fn frame(text: &str) -> Result<Frame, String> {
    match text.trim() {
        "mean" => Ok(Frame::Mean),
        text => text
            .parse()
            .map(Frame::Number)
            .map_err(|_| format!("'{text}' is neither a number of 0 or more nor 'mean'")),
    }
}

/// A number of jobs, 1 at least.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match whole(text)? {
        0 => Err("give at least 1".into()),
        jobs => Ok(jobs),
    }
}

/// A finite number; its limits are checked where they are known.
pub(super) fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("'{text}' is not a number")),
    }
}

/// Two finite numbers.
pub(super) fn pair(text: &str) -> Result<[f64; 2], String> {
    let parts: Option<Vec<f64>> = text.split(',').map(|part| number(part).ok()).collect();
    match parts.as_deref() {
        Some(&[x, y]) => Ok([x, y]),
        _ => Err(format!("'{text}' is not a pair of numbers; give X,Y, such as 0.3,-0.2")),
    }
}

/// Row and column of a pixel.
pub(super) fn pixel(text: &str) -> Result<[usize; 2], String> {
    let parts: Option<Vec<usize>> = text.split(',').map(|part| whole(part).ok()).collect();
    match parts.as_deref() {
        Some(&[row, col]) => Ok([row, col]),
        _ => Err(format!("'{text}' is not a pixel; give ROW,COL, such as 120,340")),
    }
}

/// A pixel and the label that it has.
pub(super) fn mark(text: &str) -> Result<Mark, String> {
    let refused = || format!("'{text}' is no mark; give ROW,COL=LABEL, such as 120,340=2");
    let (place, label) = text.split_once('=').ok_or_else(refused)?;
    let [row, col] = pixel(place).map_err(|_| refused())?;
    let label = whole(label).map_err(|_| refused())?;
    Ok(Mark { row, col, label })
}

/// Labels that become one.
pub(super) fn merged(text: &str) -> Result<Vec<u16>, String> {
    let labels: Option<Vec<u16>> = text.split('+').map(|label| whole(label).ok()).collect();
    labels.ok_or_else(|| format!("'{text}' is no list of labels; give them as 2+3"))
}

/// An amount of memory, bytes.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let size: Result<bytesize::ByteSize, _> = text.parse();
    size.map(|size| size.as_u64()).map_err(|_| {
        format!("'{text}' is not an amount of memory; give 512MiB or 2GB, for example")
    })
}

/// A share of the variance: above 0, at most 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("give a share above 0 and up to 1, for example 0.9".into()),
    }
}

/// A share of 0 to 1.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a share of 0 to 1, for example 0.9".into()),
    }
}

/// A number of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clusters {
    /// What the image shows, no more than this number of them where one is given.
    Auto(Option<usize>),
    Number(usize),
}

/// A number of patterns, `auto`, or `auto:6` for no more than six.
pub(super) fn clusters(text: &str) -> Result<Clusters, String> {
    match text.trim().split_once(':') {
        Some(("auto", most)) => whole(most).map(|most| Clusters::Auto(Some(most))),
        None if text.trim() == "auto" => Ok(Clusters::Auto(None)),
        _ => whole(text).map(Clusters::Number),
    }
}

/// Numbers of patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    /// None where the image says.
    pub(super) given: Vec<usize>,
    /// The most that there may be where it does.
    pub(super) most: Option<usize>,
}

impl Numbers {
    /// One number.
    pub(super) fn of(clusters: usize) -> Self {
        Self { given: vec![clusters], most: None }
    }
}

/// All that was `given` together.
///
/// # Errors
/// For `auto` among numbers.
pub(super) fn numbers(given: &[Clusters]) -> stemseg::Result<Numbers> {
    let mut numbers = Numbers { given: Vec::new(), most: None };
    for clusters in given {
        match clusters {
            Clusters::Auto(most) => numbers.most = *most,
            Clusters::Number(number) => numbers.given.push(*number),
        }
    }
    if numbers.given.len() < given.len() && given.len() > 1 {
        let reason = "auto cannot be combined with others; give auto, or numbers";
        return Err(stemseg::Error::parameter("clusters", "auto", reason));
    }
    Ok(numbers)
}
