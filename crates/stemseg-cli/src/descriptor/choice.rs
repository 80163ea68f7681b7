//! Families with what the user chose for them.

use stemseg::Result;
use stemseg::descriptor::harmonic::Pool;
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    Common, FamilyParams, centred, glide, harmonic, power_spectrum, translation,
};
use stemseg::image::micrograph::{Micrograph, PixelSize};

use super::args::{CentredArgs, DescriptorArgs, PoolArg, ScaleArg, SpectrumArg, SymmetryArgs};
use crate::{length, parse};

/// Standard deviation of a power mean's weights unless told otherwise, px.
const POOL_WIDTH: f64 = 3.6;

impl DescriptorArgs {
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
            FamilyParams::Rotation(params) => set(&mut params.folds, &self.symmetry.folds),
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
        let SymmetryArgs { radius, inner_stride, pool_top, axes, .. } = &self.symmetry;
        let extents = [("patch", to.patch, &self.patch), ("window", to.window, &self.window)];
        for (option, to, chosen) in extents {
            if let (Some(to), Some(chosen)) = (to, chosen) {
                *to = chosen.pixels(option, size)?;
            }
        }
        let lengths =
            [("radius", to.radius, radius), ("inner-stride", to.inner_stride, inner_stride)];
        for (option, to, chosen) in lengths {
            if let (Some(to), Some(chosen)) = (to, chosen) {
                *to = chosen.pixels(option, size)?;
            }
        }
        for (to, chosen) in [(to.pool_top, pool_top), (to.axes, axes)] {
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
        set(&mut params.max_points, &self.translation.max_points);
        if let Some(file) = self.file() {
            let list = parse::translations(file)?;
            params.list = Some(length::translations(&list, size)?);
        }
        Ok(())
    }

    fn choose_centred(&self, params: &mut centred::Params, size: Option<PixelSize>) -> Result<()> {
        let CentredArgs { pair_width, pair_spacing } = &self.centred;
        set(&mut params.width, &length::fraction(pair_width, "pair-width", size)?);
        set(&mut params.spacing, &length::fraction(pair_spacing, "pair-spacing", size)?);
        Ok(())
    }

    fn choose_glide(
        &self,
        params: &mut glide::Params,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
    ) -> Result<()> {
        params.rings = params.rings.min(2 * params.radius.saturating_sub(1));
        params.periods = match &self.symmetry.glide_period {
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
        set(&mut params.orders, &self.harmonic.orders);
        set(&mut params.rings, &self.harmonic.rings);
        set(&mut params.angles, &self.harmonic.angles);
        let width = length::fraction(&self.harmonic.pool_width, "pool-width", size)?;
        match (self.harmonic.pool, params.pool) {
            (Some(PoolArg::Maximum), _) => params.pool = Pool::Maximum,
            (Some(PoolArg::PowerMean), Pool::Maximum) => {
                params.pool = Pool::PowerMean { width: width.unwrap_or(POOL_WIDTH) };
            }
            (_, Pool::PowerMean { width: before }) => {
                params.pool = Pool::PowerMean { width: width.unwrap_or(before) };
            }
            (None, Pool::Maximum) => {}
        }
        Ok(())
    }

    fn choose_spectrum(&self, params: &mut power_spectrum::Params) {
        match self.spectrum.spectrum {
            Some(SpectrumArg::Half) => params.spectrum = Spectrum::Half,
            Some(SpectrumArg::Full) => params.spectrum = Spectrum::Full,
            None => {}
        }
        match self.spectrum.spectrum_scale {
            Some(ScaleArg::Log) => params.scale = Scale::Log,
            Some(ScaleArg::Linear) => params.scale = Scale::Linear,
            None => {}
        }
    }
}

fn set<T: Clone>(to: &mut T, chosen: &Option<T>) {
    if let Some(value) = chosen {
        to.clone_from(value);
    }
}
