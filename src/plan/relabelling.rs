//! [`Relabelling`]: which patterns are one, and how they are numbered.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Which patterns are one, and how they are numbered then. By default each stays what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Relabelling {
    /// Labels that become one, two or more in each group, as numbers stand without this. The
    /// patterns that are left are numbered anew in the order of their smallest label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge: Vec<Vec<u16>>,
    /// The labels that are left, in the order in which they become 1, 2 and on; empty where they
    /// stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u16>,
}

impl Relabelling {
    /// Whether each pattern stays what it is.
    pub fn is_none(&self) -> bool {
        self.merge.is_empty() && self.numbers.is_empty()
    }

    /// Checks what does not depend on the number of patterns.
    ///
    /// # Errors
    /// [`Error::Parameter`] named `merge` or `numbers`.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |reason: &str| Err(Error::parameter("merge", groups(&self.merge), reason));
        let all: Vec<u16> = self.merge.iter().flatten().copied().collect();
        if self.merge.iter().any(|group| group.len() < 2) {
            return refused("give two labels or more that become one, such as 2+3");
        }
        if all.contains(&0) {
            return refused("labels of patterns begin with 1; 0 is what has none");
        }
        if let Some(label) = twice(&all) {
            return refused(&format!("it names label {label} twice"));
        }
        if self.numbers.contains(&0) {
            let reason = "labels of patterns begin with 1; 0 is what has none";
            return Err(Error::parameter("numbers", list(&self.numbers, ","), reason));
        }
        Ok(())
    }

    /// The new label of each of `patterns` patterns, by the label that it has: 1 to the number that
    /// is left.
    ///
    /// # Errors
    /// [`Error::Parameter`] named `merge` for labels that there are not, named `numbers` where these
    /// are not all that are left, each once.
    pub fn labels(&self, patterns: usize) -> Result<Vec<u16>> {
        self.check()?;
        let beyond = |label: &&u16| usize::from(**label) > patterns;
        if let Some(label) = self.merge.iter().flatten().find(beyond) {
            let reason = format!("there is no label {label}: {}", in_words(patterns));
            return Err(Error::parameter("merge", groups(&self.merge), reason));
        }
        let smallest = |label: u16| {
            let group = self.merge.iter().find(|group| group.contains(&label));
            group.and_then(|group| group.iter().min().copied()).unwrap_or(label)
        };
        let by_label: Vec<u16> = (1..=patterns as u16).map(smallest).collect();
        let mut left = by_label.clone();
        left.sort_unstable();
        left.dedup();
        let place = |label: &u16| left.binary_search(label).expect("it is left") as u16 + 1;
        let labels: Vec<u16> = by_label.iter().map(place).collect();
        if self.numbers.is_empty() {
            return Ok(labels);
        }
        let mut sorted = self.numbers.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=left.len() as u16) {
            let reason = format!("give each label from 1 to {} once", left.len());
            return Err(Error::parameter("numbers", list(&self.numbers, ","), reason));
        }
        let number = |label: u16| self.numbers.iter().position(|&n| n == label).expect("each once");
        Ok(labels.into_iter().map(|label| number(label) as u16 + 1).collect())
    }

    /// What comes of this and then `next`, which speaks of the labels that this gives, in an image
    /// of `patterns` patterns.
    ///
    /// # Errors
    /// As [`labels`](Self::labels), of each of the two.
    pub fn then(&self, next: &Self, patterns: usize) -> Result<Self> {
        let first = self.labels(patterns)?;
        let left = first.iter().copied().max().unwrap_or(0);
        let second = next.labels(left.into())?;
        let labels: Vec<u16> = first.iter().map(|&l| second[usize::from(l) - 1]).collect();
        // By their smallest label, as they are numbered where nothing else is said.
        let mut numbers: Vec<u16> = Vec::new();
        for &label in &labels {
            if !numbers.contains(&label) {
                numbers.push(label);
            }
        }
        let with = |number: u16| -> Vec<u16> {
            (1..).zip(&labels).filter(|(_, l)| **l == number).map(|(label, _)| label).collect()
        };
        let merge = numbers.iter().map(|&number| with(number)).filter(|all| all.len() > 1);
        let merge = merge.collect();
        let place = |number: u16| numbers.iter().position(|&n| n == number).expect("it is there");
        let numbers: Vec<u16> =
            (1..=numbers.len() as u16).map(|number| place(number) as u16 + 1).collect();
        let same = numbers.iter().copied().eq(1..=numbers.len() as u16);
        Ok(Self { merge, numbers: if same { Vec::new() } else { numbers } })
    }
}

/// As on a command line.
impl fmt::Display for Relabelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.numbers.is_empty() {
            true => f.write_str(&groups(&self.merge)),
            false => write!(f, "{} as {}", groups(&self.merge), list(&self.numbers, ",")),
        }
    }
}

fn groups(merge: &[Vec<u16>]) -> String {
    merge.iter().map(|group| list(group, "+")).collect::<Vec<_>>().join(",")
}

fn list(labels: &[u16], between: &str) -> String {
    labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

fn twice(labels: &[u16]) -> Option<u16> {
    let again = |(i, label): &(usize, &u16)| labels[..*i].contains(label);
    labels.iter().enumerate().find(again).map(|(_, &label)| label)
}

fn in_words(patterns: usize) -> String {
    if patterns == 1 { "there is one pattern".into() } else { format!("there are {patterns}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relabelling(merge: &[&[u16]], numbers: &[u16]) -> Relabelling {
        let merge = merge.iter().map(|group| group.to_vec()).collect();
        Relabelling { merge, numbers: numbers.to_vec() }
    }

    #[test]
    fn merged_patterns_have_the_smallest_label_and_others_move_up() {
        let of = |merge: &[&[u16]], numbers: &[u16]| relabelling(merge, numbers).labels(5).unwrap();
        assert_eq!(of(&[], &[]), [1, 2, 3, 4, 5]);
        assert_eq!(of(&[&[2, 3]], &[]), [1, 2, 2, 3, 4]);
        assert_eq!(of(&[&[5, 1], &[4, 2]], &[]), [1, 2, 3, 2, 1]);
        assert_eq!(of(&[&[5, 1], &[4, 2]], &[3, 1, 2]), [2, 3, 1, 3, 2]);
    }

    #[test]
    fn two_after_each_other_are_one() {
        let all = [
            relabelling(&[], &[]),
            relabelling(&[&[2, 3]], &[]),
            relabelling(&[&[1, 3]], &[2, 1, 3]),
            relabelling(&[], &[3, 1, 2]),
            relabelling(&[], &[3, 1, 4, 2]),
            relabelling(&[&[1, 2, 3]], &[]),
        ];
        for first in &all {
            let Ok(labels) = first.labels(4) else { continue };
            let left = usize::from(*labels.iter().max().unwrap());
            for next in &all {
                let Ok(second) = next.labels(left) else { continue };
                let expected: Vec<u16> = labels.iter().map(|&l| second[l as usize - 1]).collect();
                let both = first.then(next, 4).unwrap();
                assert_eq!(both.labels(4).unwrap(), expected, "{first:?} {next:?}");
            }
        }
        assert!(all[0].then(&all[0], 4).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let error = |merge: &[&[u16]], numbers: &[u16]| {
            relabelling(merge, numbers).labels(3).unwrap_err().to_string()
        };
        for (merge, words) in [
            (&[&[2_u16][..]][..], "two labels or more"),
            (&[&[0, 1]], "begin with 1"),
            (&[&[1, 2], &[2, 3]], "label 2 twice"),
            (&[&[2, 4]], "no label 4: there are 3"),
        ] {
            let error = error(merge, &[]);
            assert!(error.contains(words), "{error}");
        }
        for numbers in [&[1, 2][..], &[1, 1, 2], &[1, 2, 4], &[0, 1, 2]] {
            assert!(relabelling(&[], numbers).labels(3).is_err(), "{numbers:?}");
        }
    }
}
