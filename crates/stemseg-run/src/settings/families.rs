//! Families with what the user chose for them.

use stemseg::Result;
use stemseg::descriptor::harmonic::Pool as Pooling;
use stemseg::descriptor::{
    Common, FamilyParams, centred, glide, harmonic, power_spectrum, translation,
};
use stemseg::image::micrograph::{Micrograph, PixelSize};

use super::descriptor::{DescriptorSettings, Pool};
use crate::input::translations::translations;
use crate::length;

/// Standard deviation of a power mean's weights unless told otherwise, px.
const POOL_WIDTH: f64 = 3.6;

impl DescriptorSettings {
    /// Sets what the user chose.
    pub(super) fn choose(
        &self,
        family: &mut FamilyParams,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.choose_common(family.common(), size)?;
        match family {
            FamilyParams::Translation(params) => self.choose_translation(params, size)?,
            FamilyParams::Centred(params) => self.choose_centred(params, size)?,
            FamilyParams::Rotation(params) => set(&mut params.folds, &self.folds),
            FamilyParams::Glide(params) => self.choose_glide(params, micrograph, size)?,
            FamilyParams::Harmonic(params) => self.choose_harmonic(params, size)?,
            FamilyParams::PowerSpectrum(params) => self.choose_spectrum(params),
            // All that others have is common.
            _ => {}
        }
        Ok(())
    }

    /// Sets what several families have.
    fn choose_common(&self, to: Common<'_>, size: Option<PixelSize>) -> Result<()> {
        let extents = [("patch", to.patch, &self.patch), ("window", to.window, &self.window)];
        for (name, to, chosen) in extents {
            if let (Some(to), Some(chosen)) = (to, chosen) {
                *to = chosen.pixels(name, size)?;
            }
        }
        let lengths = [
            ("radius", to.radius, &self.radius),
            ("inner-stride", to.inner_stride, &self.inner_stride),
        ];
        for (name, to, chosen) in lengths {
            if let (Some(to), Some(chosen)) = (to, chosen) {
                *to = chosen.pixels(name, size)?;
            }
        }
        for (to, chosen) in [(to.pool_top, &self.pool_top), (to.axes, &self.axes)] {
            if let (Some(to), Some(chosen)) = (to, chosen) {
                *to = *chosen;
            }
        }
        Ok(())
    }

    fn choose_translation(
        &self,
        params: &mut translation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        set(&mut params.max_points, &self.max_points);
        if let Some(file) = &self.translations {
            let list = translations(file)?;
            params.list = Some(length::translations(&list, size)?);
        }
        Ok(())
    }

    fn choose_centred(&self, params: &mut centred::Params, size: Option<PixelSize>) -> Result<()> {
        set(&mut params.width, &length::fraction(&self.pair_width, "pair-width", size)?);
        set(&mut params.spacing, &length::fraction(&self.pair_spacing, "pair-spacing", size)?);
        Ok(())
    }

    fn choose_glide(
        &self,
        params: &mut glide::Params,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
    ) -> Result<()> {
        params.rings = params.rings.min(2 * params.radius.saturating_sub(1));
        params.periods = match &self.glide_period {
            Some(periods) => length::periods(periods, params.axes, size)?,
            None => glide::periods(micrograph, params.axes)?,
        };
        Ok(())
    }

    fn choose_harmonic(
        &self,
        params: &mut harmonic::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        set(&mut params.orders, &self.orders);
        set(&mut params.rings, &self.rings);
        set(&mut params.angles, &self.angles);
        let width = length::fraction(&self.pool_width, "pool-width", size)?;
        match (self.pool, params.pool) {
            (Some(Pool::Maximum), _) => params.pool = Pooling::Maximum,
            (Some(Pool::PowerMean), Pooling::Maximum) => {
                params.pool = Pooling::PowerMean { width: width.unwrap_or(POOL_WIDTH) };
            }
            (_, Pooling::PowerMean { width: before }) => {
                params.pool = Pooling::PowerMean { width: width.unwrap_or(before) };
            }
            (None, Pooling::Maximum) => {}
        }
        Ok(())
    }

    fn choose_spectrum(&self, params: &mut power_spectrum::Params) {
        set(&mut params.spectrum, &self.spectrum);
        set(&mut params.scale, &self.spectrum_scale);
    }
}

fn set<T: Clone>(to: &mut T, chosen: &Option<T>) {
    if let Some(value) = chosen {
        to.clone_from(value);
    }
}
