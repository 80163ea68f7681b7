// Adds partial sums, in order, to a total:
//
//   total[e] += sum over parts p of partial[p][e].
//
// Dispatch: (entries / 256 in rows of `groups_per_row`, rows).
// Launcher: src/backend/gpu/fold.rs. The CPU adds in f64 where it makes the parts.
//
// Work per entry and part: 1 addition, 4 bytes. Memory bounds it.

struct Params {
    // Values of a part.
    entries: u32,
    // Parts to add: the first and their number.
    first_part: u32,
    parts: u32,
    // 1 where the total begins with them, else 0.
    fresh: u32,
    // Workgroups in a row of the dispatch.
    groups_per_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [parts][entries].
@group(0) @binding(1) var<storage, read> partial: array<f32>;
// [entries].
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(256)
fn fold(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let entry = (group.y * params.groups_per_row + group.x) * 256u + local;
    if entry >= params.entries {
        return;
    }
    var sum = 0.0;
    if params.fresh == 0u {
        sum = total[entry];
    }
    var at = params.first_part * params.entries + entry;
    for (var part = 0u; part < params.parts; part++) {
        sum += partial[at];
        at += params.entries;
    }
    total[entry] = sum;
}
