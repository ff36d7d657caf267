//! The tools, one file each; a tool that is more than a file has a folder.

pub(crate) mod console_producer;
pub(crate) mod topics;
