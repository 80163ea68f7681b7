//! What was found in an image once more under marks, from what was kept of it: nothing but a sample of the
//! sites is described again.

use std::sync::Arc;

use super::fit::Evidence;
use super::marked::Marked;
use super::{Clock, Describing, Segmentation, Timings, label, work_since};
use crate::backend::Backend;
use crate::image::micrograph::Micrograph;
use crate::plan::{Mark, Params};
use crate::progress::Progress;
use crate::{Error, Result};

/// Sites whose evidence is kept, at most: some 30 MB of components.
const MOST_SITES: usize = 100_000;

/// Sites of the sample that separability is taken from: to describe more would take longer than all else.
const SAMPLED: usize = 2000;

/// The `evidence` of an image with these `params`, where it is to be kept: it says what there was without
/// marks and with patterns as they were found.
pub(super) fn kept(
    evidence: Option<Evidence>,
    params: &Params,
    sites: usize,
) -> Option<Arc<Evidence>> {
    let plain = params.marks.is_empty() && params.relabel.is_none() && params.clusters.len() <= 1;
    let evidence = evidence.filter(|_| plain && sites <= MOST_SITES)?;
    evidence.components.is_some().then(|| Arc::new(evidence))
}

impl Segmentation {
    /// Whether [`refine`](Self::refine) has what it needs.
    pub fn is_refinable(&self) -> bool {
        self.evidence.is_some()
    }

    /// The same under these `marks` on `micrograph`, the image that it is of: what
    /// [`segment`](super::segment) finds with them among its parameters, in a fraction of the time, but
    /// that the separability of channels is from fewer sites.
    ///
    /// Labels have to be as they were found: not those that small regions were given afterwards.
    ///
    /// # Errors
    /// [`Error::Parameter`] for marks that cannot be, and where [nothing](Self::is_refinable) was kept
    /// for it; what the backend reports; [`Error::Interrupted`].
    pub fn refine(
        &self,
        micrograph: &Micrograph,
        marks: Vec<Mark>,
        backend: &dyn Backend,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let (Some(evidence), Some(_)) = (&self.evidence, marks.first()) else {
            let reason = "nothing was kept that marks could change; segment the image with them";
            return Err(Error::parameter("mark", marks.len(), reason));
        };
        let (mut clock, before) = (Clock::start(), backend.work());
        let mut timings = Timings::default();
        let plan = self.plan.with_marks(marks)?;
        progress.stage("describe");
        let image = plan.image(micrograph)?;
        let mut sites = Describing::new(image.view(), &plan, backend)?;
        timings.describe = clock.lap();
        progress.stage("marks");
        let marked = Marked::new(evidence, &self.results[0], &mut sites, progress)?;
        let repetition = self.repetition.as_ref();
        let mut results = vec![marked.patterns(&plan, micrograph, backend, repetition)?];
        timings.cluster = clock.lap();
        progress.stage("separability");
        label::separate(&mut results, &mut sites, SAMPLED, progress)?;
        timings.separability = clock.lap();
        drop(sites);
        Ok(Self {
            features: marked.features,
            pca: marked.found.pca,
            results,
            choice: self.choice.clone(),
            channel_maps: Vec::new(),
            repetition: self.repetition,
            model: None,
            timings,
            device_work: work_since(before, backend),
            evidence: None,
            plan,
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::Segmenter;
    use crate::backend::cpu::Cpu;
    use crate::lattice::Repetition;
    use crate::pipeline::{Also, segment};
    use crate::progress::Silent;

    /// Rows of atoms on the left, slanted ones on the right.
    fn image() -> Micrograph {
        let pixels = Array2::from_shape_fn((160, 240), |(row, col)| {
            let along = if col < 130 { row } else { row + col };
            let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 2000.0;
            let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
            wave(along) + wave(col) + noise
        });
        Micrograph::screened(pixels.view(), Default::default()).unwrap()
    }

    #[test]
    fn what_is_refined_is_what_is_found_with_the_marks() {
        let (image, cpu) = (image(), Cpu::new());
        let found = |segmenter: Segmenter, refinable: bool, repetition: Option<Repetition>| {
            let (plan, own) = segmenter.plan(&image).unwrap();
            let repetition = repetition.or(Some(own));
            let also = Also { repetition, refinable, ..Also::default() };
            segment(&image, plan, &cpu, &Silent, also).unwrap()
        };
        let marks = [((20, 20), 2), ((80, 200), 3)];
        let marked = || {
            let mark = |segmenter: Segmenter, (at, label)| segmenter.mark(at, label);
            marks.into_iter().fold(Segmenter::auto(), mark)
        };
        let all = marks.map(|((row, col), label)| Mark { row, col, label });
        // Where nothing repeats, nothing is sure.
        for repetition in [None, Some(Repetition::new(None, None))] {
            let before = found(Segmenter::auto(), true, repetition);
            assert!(before.is_refinable());
            let expected = found(marked(), true, repetition);
            let refined = before.refine(&image, all.into(), &cpu, &Silent).unwrap();
            let [mut own, mut other] = [&refined, &expected].map(|found| found.results[0].clone());
            let [few, every] = [&mut own, &mut other].map(|p| std::mem::take(&mut p.separability));
            assert_eq!(own, other);
            assert_eq!(few.len(), every.len());
            let near = |(few, every): (&f64, &f64)| (few - every).abs() < 0.1 * (every + 0.1);
            assert!(few.iter().zip(&every).all(near), "{few} {every}");
            assert_eq!((&refined.features, &refined.pca), (&expected.features, &expected.pca));
            assert_eq!(refined.plan.params(), expected.plan.params());
            // Each time from the beginning.
            assert!(!refined.is_refinable() && !expected.is_refinable());
        }
        let before = found(Segmenter::auto(), true, None);
        assert!(!found(Segmenter::auto(), false, None).is_refinable());
        for marks in [vec![], vec![Mark { row: 160, col: 0, label: 1 }]] {
            let error = before.refine(&image, marks, &cpu, &Silent).unwrap_err();
            assert!(matches!(error, Error::Parameter { name: "mark", .. }), "{error}");
        }
    }
}
