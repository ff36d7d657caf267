//! Whole lives of consumer groups, from a seed.
