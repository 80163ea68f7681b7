// Centroids of the next step of k-means: means of the clusters, from their sums and numbers
// of points. A cluster without points keeps its centroid.
//
// A thread takes one coordinate of one centroid.
//
// Dispatch: (k q / 256). Launcher: src/backend/gpu/centroids.rs. Twin: the update in
// src/cluster/kmeans.rs, in f64, which has the last word on whether anything changes.
//
// Work per coordinate and total: 2 additions, 8 bytes. There are few.

struct Params {
    // Features q, centroids k.
    features: u32,
    clusters: u32,
    // Totals that are to be added, and where the first begins.
    totals: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// From `first` on [totals][k][q + 1]: sums of the features and, last, numbers of points.
@group(0) @binding(1) var<storage, read> sums: array<f32>;
// [k / 8][q][8].
@group(0) @binding(2) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(256)
fn centroids(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let own = group.x * 256u + local;
    if own >= params.clusters * params.features {
        return;
    }
    let cluster = own / params.features;
    let feature = own % params.features;
    let columns = params.features + 1u;
    var at = params.first + cluster * columns;
    var sum = 0.0;
    var count = 0.0;
    for (var total = 0u; total < params.totals; total++) {
        sum += sums[at + feature];
        count += sums[at + params.features];
        at += params.clusters * columns;
    }
    if count > 0.0 {
        let eight = cluster / 8u * params.features + feature;
        next[eight * 8u + cluster % 8u] = sum / count;
    }
}
