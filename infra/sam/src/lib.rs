//! Reads a SAM template as `CloudFormation` and API Gateway understand it, and evaluates its IAM
//! policies. Pure: no clock, I/O or network.

pub mod iam;
pub mod template;
