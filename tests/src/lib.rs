//! The harness of the black-box tests: the whole platform in process on a random port, typed callers, a clock that can be
//! advanced, a proxy that breaks connections, and authorizers as processes of their own.

pub mod caller;
pub mod lambda;
pub mod platform;
pub mod proxy;

pub use caller::{Answer, Caller};
pub use platform::Platform;
