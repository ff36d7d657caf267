//! records
#![forbid(unsafe_code)]
