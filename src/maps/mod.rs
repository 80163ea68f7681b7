//! Maps to look at: scores of symmetries before pooling, and the channels that separate best.

pub mod channels;
pub mod symmetry;
