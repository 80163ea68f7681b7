// Nearest centroid of each point by squared distance, the first of equals.
//
// Dispatch: (points / 256 in rows of `groups_per_row`, rows).
// Launcher: src/backend/gpu/assign.rs. Twin: src/backend/cpu/assign.rs.

struct Params {
    // Points N, features q, centroids k.
    points: u32,
    features: u32,
    clusters: u32,
    // Workgroups in a row of the dispatch.
    groups_per_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [q][N].
@group(0) @binding(1) var<storage, read> points: array<f32>;
// [k][q].
@group(0) @binding(2) var<storage, read> centroids: array<f32>;
// [N].
@group(0) @binding(3) var<storage, read_write> labels: array<u32>;
// [N], squared distance to the centroid of the label.
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;

@compute @workgroup_size(256)
fn assign(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let point = (group.y * params.groups_per_row + group.x) * 256u + local;
    if point >= params.points {
        return;
    }
    var label = 0u;
    var least = 3.4028234e38;
    for (var c = 0u; c < params.clusters; c++) {
        var distance = 0.0;
        for (var f = 0u; f < params.features; f++) {
            let d = points[f * params.points + point] - centroids[c * params.features + f];
            distance += d * d;
        }
        if distance < least {
            least = distance;
            label = c;
        }
    }
    labels[point] = label;
    distances[point] = least;
}
