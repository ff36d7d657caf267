//! Rules of this repository that a compiler does not check, as tests: which room may use what, how long files and
//! functions may be, which names and words are banned.
//!
//! May use: nothing. Knows the tree only as text.
//! Start reading at the tests below; each names its rule and how to mend what breaks it.
#![forbid(unsafe_code)]

pub mod manifest;
pub mod source;

#[cfg(test)]
mod dependency_tests;
#[cfg(test)]
mod source_tests;
