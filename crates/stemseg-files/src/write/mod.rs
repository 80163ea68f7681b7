//! Results on disk: [`ResultFolder`] makes a folder appear whole or not at all,
//! the functions write arrays and label maps into it.

mod content;
mod folder;
mod frame_file;
#[cfg(feature = "hspy")]
mod hspy;
mod label_type;
#[cfg(not(all(feature = "hspy", feature = "zarr")))]
mod left_out;
mod npy;
#[cfg(feature = "zarr")]
mod ome_zarr;
mod outlines;
mod tiff;
mod unfinished;

pub use self::content::{OmeZarr, OmeZarrFilm, OmeZarrFrame, Signal};
pub use self::folder::{ResultFolder, replace_file, sweep, sync_file};
pub use self::frame_file::{FrameFile, LabelFrames};
#[cfg(feature = "hspy")]
pub use self::hspy::write_hspy;
pub use self::label_type::LabelType;
#[cfg(not(feature = "hspy"))]
pub use self::left_out::write_hspy;
#[cfg(not(feature = "zarr"))]
pub use self::left_out::{write_ome_zarr, write_ome_zarr_film};
pub use self::npy::{NpyRows, NpyValue, write_labels_npy, write_npy, write_npy_rows};
#[cfg(feature = "zarr")]
pub use self::ome_zarr::{write_ome_zarr, write_ome_zarr_film};
pub use self::outlines::{
    Line, Lines, OutlinedRegion, Outlines, Ring, write_geojson, write_lines_geojson,
    write_lines_svg, write_rois, write_svg,
};
pub use self::tiff::{
    Stack, write_counts_tiff, write_labels_hyperstack, write_labels_tiff, write_map_tiff,
    write_maps_tiff,
};
pub use self::unfinished::remove_unfinished;
