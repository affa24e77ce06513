//! The tools of an operator: command line, doctor, rolls, canary, rotation function.

pub(crate) mod canary;
pub(crate) mod command_line;
pub(crate) mod doctor;
pub(crate) mod peppers;
pub(crate) mod secret_rotation;
pub(crate) mod signing_keys;
