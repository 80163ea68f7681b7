//! What people look at: the overlay picture and the summary.

pub mod colours;
pub mod overlay;
pub mod summary;
pub mod text;
