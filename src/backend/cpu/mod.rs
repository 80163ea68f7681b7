//! The CPU backend: every core through rayon, SIMD by run-time dispatch.

mod assign;
mod moments;
mod project;
mod translation;

use ndarray::{Array2, ArrayView2, ArrayViewMut3, Axis};

use super::{Assign, Backend, Describe, DeviceInfo, Kept};
use crate::Result;
use crate::descriptor::Family;
use crate::pca::{Moments, Pca};
use crate::plan::Plan;
use crate::sites::Band;

pub(crate) use translation::repair;

/// This machine's processor.
#[derive(Debug)]
pub struct Cpu {
    device: DeviceInfo,
}

impl Cpu {
    /// The processor with rayon's global thread pool.
    pub fn new() -> Self {
        let device = DeviceInfo {
            kind: "cpu".into(),
            name: format!("{} CPU", std::env::consts::ARCH),
            backend: format!("rayon, {} threads", rayon::current_num_threads()),
        };
        Self { device }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Cpu {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        let row = (plan.grid.count.cols * plan.channels() * size_of::<f32>()) as u64;
        Ok((budget / row.max(1)).max(1) as usize)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        Ok(Box::new(Session { image, plan, kept: Kept::new(plan.budget) }))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        Ok(Box::new(assign::Points::new(points)))
    }
}

struct Session<'a> {
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    kept: Kept<Array2<f32>>,
}

impl Session<'_> {
    fn descriptors(&mut self, band: &Band) -> Result<std::rc::Rc<Array2<f32>>> {
        let bytes = (band.len() * self.plan.channels() * size_of::<f32>()) as u64;
        let (image, plan) = (self.image, self.plan);
        self.kept.get(band, bytes, || Ok(describe(image, plan, band)))
    }
}

/// Descriptors `[sites, D]`, the families' channels side by side.
fn describe(image: ArrayView2<'_, f32>, plan: &Plan, band: &Band) -> Array2<f32> {
    let mut out = ndarray::Array3::zeros((band.rows.len(), band.cols, plan.channels()));
    let mut rest: ArrayViewMut3<'_, f32> = out.view_mut();
    for family in &plan.families {
        let (block, others) = rest.split_at(Axis(2), family.channels());
        rest = others;
        match family {
            Family::Translation(family) => {
                translation::describe(image, family, &plan.grid, band, block);
            }
        }
    }
    let shape = (band.len(), plan.channels());
    out.into_shape_with_order(shape).expect("a fresh array is contiguous")
}

impl Describe for Session<'_> {
    fn describe(&mut self, band: &Band) -> Result<Array2<f32>> {
        let descriptors = self.descriptors(band)?;
        Ok(std::rc::Rc::try_unwrap(descriptors).unwrap_or_else(|shared| (*shared).clone()))
    }

    fn accumulate(&mut self, band: &Band) -> Result<Moments> {
        let descriptors = self.descriptors(band)?;
        Ok(moments::accumulate(descriptors.view(), self.plan, band))
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<Array2<f32>> {
        let descriptors = self.descriptors(band)?;
        Ok(project::project(descriptors.view(), pca))
    }
}
