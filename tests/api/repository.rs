//! The pages and the sources of this repository against each other.

pub(crate) mod deviations;
pub(crate) mod line_width;
pub(crate) mod readme;
pub(crate) mod requirements;
