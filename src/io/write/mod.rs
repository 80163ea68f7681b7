//! Results on disk: [`ResultFolder`] makes a folder appear whole or not at all,
//! the functions write arrays and label maps into it.

mod folder;
mod npy;
mod tiff;

pub use self::folder::{ResultFolder, sync_file};
pub use self::npy::{NpyRows, NpyValue, write_npy, write_npy_rows};
pub use self::tiff::{write_counts_tiff, write_labels_tiff, write_map_tiff};
