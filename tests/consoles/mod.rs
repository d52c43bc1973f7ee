//! Consoles of labs' nodes: real shells in real namespaces, over real WebSockets.

mod guac;
mod house;
mod others;
mod people;
mod recordings;
mod terminals;
mod unkind;
