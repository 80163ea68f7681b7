// Sums for mean and covariance of the descriptors: for a part of the sites,
//
//   P[i][j] = sum over sites of w x_i x_j,   x_D = 1,
//
// so that row D holds the sums of the channels and P[D][D] counts the sites.
// w is 1 for sites that take part, else 0.
//
// A workgroup takes 64 x 64 channels, a thread 4 x 4 of them, 16 sites at a time
// in workgroup memory. Products are summed over pieces of at most 1024 sites, and
// pieces over a part, so that f32 loses little.
//
// Dispatch: (blocks of 64 x 64 channels on and below the diagonal, parts).
// Launcher: src/backend/gpu/moments.rs. Twin: src/backend/cpu/moments.rs.
//
// Work per site: D^2 / 2 multiply-adds that count, up to D^2 / 2 + 48 D with the
// rims of blocks; per 16 multiply-adds of a thread 2 loads of 16 bytes from
// workgroup memory. Each descriptor is read once from memory, and from the cache
// for each further block of 64 channels, since the blocks of a part run side by
// side. Arithmetic bounds it from about 64 channels on.

// Channels on a side of a workgroup's block, and sites at a time.
const BLOCK: u32 = 64u;
const SITES: u32 = 16u;
// Vectors from one site to the next in workgroup memory: odd, so that the
// threads of a load do not meet in one bank.
const PITCH: u32 = 17u;
// Sites whose products are summed before they are added to the part's.
override PIECE: u32 = 1024u;

struct Params {
    // Sites of the band, channels.
    sites: u32,
    channels: u32,
    // First part of this dispatch.
    first_part: u32,
    // 1 where `weights` count, 0 where all sites take part.
    masked: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [D][sites].
@group(0) @binding(1) var<storage, read> descriptors: array<f32>;
// [sites], 1 or 0; read where `masked`.
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// First site and number of sites of each part.
@group(0) @binding(3) var<storage, read> parts: array<vec2<u32>>;
// [parts of this dispatch][D + 1][D + 1], on and below the diagonal.
@group(0) @binding(4) var<storage, read_write> products: array<f32>;

// [site][channel / 4] of each side.
var<workgroup> side_i: array<vec4<f32>, 272>;
var<workgroup> side_j: array<vec4<f32>, 272>;

// Value of a channel, that of channel D being 1; 0 beyond.
fn value(channel: u32, site: u32) -> f32 {
    if channel < params.channels {
        return descriptors[channel * params.sites + site];
    }
    return select(0.0, 1.0, channel == params.channels);
}

// Four channels of a site, 0 where it takes no part.
fn values(channel: u32, site: u32) -> vec4<f32> {
    let four = vec4<f32>(
        value(channel, site),
        value(channel + 1u, site),
        value(channel + 2u, site),
        value(channel + 3u, site),
    );
    if params.masked == 0u {
        return four;
    }
    return weights[site] * four;
}

fn store(part: u32, i: u32, j: u32, row: vec4<f32>) {
    let size = params.channels + 1u;
    if i >= size {
        return;
    }
    let at = (part * size + i) * size + j;
    for (var k = 0u; k < 4u && j + k < size; k++) {
        products[at + k] = row[k];
    }
}

@compute @workgroup_size(16, 16)
fn moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    clock_in(index);
    // Block row r holds r + 1 blocks: number them through.
    var block_i = 0u;
    var before = 0u;
    while before + block_i + 1u <= group.x {
        before += block_i + 1u;
        block_i++;
    }
    let block_j = group.x - before;
    let part = parts[params.first_part + group.y];
    // What this thread loads, and the channels whose products it sums.
    let own_site = index % SITES;
    let quad = index / SITES;
    let i = block_i * BLOCK + 4u * local.y;
    let j = block_j * BLOCK + 4u * local.x;
    let counts = i <= params.channels && j <= i + 3u;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var piece = 0u; piece < part.y; piece += PIECE) {
        var row0 = vec4<f32>(0.0);
        var row1 = vec4<f32>(0.0);
        var row2 = vec4<f32>(0.0);
        var row3 = vec4<f32>(0.0);
        let end = min(piece + PIECE, part.y);
        for (var first = piece; first < end; first += SITES) {
            var a = vec4<f32>(0.0);
            var b = vec4<f32>(0.0);
            if first + own_site < end {
                let site = part.x + first + own_site;
                a = values(block_i * BLOCK + 4u * quad, site);
                b = values(block_j * BLOCK + 4u * quad, site);
            }
            // The readers of the sites before are done.
            workgroupBarrier();
            side_i[own_site * PITCH + quad] = a;
            side_j[own_site * PITCH + quad] = b;
            workgroupBarrier();
            if counts {
                for (var s = 0u; s < SITES; s++) {
                    let x = side_i[s * PITCH + local.y];
                    let y = side_j[s * PITCH + local.x];
                    row0 += x.x * y;
                    row1 += x.y * y;
                    row2 += x.z * y;
                    row3 += x.w * y;
                }
            }
        }
        sum0 += row0;
        sum1 += row1;
        sum2 += row2;
        sum3 += row3;
    }
    if counts {
        store(group.y, i, j, sum0);
        store(group.y, i + 1u, j, sum1);
        store(group.y, i + 2u, j, sum2);
        store(group.y, i + 3u, j, sum3);
    }
}
