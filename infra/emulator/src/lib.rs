//! API Gateway and the cloud services on a laptop: a gateway that reads a SAM template and answers
//! as API Gateway does, and services that the unmodified AWS SDK clients talk to. It knows no
//! function.

pub mod cloud;
pub mod gateway;
