//! What became of the images of a run: in the table, and in the last words.

use super::inputs::Image;
use super::table::{Record, Status, Table};
use crate::Failure;
use crate::progress::Bar;

/// What became of an image.
pub(super) enum Outcome {
    Result(Record),
    Failure(Failure),
}

/// What became of all images; nothing of those that the run did not come to.
pub(super) struct Outcomes<'a> {
    pub(super) images: &'a [Image],
    pub(super) list: Vec<Option<Outcome>>,
    /// Whether Ctrl-C ended the run before.
    pub(super) interrupted: bool,
}

impl Outcomes<'_> {
    /// Writes the table, if there is to be one, and says how a run over several images
    /// went (`batch`) or what was wrong with the only one.
    ///
    /// # Errors
    /// Where an image failed, the run was interrupted, or the table cannot be written.
    pub(super) fn sum_up(
        self,
        table: Option<&Table>,
        batch: bool,
        bar: &Bar,
    ) -> Result<(), Failure> {
        let Self { images, list, interrupted } = self;
        let mut failures = Vec::new();
        let mut records = Vec::with_capacity(list.len());
        for (image, outcome) in images.iter().zip(list) {
            records.push(record(image, outcome, &mut failures));
        }
        let place = match table {
            Some(table) => format!("; the table is {}", write(table, images, &records)?),
            None => String::new(),
        };
        let count = |status| records.iter().filter(|record| record.status == status).count();
        let (done, kept, total) = (count(Status::Done), count(Status::Kept), records.len());
        match (failures.pop(), batch) {
            (_, true) if interrupted => {
                Err(Failure::Stopped(format!("{} of {total} images are done{place}", done + kept)))
            }
            (_, false) if interrupted => Err(Failure::Interrupted),
            (None, true) => {
                let kept = if kept > 0 { format!(", {kept} kept") } else { String::new() };
                bar.note(&format!("{done} of {total} images done{kept}{place}"));
                Ok(())
            }
            (None, false) => Ok(()),
            (Some((_, failure)), false) => Err(failure),
            (Some(last), true) => {
                failures.push(last);
                Err(not_segmented(&failures, total, count(Status::NotDone), &place))
            }
        }
    }
}

/// The lines of one image; what went wrong goes to `failures`.
fn record<'a>(
    image: &'a Image,
    outcome: Option<Outcome>,
    failures: &mut Vec<(&'a Image, Failure)>,
) -> Record {
    match outcome {
        None => Record::without_result(Status::NotDone, ""),
        Some(Outcome::Result(record)) => record,
        Some(Outcome::Failure(failure)) => {
            let message = match &failure {
                Failure::Usage(error) | Failure::Run(error) => error.to_string(),
                Failure::Interrupted | Failure::Stopped(_) => String::new(),
            };
            failures.push((image, failure));
            // The file has a column of its own.
            let file = format!("{}: ", image.file.display());
            let message = message.strip_prefix(&file).unwrap_or(&message);
            Record::without_result(Status::Failed, message)
        }
    }
}

/// Writes the table; gives its place.
fn write(table: &Table, images: &[Image], records: &[Record]) -> Result<String, Failure> {
    let lines: Vec<_> = images.iter().zip(records).collect();
    let place = table.write(&lines)?;
    Ok(place.display().to_string())
}

/// Names the images that failed, the first of them.
fn not_segmented(
    failures: &[(&Image, Failure)],
    total: usize,
    not_tried: usize,
    place: &str,
) -> Failure {
    const MOST: usize = 10;
    let name = |(image, _): &(&Image, Failure)| image.file.display().to_string();
    let mut names: Vec<String> = failures.iter().take(MOST).map(name).collect();
    if failures.len() > MOST {
        names.push(format!("and {} more", failures.len() - MOST));
    }
    let (count, names) = (failures.len(), names.join(", "));
    let rest = match not_tried {
        0 => String::new(),
        rest => format!("; {rest} were not tried"),
    };
    let message = format!("{count} of {total} images were not segmented: {names}{rest}{place}");
    Failure::Run(anyhow::anyhow!(message))
}
