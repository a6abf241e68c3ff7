//! Tests of the tree as a whole, against a model and on a simulated disk.

mod damage;
mod fixture;
mod model;
mod promises;
mod speed;
