//! Masking: cells by text cases, detectors by corpora, and what holds for all bytes.

mod cells;
mod origins;
