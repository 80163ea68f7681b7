//! The list of families: everything that asks what families there are follows from it.
//!
//! A line has the variant of [`Family`](super::Family) and
//! [`FamilyParams`](super::FamilyParams), the name that users and files know, the name of
//! the files `descriptor/`, `backend/cpu/` and `backend/gpu/`, and what it measures.

/// Hands the list on to the macro `$then`, with what is to be done with it before.
macro_rules! families {
    ($then:ident $($with:tt)*) => {
        $then! { [$($with)*]
            Translation "translation" translation "Local correlation map, see [`translation`].";
            Centred "centred-translation" centred "Local correlation map of centred pairs, see [`centred`].";
            Rotation "rotation" rotation "Rotational symmetry, see [`rotation`].";
            Reflection "reflection" reflection "Mirror symmetry, see [`reflection`].";
            Glide "glide" glide "Glide symmetry, see [`glide`].";
            Harmonic "harmonic" harmonic "Circular harmonics, see [`harmonic`].";
            PowerSpectrum "power-spectrum" power_spectrum "Local power spectra, see [`power_spectrum`].";
            Intensity "intensity" intensity "Mean and spread of the patch, see [`intensity`].";
            #[cfg(feature = "toy-family")] PeakToPeak "peak-to-peak" peak_to_peak "Range of the patch, see [`peak_to_peak`]: the recipe's example.";
        }
    };
}

/// Declares the files of the families as modules.
macro_rules! declare_modules {
    ([] $($(#[$cfg:meta])? $variant:ident $name:literal $module:ident $what:literal;)*) => {
        $($(#[$cfg])? mod $module;)*
    };
    ([pub] $($(#[$cfg:meta])? $variant:ident $name:literal $module:ident $what:literal;)*) => {
        $($(#[$cfg])? pub mod $module;)*
    };
}

/// Does with the family, or the parameters, of any kind what stands after the arrow:
/// `families!(each self, Family, own => own.channels())`.
macro_rules! each {
    (
        [$value:expr, $kinds:ident, $own:ident => $then:expr]
        $($(#[$cfg:meta])? $variant:ident $name:literal $module:ident $what:literal;)*
    ) => {
        match $value {
            $($(#[$cfg])? $crate::descriptor::$kinds::$variant($own) => $then,)*
        }
    };
}

pub(crate) use {declare_modules, each, families};
