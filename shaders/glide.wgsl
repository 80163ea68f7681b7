// Scores of glides at inner sites: with P and Q the samples on rings of the square
// around the site and of the one half a period along the axis, forwards or backwards
//
//   <P, Q mirrored at the axis> / (|P| |Q|)
//
// whichever is larger, 0 for a square that is flat. A workgroup takes one inner site
// and some glides. It makes the coefficients of the site's own square (spline_square.wgsl) and
// keeps its samples; then for each direction of each glide
//
// 1. it makes the coefficients of the square there, in the place of those before;
// 2. each thread takes some of its samples, off the pixel by what half a period has
//    beyond whole pixels, and adds up their squares and their products with the samples
//    that change places with them. These are looked up: no sample there is kept;
// 3. the threads' sums are added in fixed order.
//
// All threads meet twice for each square and twice for its sums. Which squares are flat
// the host says, for every pixel that can be a centre: squares of different glides are
// around pixels of all kinds.
//
// Dispatch: (inner columns, inner rows, parts of the glides). Launcher:
// src/backend/gpu/glide.rs. Twin: src/backend/cpu/glide.rs.
//
// Work per square at a radius of 20 px and 20 rings of 60 angles: 12 flops for each of
// 1681 pixels, 40 for each of 1200 samples and 30 for its weights, 4 for its products:
// 0.11 Mflop. Values from the caches: 2,500 pixels, 4,800 of taps; to and from workgroup
// memory 13,000 for the coefficients, 20,000 for samples and products. So 40,000 values,
// of which a processor moves 32 a cycle for 256 flops: they bound it. An inner site
// has a square of its own and two a glide, 21 and 2.3 Mflop by default; 4 bytes a glide
// are written, 8 bytes a pixel of norms and 19 kB of taps a square (402 kB in all, from
// the second cache) read.

struct Params {
    inner: Inner,
    // Pixel row of the first norms, and how many there are in a row.
    norm_row: u32,
    norm_cols: u32,
    // Number of glides, and how many of them a workgroup takes; first part of this
    // dispatch.
    glides: u32,
    at_once: u32,
    first_part: u32,
}

// One direction of a glide.
struct Move {
    // To the pixel at the centre of the square there, rows and columns.
    rows: i32,
    cols: i32,
    // Sample `j` changes places with this minus `j`.
    turn: u32,
    unused: u32,
}

// Sums that are left when threads have added each other's once.
const FOLDED: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
// [glide][forwards, backwards]; taps of these follow those of the own square.
@group(0) @binding(5) var<storage, read> moves: array<Move>;
// [glide][inner row][col].
@group(0) @binding(6) var<storage, read_write> maps: array<f32>;

// Sums of threads: products, and squares of the samples there.
var<workgroup> parts: array<vec2<f32>, THREADS>;

// What the host says of the square around a pixel.
fn norm_of(row: u32, col: u32) -> vec2<f32> {
    return norms[(row - params.norm_row) * params.norm_cols + col - SIDE / 2u];
}

// The sum over all threads, for thread 0; all meet.
fn total(own: vec2<f32>, local: u32) -> vec2<f32> {
    parts[local] = own;
    meet();
    var sum = own;
    if local < FOLDED {
        for (var i = local + FOLDED; i < THREADS; i += FOLDED) {
            sum += parts[i];
        }
        parts[local] = sum;
    }
    workgroupBarrier();
    if local == 0u {
        for (var i = 1u; i < FOLDED; i++) {
            sum += parts[i];
        }
    }
    return sum;
}

// A thread's share of the squares of the own samples.
fn squares(local: u32) -> f32 {
    var sum = 0.0;
    for (var i = local; i < RINGS * ANGLES; i += THREADS) {
        sum += sample(i) * sample(i);
    }
    return sum;
}

// A thread's share of products and squares of the samples there.
fn products(step: u32, local: u32) -> vec2<f32> {
    let turn = moves[step].turn;
    var sum = vec2<f32>(0.0);
    for (var i = local; i < RINGS * ANGLES; i += THREADS) {
        let tap = taps[(step + 1u) * RINGS * ANGLES + i];
        let ring = tap.y >> 16u;
        let there = radius(ring) * value(tap);
        let mirror = (turn + ANGLES - (tap.y & 0xffffu)) % ANGLES;
        sum += there * vec2<f32>(sample(ring * ANGLES + mirror), there);
    }
    return sum;
}

// Score of one direction of a glide, for thread 0; all threads meet.
fn score(step: u32, centre_row: u32, centre_col: u32, own: f32, local: u32) -> f32 {
    let row = u32(i32(centre_row) + moves[step].rows);
    let col = u32(i32(centre_col) + moves[step].cols);
    let norm = norm_of(row, col);
    if norm.y == 0.0 {
        return 0.0;
    }
    fill(params.inner.image, row, col, norm.x, local);
    let sum = total(products(step, local), local);
    let norms = own * sum.y;
    return select(0.0, clamp(sum.x / sqrt(norms), -1.0, 1.0), norms > 0.0);
}

@compute @workgroup_size(THREADS)
fn glide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let inner = params.inner;
    let inner_row = inner.first_row + group.y;
    let inner_col = inner.first_col + group.x;
    let site = inner_row * inner.cols + inner_col;
    let size = inner.rows * inner.cols;
    slot = ((group.z * groups.y + group.y) * groups.x + group.x) * SLOT;
    let first = (params.first_part + group.z) * params.at_once;
    let end = min(first + params.at_once, params.glides);
    let row = inner.top + (inner.first_inner_row + inner_row) * inner.stride;
    let col = inner.left + inner_col * inner.stride;
    let norm = norm_of(row, col);
    if norm.y == 0.0 {
        for (var i = first + local; i < end; i += THREADS) {
            maps[i * size + site] = 0.0;
        }
        return;
    }
    fill(inner.image, row, col, norm.x, local);
    take(0u, RINGS, local);
    meet();
    let own = total(vec2<f32>(0.0, squares(local)), local).y;
    for (var i = first; i < end; i++) {
        let forwards = score(2u * i, row, col, own, local);
        let backwards = score(2u * i + 1u, row, col, own, local);
        if local == 0u {
            maps[i * size + site] = max(forwards, backwards);
        }
    }
}
