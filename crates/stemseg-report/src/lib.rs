//! What people look at: the overlay picture, the maps, the summary and the page.

pub mod area;
mod calibration;
pub mod colours;
mod crystals;
mod embed;
pub mod film;
pub mod html;
mod lines;
pub mod maps;
mod number;
pub mod overlay;
pub mod scan;
pub mod strain;
pub mod summary;
pub mod text;
pub mod thumbnail;
pub mod visible;

pub use number::with_error;
