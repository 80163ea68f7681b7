//! `index.html` in the folder for the results: all images of the table at a glance.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use stemseg::{Error, Result};
use stemseg_files::write::replace_file;
use stemseg_report::html::{Card, ContactSheet as Page, HEAD, contact_sheet, is_contact_sheet};
use stemseg_report::thumbnail::Thumbnail;
use stemseg_report::visible;

use super::outcomes::ImageOutcome;
use super::table::{FILE, Line, RESULT, Table};
use crate::result::earlier::Earlier;

/// Its name in the folder for the results.
const NAME: &str = "index.html";

/// Cards that are made at a time: as many thumbnails are in memory.
const AT_A_TIME: usize = 16;

/// Where the page over all images goes.
#[derive(Debug)]
pub(super) struct ContactSheet {
    path: PathBuf,
}

impl ContactSheet {
    /// The page in `folder`; or why there is to be none, where something else has its name.
    pub(super) fn within(folder: &Path) -> std::result::Result<Self, String> {
        // Through links to the folder, but not through one that has the page's name.
        let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder));
        let path = folder.unwrap_or_default().join(NAME);
        if is_free(&path) {
            return Ok(Self { path });
        }
        let path = path.display();
        Err(format!("{path} is not a page of stemseg, and stays; no page shows all images"))
    }

    /// Writes the page of all lines of `table`, those of `images` among them; gives its place, unless
    /// something else has come there.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; an earlier page is then as it was.
    pub(super) fn write(&self, table: &Table, images: &[ImageOutcome]) -> Result<Option<PathBuf>> {
        let other = Cell::new(false);
        let written = replace_file(&self.path, |file| {
            let failed = Error::io(&self.path);
            if !is_free(&self.path) {
                other.set(true);
                return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
            }
            // Read while no other run can write the page: the last one to do so knows all lines.
            let lines = table.lines();
            let mut to = BufWriter::new(file);
            self.write_lines(&mut to, table, &lines, images)
                .and_then(|()| to.flush())
                .map_err(failed)
        });
        match written {
            Err(_) if other.get() => Ok(None),
            written => written.map(|()| Some(self.path.clone())),
        }
    }

    fn write_lines(
        &self,
        to: &mut dyn Write,
        table: &Table,
        lines: &[Line],
        images: &[ImageOutcome],
    ) -> std::io::Result<()> {
        let folder = self.folder();
        let name = folder.file_name().map(Path::new).unwrap_or(folder);
        let about = Page {
            name: &visible::path(name),
            cards: lines.len(),
            counts: &counts(lines),
            table: &link(folder, table.path()).unwrap_or_default(),
        };
        // A path that is no Unicode is not what its cell says.
        let targets = images.iter().map(|outcome| &*outcome.image.target);
        let places: HashMap<String, &Path> =
            targets.map(|target| (target.display().to_string(), target)).collect();
        let card = |line: &Line| {
            let result = line.text(RESULT);
            card(line, folder, places.get(result).copied().unwrap_or(Path::new(result)))
        };
        let cards = |some: &[Line]| some.par_iter().map(card).collect::<Vec<Card>>();
        contact_sheet(to, &about, lines.chunks(AT_A_TIME).flat_map(cards))
    }

    /// The folder that it is in.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

/// Whether there is nothing at `path`, or a page like this.
fn is_free(path: &Path) -> bool {
    let Ok(there) = fs::symlink_metadata(path) else { return true };
    let head = || {
        let mut head = Vec::new();
        fs::File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
        Ok::<_, std::io::Error>(head)
    };
    there.is_file() && head().is_ok_and(|head| is_contact_sheet(&head))
}

/// What became of the images, and how many of them; those with warnings last.
fn counts(lines: &[Line]) -> [(&'static str, usize); 5] {
    // An image has a line for each number of patterns.
    let count = |is: &dyn Fn(&Line) -> bool| {
        let mut files: Vec<&str> =
            lines.iter().filter(|line| is(line)).map(|line| line.text(FILE)).collect();
        files.sort_unstable();
        files.dedup();
        files.len()
    };
    let with = |status: &'static str| (status, count(&|line| line.text("status") == status));
    let warned = ("with warnings", count(&|line| !line.text("warnings").is_empty()));
    [with("done"), with("kept"), with("failed"), with("not done"), warned]
}

/// The card of `line`, whose result is at `place`, on a page in `folder`.
fn card(line: &Line, folder: &Path, place: &Path) -> Card {
    let file = Path::new(line.text(FILE));
    let earlier = (!place.as_os_str().is_empty()).then(|| Earlier::load(place)).flatten();
    let clusters = line.text("k").parse::<u64>().ok();
    let part = earlier.as_ref().zip(clusters).and_then(|(earlier, k)| earlier.part(k));
    let side = |column: &str| line.text(column).parse::<usize>().ok();
    let shape = side("rows").zip(side("cols"));
    let within = part.as_ref().map(|(within, _)| within);
    let page = within.map(|within| within.join("report.html")).filter(|page| page.is_file());
    let patterns = match (line.text("k"), line.text("k_source")) {
        ("", _) => String::new(),
        (k, "") => k.to_owned(),
        (k, source) => format!("{k} ({source})"),
    };
    Card {
        name: visible::path(file.file_name().map(Path::new).unwrap_or(file)),
        folder: file.parent().map_or(String::new(), visible::path),
        status: line.text("status").to_owned(),
        message: line.text("message").to_owned(),
        patterns,
        areas: line.areas().into_iter().map(|percent| percent / 100.0).collect(),
        confidence: line.number("confidence"),
        shape,
        warnings: warnings(line, part.as_ref().map(|(_, summary)| *summary)),
        picture: within
            .zip(shape)
            .and_then(|(within, shape)| Thumbnail::of_overlay(&within.join("overlay.png"), shape)),
        page: page.and_then(|page| link(folder, &page)),
    }
}

/// Codes and texts of the warnings: each text once.
fn warnings(line: &Line, summary: Option<&Value>) -> Vec<[String; 2]> {
    let all = summary.and_then(|summary| summary["warnings"].as_array());
    let text = |warning: &Value, key: &str| warning[key].as_str().unwrap_or_default().to_owned();
    match all {
        Some(all) => all.iter().map(|one| [text(one, "code"), text(one, "text")]).collect(),
        None => {
            let codes = line.text("warnings").split(';').filter(|code| !code.is_empty());
            codes.map(|code| [code.to_owned(), String::new()]).collect()
        }
    }
}

/// The way from `folder` to the file `to`, as a page links to it; none where there is none, as
/// between two drives.
fn link(folder: &Path, to: &Path) -> Option<String> {
    let (folder, to) = (folder.canonicalize().ok()?, to.canonicalize().ok()?);
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from[shared..].iter().map(|_| "..".to_owned());
    let down = to[shared..].iter().map(|part| match part {
        Component::Normal(name) => Some(encoded(name.as_encoded_bytes())),
        _ => None,
    });
    let parts = up.map(Some).chain(down).collect::<Option<Vec<String>>>()?;
    Some(parts.join("/"))
}

/// A name as part of a link: all bytes but those that RFC 3986 (2.3) does not reserve as `%XX`.
fn encoded(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.iter()
        .map(|&byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_through_any_name() {
        let place = tempfile::tempdir().unwrap();
        let within = place.path().join("results/a b#?%\u{e4}");
        fs::create_dir_all(&within).unwrap();
        fs::write(within.join("report.html"), "").unwrap();
        fs::write(place.path().join("c:d.csv"), "").unwrap();
        let folder = place.path().join("results");
        let to = |path: &Path| link(&folder, path);
        assert_eq!(to(&within.join("report.html")).unwrap(), "a%20b%23%3F%25%C3%A4/report.html");
        assert_eq!(to(&place.path().join("c:d.csv")).unwrap(), "../c%3Ad.csv");
        assert_eq!(to(&place.path().join("none")), None);
    }
}
