//! [`Entry`]: what a header says of an image or a stack of images.

use stemseg::image::calibration::Calibration;
use stemseg::image::micrograph::PixelSize;

/// One image, or one stack of images, that a file holds; or something else that it
/// holds, with the reason why that is not read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    /// Name inside the file, or empty.
    pub name: String,
    /// Shape as numpy would give it; colour images have a last axis of 2 to 4 and `colour` set.
    pub shape: Vec<usize>,
    /// Element type as numpy spells it (`uint16`).
    pub dtype: String,
    /// The last axis holds colour channels (grey+alpha, RGB, RGBA), not columns.
    pub colour: bool,
    /// What a pixel measures, where the file says so.
    pub calibration: Option<Calibration>,
    /// Time between frames, s.
    pub frame_interval_s: Option<f64>,
    /// The microscope, as the file names it.
    pub instrument: Option<String>,
    /// When it was recorded, as the file gives it or in ISO 8601.
    pub date: Option<String>,
    /// It was computed from spectra (the map of an element), which no detector shows.
    pub map: bool,
    /// Why it is not read (`is a spectrum, not an image`), for what is not an image.
    pub refused: Option<String>,
}

impl Entry {
    /// True for a grey or colour image of two dimensions.
    pub fn is_image(&self) -> bool {
        self.refused.is_none() && self.rank() == 2
    }

    /// The number of frames of a stack `[frames, rows, cols]`, grey or colour.
    pub fn frames(&self) -> Option<usize> {
        (self.refused.is_none() && self.rank() == 3).then(|| self.shape[0])
    }

    /// True for an image or a stack of them.
    pub fn is_readable(&self) -> bool {
        self.is_image() || self.frames().is_some()
    }

    /// Size of a pixel in nm, where the file gives one and the axes are lengths.
    pub fn pixel_size(&self) -> Option<PixelSize> {
        self.calibration?.pixel_size()
    }

    /// Rows and columns of the image, or of each frame of the stack.
    pub(super) fn sides(&self) -> Option<[usize; 2]> {
        let first = self.rank().checked_sub(2)?;
        Some([self.shape[first], self.shape[first + 1]])
    }

    /// Axes in addition to that of colours.
    fn rank(&self) -> usize {
        self.shape.len().saturating_sub(usize::from(self.colour))
    }

    /// Bytes of all its frames and of one of them, `None` where that overflows.
    pub(super) fn bytes(&self) -> Option<(u64, u64)> {
        let digits = self.dtype.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let element = digits.parse::<u64>().map_or(1, |bits| bits.div_ceil(8));
        let product = |lengths: &[usize]| {
            lengths.iter().try_fold(element, |bytes, &length| bytes.checked_mul(length as u64))
        };
        let skipped = usize::from(self.frames().is_some());
        Some((product(&self.shape)?, product(&self.shape[skipped..])?))
    }

    /// As its lengths tell what its axes are, where nothing names them: `[rows, cols, 1]`
    /// is an image, and frames along the last axis are refused.
    pub(super) fn with_axes_by_length(mut self) -> Self {
        let &[rows, cols, last] = &self.shape[..] else { return self };
        if self.colour || self.refused.is_some() {
            return self;
        }
        if last == 1 && rows > 1 && cols > 1 {
            self.shape.truncate(2);
            return self;
        }
        let shorter = rows.min(cols);
        let square = rows == cols && last <= shorter / 2;
        self.refused = (last > 0 && (last <= shorter / 4 || square)).then(|| {
            format!(
                "has shape [{rows}, {cols}, {last}], whose last axis is the short one: frames come first, \
                 so save it as [frames, rows, cols] (numpy.moveaxis(a, -1, 0)), or one image of it"
            )
        });
        self
    }

    /// The entry of a single image of this stack, called `what`.
    pub(super) fn single(&self, what: &str) -> Self {
        let name = format!("{} {what}", self.name).trim_start().to_owned();
        Self { name, shape: self.shape[1..].to_vec(), frame_interval_s: None, ..self.clone() }
    }
}
