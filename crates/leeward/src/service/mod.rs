//! What a running `sync` tells machines: whether its loop goes on, how far it is, and its numbers. It only listens to the
//! lane, which never waits for whoever asks; nothing here decides or writes.

pub mod emf;
pub mod http;
mod prometheus;
pub mod vitals;
