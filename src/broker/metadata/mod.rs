//! Cluster metadata on a log.
