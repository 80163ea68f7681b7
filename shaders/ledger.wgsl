// The ledger: how many workgroups of each kernel ran. A device that leaves out a
// dispatch, or part of one, says nothing and leaves what was in memory before; the host
// knows how many workgroups it asked for, and compares.
//
// Every kernel begins with `clock_in`. Host: src/backend/gpu/ledger.rs.
//
// Work per workgroup: one atomic addition.

// Of this kernel; 0 at first, and counted on from dispatch to dispatch.
@group(0) @binding(15) var<storage, read_write> ledger: atomic<u32>;

fn clock_in(local: u32) {
    if local == 0u {
        atomicAdd(&ledger, 1u);
    }
}

