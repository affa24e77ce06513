//! The whole platform in one process: the functions, over the emulated gateway and cloud services,
//! and a seed to try it with.

pub mod aws;
pub mod environment;
pub mod functions;
pub mod openapi;
pub mod schedule;
pub mod seed;
pub mod services;
pub mod stack;
