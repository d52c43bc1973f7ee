//! Following a run: events become a picture, and the picture becomes a live tree, plain lines, or JSON.

mod follower;
mod live;
mod picture;
mod plain;
mod tree;
mod words;

pub use follower::{Followed, Following, Mode, follow, hints};
pub use picture::Picture;
pub use plain::line;
pub use tree::render;
pub use words::short;
