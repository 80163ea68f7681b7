//! The arguments of `stemseg segment` for the formats of label maps.

use clap::ValueEnum;
use stemseg_files::write::LabelType;
use stemseg_run::{Format, Output};

/// Which formats, and which integers.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct FormatArgs {
    /// Formats: tiff, npy, ome-zarr, hspy, roi, geojson, svg.
    ///
    /// Those of the label map, and of the outlines of its regions; several are joined by commas. tiff: labels.tif for Fiji and HyperSpy, with confidence.tif. npy: labels.npy. ome-zarr: NAME.ome.zarr for
    /// napari and Fiji, with the image. hspy: labels.hspy for HyperSpy. The outlines of regions: rois.zip (roi) for Fiji's ROI Manager,
    /// regions.geojson for QuPath and Python, regions.svg for figures; of the last two also the lines between regions, as boundaries.geojson and boundaries.svg.
    #[arg(
        long = "format",
        value_name = "FORMATS",
        value_delimiter = ',',
        value_enum,
        hide_possible_values = true,
        default_value = "tiff,npy"
    )]
    formats: Vec<FormatArg>,

    /// Integer type of stored labels; auto is u8 up to 254 labels, and u16 above.
    #[arg(long, value_name = "TYPE", value_enum, default_value = "auto")]
    labels: LabelsArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Tiff,
    Npy,
    OmeZarr,
    Hspy,
    Roi,
    #[value(name = "geojson")]
    GeoJson,
    Svg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LabelsArg {
    Auto,
    U8,
    U16,
    U32,
}

impl FormatArgs {
    /// Says in `output` what was asked for.
    pub(crate) fn choose(&self, output: &mut Output) {
        let format = |format: &FormatArg| match format {
            FormatArg::Tiff => Format::Tiff,
            FormatArg::Npy => Format::Npy,
            FormatArg::OmeZarr => Format::OmeZarr,
            FormatArg::Hspy => Format::Hspy,
            FormatArg::Roi => Format::Roi,
            FormatArg::GeoJson => Format::GeoJson,
            FormatArg::Svg => Format::Svg,
        };
        output.formats = self.formats.iter().map(format).collect();
        output.label_type = match self.labels {
            LabelsArg::Auto => None,
            LabelsArg::U8 => Some(LabelType::U8),
            LabelsArg::U16 => Some(LabelType::U16),
            LabelsArg::U32 => Some(LabelType::U32),
        };
    }
}
