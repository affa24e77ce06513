//! The template and what it deploys: for those who deploy.

pub(crate) mod alarms;
pub(crate) mod bootstraps;
pub(crate) mod costs;
pub(crate) mod permissions;
pub(crate) mod tables;
pub(crate) mod template;
pub(crate) mod template_routes;
