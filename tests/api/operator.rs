//! The tools of an operator: the command line, the doctor, rolls, the canary and the rotation
//! function.

pub(crate) mod canary;
pub(crate) mod command_line;
pub(crate) mod doctor;
pub(crate) mod peppers;
pub(crate) mod secret_rotation;
pub(crate) mod signing_keys;
