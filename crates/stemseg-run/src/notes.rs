//! What is to be said of a segmentation, in words.

use stemseg::pipeline::{self, NextMark, Segmentation};
use stemseg::wording::Text;

/// What was decided in `found`, in the order in which that was done; `absorbed` is what became of
/// small regions.
pub(crate) fn notes(found: &Segmentation, absorbed: Vec<Text>) -> Vec<Text> {
    let reason = found.choice.as_ref().map(|choice| Text::from(&choice.reason));
    let before = reason.into_iter().chain(relabelled(found)).chain(absorbed);
    before.chain(next_mark(found)).chain(without_pca(found)).collect()
}

fn relabelled(found: &Segmentation) -> Option<Text> {
    let relabel = &found.plan.params().relabel;
    let before = "by the numbers that patterns had before";
    match (relabel.merge.is_empty(), relabel.numbers.is_empty()) {
        (true, true) => None,
        (true, false) => {
            Some(Text::from(format!("patterns are numbered anew: {relabel} {before}")))
        }
        (false, _) => Some(Text::from(format!("patterns are merged: {relabel} {before}"))),
    }
}

/// Where one more mark says most, after there were some.
fn next_mark(found: &Segmentation) -> Option<Text> {
    let [patterns] = &found.results[..] else { return None };
    if found.plan.params().marks.is_empty() {
        return None;
    }
    let NextMark { row, col, labels: [own, other] } = pipeline::next_mark(patterns, &found.plan)?;
    Some(Text::from(format!(
        "one more mark says most at {row},{col}, which has label {own} and may have {other}"
    )))
}

fn without_pca(found: &Segmentation) -> Option<Text> {
    let channels = found.plan.channels();
    let words = || Text::from(format!("PCA was not needed: all {channels} channels are features"));
    found.pca.report.skipped.then(words)
}
