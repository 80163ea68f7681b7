// Features of sites: y_c = sum over channels of (x_d - mean_d) v_cd.
//
// A thread takes one site and 8 components, so that a descriptor is read once
// for all of them (and once more for each further 8). The sites are all of a band, or
// those of a list.
//
// Dispatch: (sites / 256 in rows of `groups_per_row`, rows, components / 8).
// Launcher: src/backend/gpu/project.rs. Twin: src/backend/cpu/project.rs.
//
// Work per site: 4 D bytes read, 4 q written, q D multiply-adds (8 D at least).
// Memory bounds it up to some tens of components, arithmetic beyond.

// Whether there is a list of sites.
override LISTED: u32 = 0u;

// Components of a thread: two vectors.
const GROUP: u32 = 8u;

struct Params {
    // Sites of the band, channels D, components q.
    sites: u32,
    channels: u32,
    features: u32,
    // Workgroups in a row of the dispatch.
    groups_per_row: u32,
    // First eight components of this dispatch, in eights.
    first_group: u32,
    // Sites that are projected.
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [D][sites].
@group(0) @binding(1) var<storage, read> descriptors: array<f32>;
// [D].
@group(0) @binding(2) var<storage, read> mean: array<f32>;
// [q / 8][D][8], zeros beyond q.
@group(0) @binding(3) var<storage, read> components: array<vec4<f32>>;
// Numbers of the sites that are projected; not read without a list.
@group(0) @binding(4) var<storage, read> list: array<u32>;
// [count][q].
@group(0) @binding(5) var<storage, read_write> features: array<f32>;

@compute @workgroup_size(256)
fn project(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let place = (group.y * params.groups_per_row + group.x) * 256u + local;
    if place >= params.count {
        return;
    }
    var site = place;
    if LISTED == 1u {
        site = list[place];
    }
    var low = vec4<f32>(0.0);
    var high = vec4<f32>(0.0);
    let eight = params.first_group + group.z;
    var at = eight * params.channels * 2u;
    var source = site;
    for (var d = 0u; d < params.channels; d++) {
        let x = descriptors[source] - mean[d];
        low += x * components[at];
        high += x * components[at + 1u];
        at += 2u;
        source += params.sites;
    }
    let first = eight * GROUP;
    let count = min(GROUP, params.features - first);
    let to = place * params.features + first;
    for (var c = 0u; c < count; c++) {
        features[to + c] = select(high[c % 4u], low[c % 4u], c < 4u);
    }
}
