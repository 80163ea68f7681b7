//! All images of a request: found, taken through the lanes, summed up in a table.
//!
//! While one image is computed, the next is read and the one before is written, so that the
//! device has work from file to file. With several jobs there are as many such lanes on one
//! device.

mod contact_sheet;
pub(crate) mod images;
mod lanes;
pub(crate) mod outcomes;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod together;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use stemseg::Result;
use stemseg::wording::Text;
use stemseg_files::write::sweep;

use self::contact_sheet::ContactSheet;
use self::images::{Images, Search};
use self::lanes::Lanes;
use self::outcomes::Outcomes;
use self::table::Table;
use crate::method::Method;
use crate::observer::Observer;
use crate::request::Request;
use crate::steps::Shared;

/// Does what `request` asks for, by its settings.
///
/// Whatever is wrong with images and settings shows before anything is computed or written,
/// as far as it can.
///
/// # Errors
/// What is wrong with the request as a whole, with the device, or with the place of the table.
/// What is wrong with an image is in the [`Outcomes`], also where there is only one.
pub fn run(request: &Request, observer: &dyn Observer) -> Result<Outcomes> {
    run_by(request, &request.settings, observer)
}

/// As [`run`], but by `method`, whatever the request's settings are.
///
/// # Errors
/// As [`run`].
pub fn run_by(request: &Request, method: &dyn Method, observer: &dyn Observer) -> Result<Outcomes> {
    request.check(method)?;
    observer.stage("read");
    let besides = request.besides(method);
    let search = Search {
        given: &request.images,
        recursive: request.recursive,
        out: request.output.place.as_deref(),
        besides: &besides,
    };
    let Images { images, batch, notes } = Images::find(&search)?;
    let targets = images.iter().map(|image| &*image.target);
    let place = request.place_of_table(batch);
    sweep_beside(targets.chain(place.as_deref()), &|note| {
        observer.note(None, &Text::literal(note));
    });
    let table = place.map(Table::at).transpose()?;
    let folder = request.output.place.as_deref().filter(|_| batch);
    let (page, taken) = match folder.map(ContactSheet::within) {
        Some(Ok(page)) => (Some(page), None),
        Some(Err(taken)) => (None, Some(taken)),
        None => (None, None),
    };
    notes.iter().chain(&taken).for_each(|note| observer.note(None, &Text::literal(note)));
    let files = images.iter().map(|image| &*image.file).chain(besides).map(PathBuf::from);
    let shared = Shared {
        request,
        method,
        observer,
        batch,
        jobs: request.jobs.clamp(1, images.len()),
        files: &files.collect::<Vec<_>>(),
    };
    if batch {
        observer.images(images.len());
    }
    let lanes = Lanes::new(&shared, &images);
    lanes.all()?;
    let mut outcomes = lanes.ended().sum_up(images, table.as_ref(), batch)?;
    if let Some((table, page)) = table.zip(page) {
        // It shows what is there without it: no reason to say that the run failed.
        outcomes.page = page.write(&table, &outcomes.images).unwrap_or_else(|error| {
            observer.note(None, &error.text());
            None
        });
    }
    Ok(outcomes)
}

/// Tidies up, in the folders that `targets` are to lie in, after runs that were killed; what
/// was done goes to `note`.
pub fn sweep_beside<'a>(targets: impl IntoIterator<Item = &'a Path>, note: &dyn Fn(&str)) {
    let absolute = |target| std::path::absolute(target).ok();
    let place = |target: PathBuf| target.parent().map(Path::to_path_buf);
    let places = targets.into_iter().filter_map(absolute).filter_map(place);
    for place in places.collect::<BTreeSet<_>>() {
        sweep(&place).iter().for_each(|text| note(text));
    }
}
