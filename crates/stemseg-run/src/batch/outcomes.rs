//! [`Outcomes`]: what became of the images of a run.

use std::path::PathBuf;

use stemseg::{Error, Result};

use super::images::Image;
use super::table::{Record, Status, Table};

/// What became of the images of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcomes {
    /// Each image, in the order in which they were found.
    pub images: Vec<ImageOutcome>,
    /// Whether there were, or might have been, several images.
    pub batch: bool,
    /// Whether the observer stopped the run before its end.
    pub interrupted: bool,
    /// The table that was written.
    pub table: Option<PathBuf>,
    /// The page over all images that was written.
    pub page: Option<PathBuf>,
}

/// An image, and what became of it.
#[derive(Debug)]
pub struct ImageOutcome {
    /// The image.
    pub image: Image,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an image.
#[derive(Debug)]
pub enum Outcome {
    /// It was segmented in this run.
    Done,
    /// An earlier result is what this run would have made.
    Kept,
    /// Something is wrong with it.
    Failed(Error),
    /// The run ended before.
    NotDone,
}

impl Outcomes {
    /// The images that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&Image, &Error)> {
        self.images.iter().filter_map(|ImageOutcome { image, outcome }| match outcome {
            Outcome::Failed(error) => Some((image, error)),
            _ => None,
        })
    }

    /// How many images were done, were kept, and were not come to.
    pub fn counts(&self) -> [usize; 3] {
        let count = |is: fn(&Outcome) -> bool| {
            self.images.iter().filter(|image| is(&image.outcome)).count()
        };
        [
            count(|outcome| matches!(outcome, Outcome::Done)),
            count(|outcome| matches!(outcome, Outcome::Kept)),
            count(|outcome| matches!(outcome, Outcome::NotDone)),
        ]
    }
}

/// What the lanes ended with.
pub(super) struct Ended {
    /// For each image, unless it was not come to, the lines for the table, or why it failed.
    pub(super) list: Vec<Option<Result<Record>>>,
    /// Whether the observer stopped the run before its end.
    pub(super) interrupted: bool,
}

impl Ended {
    /// Writes the table, if there is to be one.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn sum_up(
        self,
        images: Vec<Image>,
        table: Option<&Table>,
        batch: bool,
    ) -> Result<Outcomes> {
        let parts = images.iter().zip(self.list).map(|(image, ended)| parts(image, ended));
        let (records, outcomes): (Vec<Record>, Vec<Outcome>) = parts.unzip();
        let write = |table: &Table| {
            let lines: Vec<_> = images.iter().zip(&records).collect();
            table.write(&lines).map(PathBuf::from)
        };
        let table = table.map(write).transpose()?;
        let outcome = |(image, outcome)| ImageOutcome { image, outcome };
        let images = images.into_iter().zip(outcomes).map(outcome).collect();
        Ok(Outcomes { images, batch, interrupted: self.interrupted, table, page: None })
    }
}

/// The lines of an image, and what became of it.
fn parts(image: &Image, ended: Option<Result<Record>>) -> (Record, Outcome) {
    match ended {
        None => (Record::without_result(Status::NotDone, ""), Outcome::NotDone),
        Some(Ok(record)) => match record.status {
            Status::Kept => (record, Outcome::Kept),
            _ => (record, Outcome::Done),
        },
        Some(Err(error)) => {
            let message = error.to_string();
            // The file has a column of its own.
            let file = format!("{}: ", image.file.display());
            let message = message.strip_prefix(&file).unwrap_or(&message);
            (Record::without_result(Status::Failed, message), Outcome::Failed(error))
        }
    }
}
