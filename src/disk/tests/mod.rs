//! Tests of the room that need more than one file of it.

mod differential;
mod real_disk;
