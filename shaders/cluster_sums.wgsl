// Sums over the points of each cluster, and their numbers, for chunks of points:
//
//   S[c][f] = sum over points with label c of x_f,   x_q = 1.
//
// A workgroup takes one chunk and as many clusters and columns as its table in
// workgroup memory holds. Each thread owns one column and every `segments`-th
// point of the chunk, so nothing is added by two threads and the order is fixed:
// the sums are the same bit for bit from run to run, without float atomics.
// Neighbouring threads read neighbouring points.
//
// Dispatch: (chunks, clusters / range, columns / width).
// Launcher: src/backend/gpu/cluster_sums.rs. Twin: src/backend/cpu/assign.rs.
//
// Work per point: q + 1 additions in workgroup memory, 4 (q + 1) bytes of
// coordinates and labels per range of clusters. Loads bound it.

// Floats of the table.
override ENTRIES: u32 = 3072u;

struct Params {
    // Points N, features q, clusters k.
    points: u32,
    features: u32,
    clusters: u32,
    // First point of this dispatch, points of a chunk.
    first_point: u32,
    chunk: u32,
    // Most clusters and columns of a table, and copies of it; their product is
    // at most ENTRIES. Segments are a power of two, at most 256.
    range: u32,
    width: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [q][N].
@group(0) @binding(1) var<storage, read> points: array<f32>;
// [N].
@group(0) @binding(2) var<storage, read> labels: array<u32>;
// [chunks of this dispatch][k][q + 1].
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

// [cluster][column][segment].
var<workgroup> table: array<f32, ENTRIES>;

fn value(column: u32, point: u32) -> f32 {
    if column < params.features {
        return points[column * params.points + point];
    }
    return 1.0;
}

@compute @workgroup_size(256)
fn cluster_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let first = params.first_point + group.x * params.chunk;
    let end = min(first + params.chunk, params.points);
    let first_cluster = group.y * params.range;
    let first_column = group.z * params.width;
    let columns = params.features + 1u;
    let range = min(params.range, params.clusters - first_cluster);
    let width = min(params.width, columns - first_column);
    let segment = local % params.segments;
    for (var c = local / params.segments; c < width; c += 256u / params.segments) {
        let own = c * params.segments + segment;
        let step = width * params.segments;
        for (var k = 0u; k < range; k++) {
            table[own + k * step] = 0.0;
        }
        for (var p = first + segment; p < end; p += params.segments) {
            // A label below the range wraps around to one beyond it.
            let k = labels[p] - first_cluster;
            if k < range {
                table[own + k * step] += value(first_column + c, p);
            }
        }
    }
    workgroupBarrier();
    for (var entry = local; entry < range * width; entry += 256u) {
        var sum = 0.0;
        for (var s = 0u; s < params.segments; s++) {
            sum += table[entry * params.segments + s];
        }
        let cluster = group.x * params.clusters + first_cluster + entry / width;
        sums[cluster * columns + first_column + entry % width] = sum;
    }
}
