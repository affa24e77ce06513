//! The whole platform in one process on a laptop: a gateway that reads `infra/template.yaml` and does to people what API
//! Gateway does, the functions, and embedded cloud services that the unmodified AWS SDK clients talk to.

pub mod aws;
pub mod cli;
pub mod cloud;
pub mod doctor;
pub mod environment;
pub mod founder;
pub mod functions;
pub mod gateway;
pub mod openapi;
pub mod peppers;
pub mod schedule;
pub mod seed;
pub mod signing_keys;
pub mod stack;
