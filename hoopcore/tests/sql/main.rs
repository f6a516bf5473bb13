//! The analysis of SQL: cases as text, limits, and properties.

mod bounds;
