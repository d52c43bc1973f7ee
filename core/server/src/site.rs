//! The interface's files, embedded when this was built.

use windlass_api::site::Site;

/// All of them; none if `ui/dist` wasn't there.
pub static SITE: Site = Site { files: include!(concat!(env!("OUT_DIR"), "/site.rs")) };
