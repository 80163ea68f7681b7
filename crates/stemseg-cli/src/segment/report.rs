//! The report beside a result: the page, and the maps as pictures.

use std::path::{Path, PathBuf};

use stemseg::pipeline::Segmentation;
use stemseg::{Error, Result};
use stemseg_files::write::{ResultFolder, sync_file};
use stemseg_report::html::{self, Content, Entry, Micrograph, Pictures};
use stemseg_report::maps;
use stemseg_report::summary::Summary;

use super::output::Output;

/// The page of a result, or of several.
const PAGE: &str = "report.html";

/// What the pages of an image's results share.
pub(super) struct Report<'a> {
    found: &'a Segmentation,
    folder: &'a ResultFolder,
    micrograph: Micrograph,
    /// The maps of the features as a PNG.
    features: Vec<u8>,
    command: Vec<String>,
}

/// What an index needs of a page.
pub(super) struct Page {
    summary: Summary,
    pictures: Pictures,
}

/// Where a result's file of this name goes.
type Place<'a> = &'a (dyn Fn(&str) -> PathBuf + Sync);

impl<'a> Report<'a> {
    /// Encodes the micrograph and the features' maps.
    pub(super) fn new(
        output: &'a Output<'a>,
        found: &'a Segmentation,
        folder: &'a ResultFolder,
    ) -> Self {
        let maps = maps::features(found);
        let image = &output.input.micrograph;
        let (micrograph, features) = rayon::join(
            || Micrograph::new(image.pixels(), &maps, image.pixel_size()),
            || maps::sheet("Features", &maps).png(),
        );
        Self { found, folder, micrograph, features, command: command() }
    }

    /// Encodes the pictures of a result, and writes its maps.
    pub(super) fn draw(&self, index: usize, place: Place<'_>) -> Result<Pictures> {
        let result = &self.found.results[index];
        let maps = &self.found.channel_maps[index];
        let names = self.found.plan.channel_names();
        let channels = maps::channels(maps, &names, result.separability.view());
        write(&place("features.png"), &self.features)?;
        let (pictures, written) = rayon::join(
            || Pictures::new(self.found, result, &channels),
            || match channels.is_empty() {
                true => Ok(()),
                false => write_channels(&place("channels.png"), &channels),
            },
        );
        written.map(|()| pictures)
    }

    /// Writes the page of a result.
    pub(super) fn page(
        &self,
        index: usize,
        summary: Summary,
        pictures: Pictures,
        place: Place<'_>,
    ) -> Result<Page> {
        let page = html::page(Content {
            summary: &summary,
            found: self.found,
            patterns: &self.found.results[index],
            micrograph: &self.micrograph,
            pictures: &pictures,
            command: &self.command,
        });
        write(&place(PAGE), page)?;
        Ok(Page { summary, pictures })
    }

    /// Writes the page that leads to those of several results.
    pub(super) fn index(&self, pages: &[Page]) -> Result<()> {
        let entries = pages.iter().map(|Page { summary, pictures }| Entry {
            summary,
            pictures,
            page: format!("k{}/{PAGE}", summary.kmeans.clusters),
        });
        let entries: Vec<Entry<'_>> = entries.collect();
        write(&self.folder.path(PAGE), html::index(&self.micrograph, &entries))
    }
}

/// The command line as it was given, with the program's name alone.
fn command() -> Vec<String> {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        *program = "stemseg".into();
    }
    words
}

fn write_channels(path: &Path, maps: &[maps::Map]) -> Result<()> {
    let sheet = maps::sheet("Channels that separate the patterns best", maps);
    write(path, sheet.png())?;
    sync_file(path)
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(Error::io(path))
}
