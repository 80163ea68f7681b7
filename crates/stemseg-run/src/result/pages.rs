//! The pages of a result, and the maps as pictures.

use std::path::{Path, PathBuf};

use stemseg::pipeline::Segmentation;
use stemseg::{Error, Result};
use stemseg_files::write::{ResultFolder, sync_file};
use stemseg_report::html::{self, Content, Entry, Micrograph, Pictures};
use stemseg_report::maps;
use stemseg_report::summary::Summary;

use super::write::Writing;

/// The page of a result, or of several.
const PAGE: &str = "report.html";

/// What the pages of an image's results share.
pub(super) struct Pages<'a> {
    found: &'a Segmentation,
    folder: &'a ResultFolder,
    micrograph: Micrograph,
    /// The maps of the features as a PNG.
    features: Vec<u8>,
    command: &'a [String],
}

/// What an index needs of a page.
pub(super) struct Page {
    summary: Summary,
    pictures: Pictures,
}

/// Where a result's file of this name goes.
type Place<'a> = &'a (dyn Fn(&str) -> PathBuf + Sync);

impl<'a> Pages<'a> {
    /// Encodes the micrograph and the features' maps.
    pub(super) fn new(
        writing: &'a Writing<'a>,
        found: &'a Segmentation,
        folder: &'a ResultFolder,
    ) -> Self {
        let maps = maps::features(found);
        let image = &writing.input.micrograph;
        let (micrograph, features) = rayon::join(
            || Micrograph::new(image.pixels(), &maps, image.pixel_size()),
            || maps::sheet("Features", &maps).png(),
        );
        Self { found, folder, micrograph, features, command: &writing.options.command }
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
            command: self.command,
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

fn write_channels(path: &Path, maps: &[maps::Map]) -> Result<()> {
    let sheet = maps::sheet("Channels that separate the patterns best", maps);
    write(path, sheet.png())?;
    sync_file(path)
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(Error::io(path))
}
