//! Black-box tests over HTTP, by reader. One binary: every further one costs seconds and megabytes.

mod authorizer_processes;
mod credentials;
mod deployment;
mod durations;
mod feed_items;
mod five_second_bound;
mod management_keys;
mod operator;
mod organization_snapshot;
mod people;
mod promises;
mod repository;
mod routes;
mod tables_in_a_file;
