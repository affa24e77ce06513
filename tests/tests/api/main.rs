//! Black-box tests over HTTP, by route. One binary: every further one costs seconds and megabytes.

mod revocation;
mod whoami;
