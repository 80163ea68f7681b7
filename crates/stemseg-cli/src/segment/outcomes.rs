//! The last words of `stemseg segment`, and its exit code.

use stemseg_run::{Outcome, Outcomes};

use crate::Failure;
use crate::progress::Bar;

/// Says how a run over several images went, or what was wrong with the only one.
///
/// # Errors
/// Where an image failed or the run was interrupted.
pub(super) fn sum_up(outcomes: Outcomes, bar: &Bar) -> Result<(), Failure> {
    let table = outcomes.table.as_ref();
    let table = table.map_or(String::new(), |path| format!("; the table is {}", path.display()));
    let page = outcomes.page.as_ref();
    let page = page.map_or(String::new(), |path| format!("; look at {}", path.display()));
    let place = table + &page;
    let [done, kept, not_tried] = outcomes.counts();
    let (total, failed) = (outcomes.images.len(), outcomes.failures().count());
    match (outcomes.batch, outcomes.interrupted) {
        (true, true) => {
            Err(Failure::Stopped(format!("{} of {total} images are done{place}", done + kept)))
        }
        (false, true) => Err(Failure::Interrupted),
        (true, false) if failed == 0 => {
            let kept = if kept > 0 { format!(", {kept} kept") } else { String::new() };
            bar.note(&format!("{done} of {total} images done{kept}{place}"));
            Ok(())
        }
        (true, false) => Err(not_segmented(&outcomes, failed, not_tried, &place)),
        (false, false) => {
            let outcome = |image: stemseg_run::ImageOutcome| match image.outcome {
                Outcome::Failed(error) => Err(error.into()),
                Outcome::Done | Outcome::Kept | Outcome::NotDone => Ok(()),
            };
            outcomes.images.into_iter().try_for_each(outcome)
        }
    }
}

/// Names the images that failed, the first of them.
fn not_segmented(outcomes: &Outcomes, failed: usize, not_tried: usize, place: &str) -> Failure {
    const MOST: usize = 10;
    let names = outcomes.failures().map(|(image, _)| image.file.display().to_string());
    let mut names: Vec<String> = names.take(MOST).collect();
    if failed > MOST {
        names.push(format!("and {} more", failed - MOST));
    }
    let (total, names) = (outcomes.images.len(), names.join(", "));
    let rest = match not_tried {
        0 => String::new(),
        rest => format!("; {rest} were not tried"),
    };
    let message = format!("{failed} of {total} images were not segmented: {names}{rest}{place}");
    Failure::Run(anyhow::anyhow!(message))
}
