//! Promises of the room that need more than one of its files.

mod agreement;
mod fixture;
mod freshness;
mod hierarchy;
mod keyrings;
mod sealing;
mod vectors;
