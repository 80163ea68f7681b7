// Sums for mean and covariance of the descriptors: for a piece of sites,
//
//   P[i][j] = sum over sites of w x_i x_j,   x_D = 1,
//
// so that row D holds the sums of the channels and P[D][D] counts the sites.
// w is 1 for sites that take part, else 0. The host adds the pieces in f64.
//
// Dispatch: (pieces, blocks of 16 x 16 channels on and below the diagonal).
// Launcher: src/backend/gpu/moments.rs. Twin: src/backend/cpu/moments.rs.

const BLOCK: u32 = 16u;

struct Params {
    // Sites of the band, channels.
    sites: u32,
    channels: u32,
    // First piece of this dispatch.
    first_piece: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [D][sites].
@group(0) @binding(1) var<storage, read> descriptors: array<f32>;
// [sites], 1 or 0.
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// First site and number of sites of each piece.
@group(0) @binding(3) var<storage, read> pieces: array<vec2<u32>>;
// [pieces of this dispatch][D + 1][D + 1], on and below the diagonal.
@group(0) @binding(4) var<storage, read_write> products: array<f32>;

// [channel][site], 16 x 16 of each side.
var<workgroup> side_i: array<f32, 256>;
var<workgroup> side_j: array<f32, 256>;

// Value of a channel, that of channel D being 1; 0 beyond.
fn value(channel: u32, site: u32) -> f32 {
    if channel < params.channels {
        return descriptors[channel * params.sites + site];
    }
    return select(0.0, 1.0, channel == params.channels);
}

@compute @workgroup_size(16, 16)
fn moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    // Block row r holds r + 1 blocks: number them through.
    var block_i = 0u;
    var before = 0u;
    while before + block_i + 1u <= group.y {
        before += block_i + 1u;
        block_i++;
    }
    let block_j = group.y - before;
    let piece = pieces[params.first_piece + group.x];
    var sum = 0.0;
    for (var first = 0u; first < piece.y; first += BLOCK) {
        let offset = first + local.x;
        var a = 0.0;
        var b = 0.0;
        if offset < piece.y {
            let site = piece.x + offset;
            let weight = weights[site];
            a = weight * value(block_i * BLOCK + local.y, site);
            b = weight * value(block_j * BLOCK + local.y, site);
        }
        side_i[index] = a;
        side_j[index] = b;
        workgroupBarrier();
        for (var s = 0u; s < BLOCK; s++) {
            sum += side_i[local.y * BLOCK + s] * side_j[local.x * BLOCK + s];
        }
        workgroupBarrier();
    }
    let size = params.channels + 1u;
    let i = block_i * BLOCK + local.y;
    let j = block_j * BLOCK + local.x;
    if i < size && j < size {
        products[(group.x * size + i) * size + j] = sum;
    }
}
