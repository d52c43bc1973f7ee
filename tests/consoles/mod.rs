//! Consoles of labs' nodes: real shells in real namespaces, over real WebSockets.

mod captures;
mod guac;
mod house;
mod logins;
mod others;
mod people;
mod pty;
mod recordings;
mod terminals;
mod unkind;
