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
// The same four pixels give mean and variance of the disc. Values are taken from about
// the mean of some of its pixels: kernels have no mean themselves, so what that is off
// does not matter to them, and sums of squares from about there lose nothing.
//
// Dispatch: (inner columns / 128, inner rows, fours of kernels). Launcher:
// src/backend/gpu/harmonic.rs. Twin: src/backend/cpu/harmonic.rs.
//
// Work per inner site and four of kernels, at n pixels of the disc: 5 n
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
    // Positions of a quarter of the disc, and every how many of them gives a first mean.
    positions: u32,
    step: u32,
    // Pixels of the disc, and the variance below which it is flat.
    pixels: f32,
    flat: f32,
}

const THREADS: u32 = 64u;
// No channel: what fills up fours.
const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Rows and columns from the centre, px.
@group(0) @binding(2) var<storage, read> positions: array<vec2<u32>>;
// [four of kernels][position][class], and the channels of [four of kernels][class].
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> channels: array<vec4<u32>>;
// [channel][inner row][col].
@group(0) @binding(5) var<storage, read_write> maps: array<f32>;

// An inner site: its pixel, the value there, and what is to be added to it to come near the
// mean of the disc.
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

// The four pixels that mirrors bring to `d`, about the centre: above left and right, below
// left and right.
fn mirrored(site: Site, d: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(
        load(site, site.row - d.x, site.col - d.y),
        load(site, site.row - d.x, site.col + d.y),
        load(site, site.row + d.x, site.col - d.y),
        load(site, site.row + d.x, site.col + d.y),
    );
}

// Share of each of the four pixels at `d`: those on the axes are met twice, the centre four
// times.
fn share(d: vec2<u32>) -> f32 {
    return select(1.0, 0.5, d.x == 0u) * select(1.0, 0.5, d.y == 0u);
}

// The site of column `col`, or the last one where there is none.
fn site(row: u32, col: u32) -> Site {
    let own = min(col, params.cols - 1u);
    let at = row * params.cols + own;
    let r = params.top + (params.first_inner_row + row) * params.stride;
    let c = params.left + own * params.stride;
    let centre = image[place(params.image, r, c)];
    var found = Site(r, c, centre, 0.0, at, col < params.cols);
    var sum = 0.0;
    var count = 0.0;
    for (var p = 0u; p < params.positions; p += params.step) {
        let each = share(positions[p]);
        sum += each * dot(mirrored(found, positions[p]), vec4<f32>(1.0));
        count += 4.0 * each;
    }
    found.offset = sum / count;
    return found;
}

// Four pixels by class.
fn folded(pixels: vec4<f32>) -> vec4<f32> {
    let above = vec2<f32>(pixels.y + pixels.x, pixels.y - pixels.x);
    let below = vec2<f32>(pixels.w + pixels.z, pixels.w - pixels.z);
    let even = below + above;
    let odd = below - above;
    return vec4<f32>(even, odd);
}

// Sum and sum of squares, with this share of `pixels`.
fn added(moments: vec2<f32>, pixels: vec4<f32>, each: f32) -> vec2<f32> {
    return moments + each * vec2<f32>(dot(pixels, vec4<f32>(1.0)), dot(pixels, pixels));
}

// 1 / sqrt(n var) from sum and sum of squares; 0 where the disc is flat.
fn inverse(moments: vec2<f32>) -> f32 {
    let norm = moments.y - moments.x * moments.x / params.pixels;
    if norm < params.flat * params.pixels {
        return 0.0;
    }
    return 1.0 / sqrt(norm);
}

fn store(site: Site, kind: u32, four: u32, sums: vec4<f32>, inverse: f32) {
    if !site.works {
        return;
    }
    let channel = channels[four * 4u + kind];
    let values = sums * inverse;
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
    var moments_one = vec2<f32>(0.0);
    var moments_two = vec2<f32>(0.0);
    let first = group.z * params.positions;
    for (var p = 0u; p < params.positions; p++) {
        let d = positions[p];
        let each = share(d);
        let pixels_one = mirrored(one, d) - one.offset;
        let pixels_two = mirrored(two, d) - two.offset;
        moments_one = added(moments_one, pixels_one, each);
        moments_two = added(moments_two, pixels_two, each);
        let a = folded(pixels_one);
        let b = folded(pixels_two);
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
    let inverse_one = inverse(moments_one);
    let inverse_two = inverse(moments_two);
    store(one, 0u, group.z, sums_one[0], inverse_one);
    store(one, 1u, group.z, sums_one[1], inverse_one);
    store(one, 2u, group.z, sums_one[2], inverse_one);
    store(one, 3u, group.z, sums_one[3], inverse_one);
    store(two, 0u, group.z, sums_two[0], inverse_two);
    store(two, 1u, group.z, sums_two[1], inverse_two);
    store(two, 2u, group.z, sums_two[2], inverse_two);
    store(two, 3u, group.z, sums_two[3], inverse_two);
}
