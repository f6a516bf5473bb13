//! hoop in front of PostgreSQL: unchanged clients, every statement decided, every answer masked.
