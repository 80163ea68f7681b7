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
    use crate::pipeline::segment;
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
        let found = |segmenter: Segmenter, refinable: bool| {
            let (plan, repetition) = segmenter.plan(&image).unwrap();
            let repetition = Some(repetition);
            let also = Also { repetition, refinable, ..Also::default() };
            segment(&image, plan, &cpu, &Silent, also).unwrap()
        };
        let before = found(Segmenter::auto(), true);
        assert!(before.is_refinable());
        let marks = [((20, 20), 2), ((80, 200), 3)];
        let mark = |segmenter: Segmenter, (at, label)| segmenter.mark(at, label);
        let expected = found(marks.into_iter().fold(Segmenter::auto(), mark), true);
        let marks = marks.map(|((row, col), label)| Mark { row, col, label });
        let refined = before.refine(&image, marks.into(), &cpu, &Silent).unwrap();
        let [mut own, mut other] = [&refined, &expected].map(|found| found.results[0].clone());
        let [few, all] = [&mut own, &mut other].map(|p| std::mem::take(&mut p.separability));
        assert_eq!(own, other);
        assert_eq!(few.len(), all.len());
        assert!(few.iter().zip(&all).all(|(few, all)| (few - all).abs() < 0.1 * (all + 0.1)));
        assert_eq!((&refined.features, &refined.pca), (&expected.features, &expected.pca));
        assert_eq!(refined.plan.params(), expected.plan.params());
        // Each time from the beginning.
        assert!(!refined.is_refinable() && !expected.is_refinable());
        assert!(!found(Segmenter::auto(), false).is_refinable());
        for marks in [vec![], vec![Mark { row: 160, col: 0, label: 1 }]] {
            let error = before.refine(&image, marks, &cpu, &Silent).unwrap_err();
            assert!(matches!(error, Error::Parameter { name: "mark", .. }), "{error}");
        }
    }
}
