// Nearest centroid of each point by squared distance, the first of equals, and
// how many points have another label than before.
//
// A thread takes one point and eight centroids at once, so that a coordinate is
// loaded once for eight distances.
//
// Dispatch: (points / 256 in rows of `groups_per_row`, rows).
// Launcher: src/backend/gpu/assign.rs. Twin: src/backend/cpu/assign.rs.
//
// Work per point: 3 k q flops, q k / 8 loads of its own (from the cache after the
// first eight centroids), 12 bytes of label and distance. Memory bounds it for
// k q below about 100, arithmetic above.

struct Params {
    // Points N, features q, centroids k.
    points: u32,
    features: u32,
    clusters: u32,
    // Points of this dispatch: from the first to before the last.
    first_point: u32,
    end_point: u32,
    // Workgroups in a row of the dispatch.
    groups_per_row: u32,
    // Which of `changed` counts.
    piece: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [q][N].
@group(0) @binding(1) var<storage, read> points: array<f32>;
// [k / 8][q][8], zeros beyond k.
@group(0) @binding(2) var<storage, read> centroids: array<vec4<f32>>;
// [N].
@group(0) @binding(3) var<storage, read_write> labels: array<u32>;
// [N], squared distance to the centroid of the label.
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;
// [pieces], points whose label is new; 0 before.
@group(0) @binding(5) var<storage, read_write> changed: array<atomic<u32>>;

// Points of the workgroup whose label is new. Counting in any order gives the
// same number.
var<workgroup> moved: atomic<u32>;

struct Nearest {
    label: u32,
    distance: f32,
}

fn nearer(found: Nearest, label: u32, distance: f32) -> Nearest {
    if label < params.clusters && distance < found.distance {
        return Nearest(label, distance);
    }
    return found;
}

fn nearest(point: u32) -> Nearest {
    var found = Nearest(0u, 3.4028234e38);
    var at = 0u;
    for (var first = 0u; first < params.clusters; first += 8u) {
        var low = vec4<f32>(0.0);
        var high = vec4<f32>(0.0);
        var source = point;
        for (var f = 0u; f < params.features; f++) {
            let x = vec4<f32>(points[source]);
            let a = x - centroids[at];
            let b = x - centroids[at + 1u];
            low += a * a;
            high += b * b;
            at += 2u;
            source += params.points;
        }
        found = nearer(found, first, low.x);
        found = nearer(found, first + 1u, low.y);
        found = nearer(found, first + 2u, low.z);
        found = nearer(found, first + 3u, low.w);
        found = nearer(found, first + 4u, high.x);
        found = nearer(found, first + 5u, high.y);
        found = nearer(found, first + 6u, high.z);
        found = nearer(found, first + 7u, high.w);
    }
    return found;
}

@compute @workgroup_size(256)
fn assign(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    if local == 0u {
        atomicStore(&moved, 0u);
    }
    workgroupBarrier();
    let point = params.first_point + (group.y * params.groups_per_row + group.x) * 256u + local;
    if point < params.end_point {
        let found = nearest(point);
        if labels[point] != found.label {
            atomicAdd(&moved, 1u);
        }
        labels[point] = found.label;
        distances[point] = found.distance;
    }
    workgroupBarrier();
    if local == 0u {
        atomicAdd(&changed[params.piece], atomicLoad(&moved));
    }
}
