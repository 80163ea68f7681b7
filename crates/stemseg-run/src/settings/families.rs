//! Families with what the user chose for them.

use stemseg::Result;
use stemseg::descriptor::harmonic::Pool as Pooling;
use stemseg::descriptor::{
    FamilyParams, centred, glide, harmonic, intensity, power_spectrum, reflection, rotation,
    translation,
};
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::sites::Extent;

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
        let chosen = [("radius", &self.radius), ("inner-stride", &self.inner_stride)];
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

    fn choose_rotation(
        &self,
        params: &mut rotation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.pool_top);
        set(&mut params.folds, &self.folds);
        Ok(())
    }

    fn choose_reflection(
        &self,
        params: &mut reflection::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.pool_top);
        set(&mut params.axes, &self.axes);
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
        set(&mut params.pool_top, &self.pool_top);
        set(&mut params.axes, &self.axes);
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
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
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

    fn choose_spectrum(
        &self,
        params: &mut power_spectrum::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        set(&mut params.spectrum, &self.spectrum);
        set(&mut params.scale, &self.spectrum_scale);
        Ok(())
    }
}

fn set<T: Clone>(to: &mut T, chosen: &Option<T>) {
    if let Some(value) = chosen {
        to.clone_from(value);
    }
}
