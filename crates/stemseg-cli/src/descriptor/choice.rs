//! Families with what the user chose for them.

use stemseg::Result;
use stemseg::descriptor::harmonic::Pool;
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    FamilyParams, centred, glide, harmonic, intensity, power_spectrum, reflection, rotation,
    translation,
};
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::sites::Extent;

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
        match family {
            FamilyParams::Translation(params) => self.choose_translation(params, size)?,
            FamilyParams::Centred(params) => self.choose_centred(params, size)?,
            FamilyParams::Rotation(params) => self.choose_rotation(params, size)?,
            FamilyParams::Reflection(params) => self.choose_reflection(params, size)?,
            FamilyParams::Glide(params) => self.choose_glide(params, micrograph, size)?,
            FamilyParams::Harmonic(params) => self.choose_harmonic(params, size)?,
            FamilyParams::PowerSpectrum(params) => self.choose_spectrum(params, size)?,
            FamilyParams::Intensity(intensity::Params { patch }) => self.set_patch(patch, size)?,
        }
        Ok(())
    }

    fn set_patch(&self, to: &mut Extent, size: Option<PixelSize>) -> Result<()> {
        let pixels = self.patch.as_ref().map(|patch| patch.pixels("patch", size)).transpose()?;
        set(to, &pixels);
        Ok(())
    }

    fn set_window(&self, to: &mut Extent, size: Option<PixelSize>) -> Result<()> {
        let pixels =
            self.window.as_ref().map(|window| window.pixels("window", size)).transpose()?;
        set(to, &pixels);
        Ok(())
    }

    /// Sets a radius and a distance of inner sites.
    fn set_inner(&self, to: [&mut usize; 2], size: Option<PixelSize>) -> Result<()> {
        let SymmetryArgs { radius, inner_stride, .. } = &self.symmetry;
        let chosen = [("radius", radius), ("inner-stride", inner_stride)];
        for (to, (option, span)) in to.into_iter().zip(chosen) {
            if let Some(span) = span {
                *to = span.pixels(option, size)?;
            }
        }
        Ok(())
    }

    fn choose_translation(
        &self,
        params: &mut translation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_patch(&mut params.patch, size)?;
        self.set_window(&mut params.window, size)?;
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

    fn choose_rotation(
        &self,
        params: &mut rotation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.folds, &self.symmetry.folds);
        Ok(())
    }

    fn choose_reflection(
        &self,
        params: &mut reflection::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.axes, &self.symmetry.axes);
        Ok(())
    }

    fn choose_glide(
        &self,
        params: &mut glide::Params,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.axes, &self.symmetry.axes);
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
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
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

    fn choose_spectrum(
        &self,
        params: &mut power_spectrum::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
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
        Ok(())
    }
}

fn set<T: Clone>(to: &mut T, chosen: &Option<T>) {
    if let Some(value) = chosen {
        to.clone_from(value);
    }
}
