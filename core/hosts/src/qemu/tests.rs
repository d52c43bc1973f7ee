//! `qemu` without QEMU: what is refused, the command line, seeds, the twin.
