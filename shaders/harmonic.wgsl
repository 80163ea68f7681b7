// Circular harmonics at inner sites: real and imaginary parts of
//
//   a_mk(x) = sum over d of (I(x + d) - mean) kernel(d) / sqrt(n var)
//
// Kernels are even or odd under a change of sign of the rows, and of the
// columns. The four pixels that mirrors bring together are added and subtracted
// first, so that each position of a quarter of the disc stands for four: even and
// even, even and odd, odd and even, odd and odd (rows and columns). A thread takes
// two inner sites 64 apart and four kernels of each of these classes, whose 32
// sums stay in registers; weights are the same for all threads at a time.
//
// Dispatch: (inner columns / 128, inner rows, fours of kernels). Launcher:
// src/backend/gpu/harmonic.rs. Twin: src/backend/cpu/harmonic.rs.
//
// Work per inner site and four of kernels, at n pixels of the disc: 4 n
// multiply-adds, 3 n additions, n loads of 4 bytes and half as many of weights,
// from the cache; 64 bytes written. Arithmetic and loads bound it alike.

struct Params {
    image: Image,
    // Row and column of the first inner site of the image, px, and their distance.
    top: u32,
    left: u32,
    stride: u32,
    // First inner row of the maps, and how many there are; inner sites of a row.
    first_inner_row: u32,
    rows: u32,
    cols: u32,
    // First inner row of this dispatch, counted from the maps'.
    first_row: u32,
    // Positions of a quarter of the disc.
    positions: u32,
}

const THREADS: u32 = 64u;
// No channel: what fills up fours.
const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Mean of the disc minus its centre, 1 / sqrt(n var) (0: flat), [inner row][col].
@group(0) @binding(2) var<storage, read> offset: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
// Rows and columns from the centre, px.
@group(0) @binding(4) var<storage, read> positions: array<vec2<u32>>;
// [four of kernels][position][class], and the channels of [four of kernels][class].
@group(0) @binding(5) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> channels: array<vec4<u32>>;
// [channel][inner row][col].
@group(0) @binding(7) var<storage, read_write> maps: array<f32>;

// An inner site: its pixel and, there, the pixel's value and what to add to it.
struct Site {
    row: u32,
    col: u32,
    centre: f32,
    offset: f32,
    at: u32,
    works: bool,
}

fn load(site: Site, row: u32, col: u32) -> f32 {
    return image[place(params.image, row, col)] - site.centre;
}

// The site of column `col`, or the last one where there is none.
fn site(row: u32, col: u32) -> Site {
    let own = min(col, params.cols - 1u);
    let at = row * params.cols + own;
    let r = params.top + (params.first_inner_row + row) * params.stride;
    let c = params.left + own * params.stride;
    let centre = image[place(params.image, r, c)];
    return Site(r, c, centre, offset[at], at, col < params.cols);
}

// The four pixels that mirrors bring to `d`, by class.
fn folded(site: Site, d: vec2<u32>) -> vec4<f32> {
    let above_left = load(site, site.row - d.x, site.col - d.y);
    let above_right = load(site, site.row - d.x, site.col + d.y);
    let below_left = load(site, site.row + d.x, site.col - d.y);
    let below_right = load(site, site.row + d.x, site.col + d.y);
    let above = vec2<f32>(above_right + above_left, above_right - above_left);
    let below = vec2<f32>(below_right + below_left, below_right - below_left);
    let even = below + above;
    let odd = below - above;
    return vec4<f32>(even.x - 4.0 * site.offset, even.y, odd.x, odd.y);
}

fn store(site: Site, kind: u32, four: u32, sums: vec4<f32>) {
    if !site.works {
        return;
    }
    let channel = channels[four * 4u + kind];
    let values = sums * inverse[site.at];
    let size = params.rows * params.cols;
    for (var i = 0u; i < 4u; i++) {
        if channel[i] != NONE {
            maps[channel[i] * size + site.at] = values[i];
        }
    }
}

@compute @workgroup_size(64)
fn harmonic(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let col = group.x * 2u * THREADS + local;
    let one = site(row, col);
    let two = site(row, col + THREADS);
    var sums_one = array<vec4<f32>, 4>();
    var sums_two = array<vec4<f32>, 4>();
    let first = group.z * params.positions;
    for (var p = 0u; p < params.positions; p++) {
        let d = positions[p];
        let a = folded(one, d);
        let b = folded(two, d);
        let at = (first + p) * 4u;
        let w = weights[at];
        let x = weights[at + 1u];
        let y = weights[at + 2u];
        let z = weights[at + 3u];
        sums_one[0] += a.x * w;
        sums_one[1] += a.y * x;
        sums_one[2] += a.z * y;
        sums_one[3] += a.w * z;
        sums_two[0] += b.x * w;
        sums_two[1] += b.y * x;
        sums_two[2] += b.z * y;
        sums_two[3] += b.w * z;
    }
    store(one, 0u, group.z, sums_one[0]);
    store(one, 1u, group.z, sums_one[1]);
    store(one, 2u, group.z, sums_one[2]);
    store(one, 3u, group.z, sums_one[3]);
    store(two, 0u, group.z, sums_two[0]);
    store(two, 1u, group.z, sums_two[1]);
    store(two, 2u, group.z, sums_two[2]);
    store(two, 3u, group.z, sums_two[3]);
}
