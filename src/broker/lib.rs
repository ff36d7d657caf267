//! broker
#![forbid(unsafe_code)]
