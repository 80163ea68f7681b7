//! OME-XML: images, their channels, and which page is which plane of them.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::planes::{Frames, Planes};
use stemseg::image::calibration::{Calibration, seconds};

/// The longest text that is read; above that of any file with a page for each plane.
const MOST: usize = 1 << 25;

/// What one `Image` says.
#[derive(Debug, Default)]
struct Image {
    name: String,
    order: String,
    /// Sizes along C, Z and T.
    sizes: [u64; 3],
    /// Size of a pixel along X and Y, with its unit.
    pixel: [Option<(f64, String)>; 2],
    interval: Option<f64>,
    /// Name of each channel, and how many samples of a pixel it has.
    channels: Vec<(String, u64)>,
    runs: Vec<Run>,
}

/// Pages that hold planes in succession.
#[derive(Debug, Default, Clone, Copy)]
struct Run {
    page: usize,
    /// First plane along C, Z and T.
    plane: [u64; 3],
    count: Option<u64>,
    /// Whether they are in another file.
    elsewhere: bool,
}

/// Whether a description is OME-XML.
pub(super) fn is_ome(description: &str) -> bool {
    let start = description.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    start.starts_with('<') && (start.contains("<OME") || start.contains(":OME "))
}

/// The images of a file of this many `pages`, a channel of each by itself; or why the text
/// cannot be read.
pub(super) fn planes(xml: &str, pages: usize) -> Result<Vec<Planes>, String> {
    if xml.len() > MOST {
        return Err(format!("it has {} bytes", xml.len()));
    }
    let images = images(xml)?;
    let several = images.len() > 1;
    let mut free = vec![true; pages];
    let planes = images.iter().enumerate().flat_map(|(index, image)| {
        let name = match (several, &*image.name) {
            (false, _) => String::new(),
            (true, "") => format!("image {index}"),
            (true, name) => name.to_owned(),
        };
        image.planes(&name, &mut free)
    });
    Ok(planes.collect())
}

/// What the `Image` elements say.
fn images(xml: &str) -> Result<Vec<Image>, String> {
    let mut reader = Reader::from_str(xml);
    let (mut images, mut own, mut in_uuid) = (Vec::<Image>::new(), String::new(), false);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                in_uuid = element.local_name().as_ref() == "UUID";
                start(&element, &mut images, &mut own);
            }
            Event::Empty(element) => start(&element, &mut images, &mut own),
            Event::Text(text) if in_uuid => {
                let run = images.last_mut().and_then(|image| image.runs.last_mut());
                if let Some(run) = run {
                    run.elsewhere = !own.is_empty() && text.trim() != own;
                }
            }
            Event::End(_) => in_uuid = false,
            Event::Eof => return Ok(images),
            _ => {}
        }
    }
}

/// Takes in what the attributes of an element say.
fn start(element: &BytesStart<'_>, images: &mut Vec<Image>, own: &mut String) {
    let attributes = Attributes::of(element);
    if element.local_name().as_ref() == "OME" {
        *own = attributes.text("UUID");
    }
    if element.local_name().as_ref() == "Image" {
        images.push(Image { name: attributes.text("Name"), sizes: [1; 3], ..Image::default() });
    }
    if element.local_name().as_ref() == "Pixels" && images.is_empty() {
        images.push(Image::default());
    }
    let Some(image) = images.last_mut() else { return };
    match element.local_name().as_ref() {
        "Pixels" => {
            image.order = attributes.text("DimensionOrder");
            image.sizes = ["SizeC", "SizeZ", "SizeT"].map(|key| attributes.whole(key).unwrap_or(1));
            image.sizes = image.sizes.map(|size| size.max(1));
            image.pixel = ["PhysicalSizeX", "PhysicalSizeY"].map(|key| {
                let unit = attributes.text(&format!("{key}Unit"));
                // µm is the default of the schema.
                let unit = if unit.is_empty() { "µm".to_owned() } else { unit };
                Some((attributes.number(key)?, unit))
            });
            let unit = attributes.text("TimeIncrementUnit");
            let unit = if unit.is_empty() { "s" } else { &unit };
            image.interval =
                attributes.number("TimeIncrement").and_then(|step| seconds(step, unit));
        }
        "Channel" => {
            let samples = attributes.whole("SamplesPerPixel").unwrap_or(1);
            image.channels.push((attributes.text("Name").trim().to_owned(), samples));
        }
        "TiffData" => {
            let page = attributes.whole("IFD");
            let first = ["FirstC", "FirstZ", "FirstT"];
            image.runs.push(Run {
                page: usize::try_from(page.unwrap_or(0)).unwrap_or(usize::MAX),
                plane: first.map(|key| attributes.whole(key).unwrap_or(0)),
                // Without a page all planes follow, with one it is that page alone.
                count: attributes.whole("PlaneCount").or(page.and(Some(1))),
                elsewhere: false,
            });
        }
        _ => {}
    }
}

impl Image {
    /// An image or a stack for each channel. Pages that are not `free` belong to another.
    fn planes(&self, name: &str, free: &mut [bool]) -> Vec<Planes> {
        let channels = self.channel_count(free.len());
        let mut found: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        let all = [Run::default()];
        let runs = if self.runs.is_empty() { &all[..] } else { &self.runs };
        for run in runs.iter().filter(|run| !run.elsewhere) {
            let first = self.number(run.plane, channels);
            for step in 0..run.count.unwrap_or(u64::MAX) {
                let page = usize::try_from(step).ok().and_then(|step| run.page.checked_add(step));
                // Where pages end, or belong to another plane, so does the run.
                let Some(page) = page.filter(|&page| free.get(page) == Some(&true)) else { break };
                free[page] = false;
                let number = first.saturating_add(step);
                let channel = found.entry(self.channel(number, channels)).or_default();
                channel.push((number, page));
            }
        }
        let (calibration, notes) = self.calibration();
        let planes = |(channel, mut pages): (u64, Vec<_>)| {
            pages.sort_unstable();
            Planes {
                name: self.name_of(name, channel, channels),
                frames: Frames::Pages(pages.into_iter().map(|(_, page)| page).collect()),
                calibration,
                frame_interval_s: self.interval,
                notes: notes.clone(),
            }
        };
        found.into_iter().map(planes).collect()
    }

    /// How many channels have pages of their own; those of a colour share theirs.
    fn channel_count(&self, pages: usize) -> u64 {
        let [size, depth, times] = self.sizes;
        let own = self.channels.len() as u64;
        let samples = self.channels.iter().map(|(_, samples)| *samples).max().unwrap_or(1).max(1);
        let count = if own > 0 && samples > 1 { own } else { size };
        // An image of colours may be described without its samples.
        let planes = depth.saturating_mul(times);
        let colour = own == 0 && count.saturating_mul(planes) > pages as u64;
        match colour && planes == pages as u64 {
            true => 1,
            false => count,
        }
    }

    /// The axes of planes in the order of the file, the fastest first.
    fn axes(&self) -> [usize; 3] {
        let mut axes = [0, 1, 2];
        // In the order of the schema's default where a letter is missing.
        axes.sort_by_key(|&axis| self.order.find(['C', 'Z', 'T'][axis]));
        axes
    }

    fn lengths(&self, channels: u64) -> [u64; 3] {
        [channels, self.sizes[1], self.sizes[2]]
    }

    /// The number of a plane in the order of the file.
    fn number(&self, plane: [u64; 3], channels: u64) -> u64 {
        let lengths = self.lengths(channels);
        self.axes().iter().rev().fold(0_u64, |number, &axis| {
            number.saturating_mul(lengths[axis]).saturating_add(plane[axis])
        })
    }

    /// The channel of the plane of this number.
    fn channel(&self, number: u64, channels: u64) -> u64 {
        let lengths = self.lengths(channels);
        let before = self.axes().into_iter().take_while(|&axis| axis != 0);
        let faster = before.fold(1_u64, |product, axis| product.saturating_mul(lengths[axis]));
        number / faster % channels
    }

    fn name_of(&self, image: &str, channel: u64, channels: u64) -> String {
        let own = usize::try_from(channel).ok().and_then(|channel| self.channels.get(channel));
        let own = match own.map_or("", |(name, _)| name) {
            "" if channels > 1 => format!("channel {channel}"),
            name => name.to_owned(),
        };
        format!("{image} {own}").trim().to_owned()
    }

    /// The size of a pixel; of one axis alone it is that of both, which is said.
    fn calibration(&self) -> (Option<Calibration>, Vec<String>) {
        let [x, y] =
            self.pixel.each_ref().map(|size| size.as_ref().map(|(step, unit)| (*step, &**unit)));
        let alone = |axis: &str, size| {
            let note =
                format!("the OME-XML gives a pixel size along {axis} alone: it was taken for both");
            let calibration = Calibration::new(size, size);
            (calibration, calibration.map(|_| note).into_iter().collect())
        };
        match (x, y) {
            (Some(x), Some(y)) => (Calibration::new(y, x), Vec::new()),
            (Some(x), None) => alone("x", x),
            (None, Some(y)) => alone("y", y),
            (None, None) => (None, Vec::new()),
        }
    }
}

/// The attributes of an element, by name.
struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Those that are well formed. Entities that the text defines itself are none of
    /// them: nothing is unpacked that could grow.
    fn of(element: &BytesStart<'_>) -> Self {
        /// More than any element of the schema has.
        const MOST: usize = 64;
        let mut all = element.attributes();
        let attributes = all.with_checks(false).flatten().take(MOST);
        let pair = |attribute: quick_xml::events::attributes::Attribute<'_>| {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            Some((attribute.key.local_name().as_ref().to_owned(), value.into_owned()))
        };
        Self(attributes.filter_map(pair).collect())
    }

    fn text(&self, key: &str) -> String {
        self.0.get(key).cloned().unwrap_or_default()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.trim().parse().ok()
    }

    fn whole(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.trim().parse().ok()
    }
}
