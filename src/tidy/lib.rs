//! tidy
#![forbid(unsafe_code)]
