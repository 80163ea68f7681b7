//! Results on disk: [`ResultFolder`] makes a folder appear whole or not at all,
//! the functions write arrays and label maps into it.

mod folder;
mod hspy;
mod label_type;
mod npy;
mod ome_zarr;
mod tiff;
mod unfinished;

pub use self::folder::{ResultFolder, replace_file, sweep, sync_file};
pub use self::hspy::{Signal, write_hspy};
pub use self::label_type::LabelType;
pub use self::npy::{NpyRows, NpyValue, write_labels_npy, write_npy, write_npy_rows};
pub use self::ome_zarr::{OmeZarr, write_ome_zarr};
pub use self::tiff::{write_counts_tiff, write_labels_tiff, write_map_tiff};
pub use self::unfinished::remove_unfinished;
