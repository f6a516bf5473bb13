//! The I/O that hoop's gateways share: configuration, audit trail, approvals.
