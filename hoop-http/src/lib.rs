//! hoop in front of HTTP APIs and Kubernetes. Not written yet: this crate holds its place and does nothing.
