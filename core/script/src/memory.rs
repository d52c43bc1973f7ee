//! Counts what each thread holds on the heap, so that a script that grows without end can be stopped before the process is.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// Bytes that this thread has allocated, less those it has freed.
    static NET_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counting. A binary that runs scripts installs it:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: windlass_script::CountingAllocator = windlass_script::CountingAllocator;
/// ```
///
/// Without it scripts run as well, but their memory isn't bounded.
pub struct CountingAllocator;

/// Bytes that this thread holds on the heap; may be negative when it frees what others allocated.
pub fn thread_net_bytes() -> i64 {
    NET_BYTES.with(Cell::get)
}

/// Says what this thread is to count as holding: some of what it has allocated went to others, or came from them.
pub(crate) fn set_thread_net_bytes(bytes: i64) {
    NET_BYTES.set(bytes);
}

/// What was allocated since the count stood at `before_bytes` isn't this thread's any more. Gives how much that is.
pub(crate) fn hand_over(before_bytes: i64) -> i64 {
    let bytes = thread_net_bytes() - before_bytes;
    count(-bytes);
    bytes
}

/// Something that another thread has handed over, of so many bytes, is this thread's now.
pub(crate) fn take_over(bytes: i64) {
    count(bytes);
}

fn count(bytes: i64) {
    // A thread that is going down has no counter any more; nothing is left to protect there.
    let _ = NET_BYTES.try_with(|net| net.set(net.get() + bytes));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local integer that
// neither allocates nor has a destructor.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps `GlobalAlloc::alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller keeps `GlobalAlloc::dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps `GlobalAlloc::realloc`'s contract.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
