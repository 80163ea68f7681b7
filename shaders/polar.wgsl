// Scores of rotations and reflections at inner sites: with P the samples of the
// square on rings, each times its ring's radius,
//
//   sum of weight <P, P rolled or mirrored> / <P, P>
//
// A workgroup takes one inner site. It makes the square's coefficients (spline_square.wgsl),
// samples as many rings as fit, and adds up the products of rings with themselves:
//
// 1. sums that are asked for stand in blocks of eight neighbouring lags, in steps of
//    samples that all of them share: <P, P rolled by lag steps>, or with
//    sample j changing places with lag steps minus j. A team of threads takes a block; a
//    thread takes one ring's samples a step apart, and slides eight of them along
//    the others in registers: 2 loads for 8 products;
// 2. sums of the teams' threads are added in fixed order.
//
// All threads meet twice for the square, and four times for as many rings as fit and
// as many blocks as there are teams (once and one round by default).
//
// Dispatch: (inner columns, inner rows). Launcher: src/backend/gpu/polar.rs. Twin:
// src/backend/cpu/polar.rs.
//
// Work per inner site at a radius of 20 px, 20 rings of 60 angles, 4 folds and 10
// axes: 1681 pixels of 4 bytes, from the cache, since 20 neighbouring squares share
// them along each axis; 12 flops each for the coefficients; 1200 samples at 40 flops
// and 30 for their weights; 22,000 products: 0.15 Mflop. Values to and from workgroup
// memory: 13,000 for the coefficients, 20,000 for the samples, 10,000 for products
// and sums; with pixels and taps from the first cache 50,000, of which a processor
// moves 32 a cycle for 256 flops: they bound it. 56 bytes are written.

struct Params {
    inner: Inner,
    // Number of blocks of sums, of scores, of entries for each score; the sum that
    // is the norm.
    blocks: u32,
    scores: u32,
    entries: u32,
    norm: u32,
}

// Eight sums.
struct Block {
    // Samples of a step, and by how many the first is rolled, or with which one
    // sample 0 changes places.
    step: u32,
    first: u32,
    // 1 where samples change places, 0 where rings are rolled.
    mirrored: u32,
    unused: u32,
}

// A part of a score.
struct Entry {
    sum: u32,
    weight: f32,
}

// Rings that are sampled at a time.
override AT_ONCE: u32 = 20u;
// Threads of a team, a multiple of PART.
override TEAM: u32 = 32u;
// Where in `samples` the sums of threads begin, [8][THREADS + 1]: at 0 where samples are
// no longer needed then.
override PARTIAL: u32 = 0u;
// All sums, whole blocks.
override SUMS: u32 = 24u;

// Threads whose sums are added first.
const PART: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(5) var<storage, read> blocks: array<Block>;
// [score][entry].
@group(0) @binding(6) var<storage, read> entries: array<Entry>;
// [score][inner row][col].
@group(0) @binding(7) var<storage, read_write> maps: array<f32>;

// Sums of PART threads, [part][8].
var<workgroup> parts: array<f32, THREADS>;
var<workgroup> sums: array<f32, SUMS>;

struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

fn forward(at: u32, step: u32) -> u32 {
    let next = at + step;
    return select(next, next - ANGLES, next >= ANGLES);
}

fn back(at: u32, step: u32) -> u32 {
    return select(at - step, at + ANGLES - step, at < step);
}

// Adds a block's products of one ring: of the samples at `x` and every step from
// there, with those that change with them.
fn slide(ring: u32, block: Block, x_first: u32, weight: f32, sum: ptr<function, Eight>) {
    let start = ring * ANGLES;
    let step = block.step;
    var x = x_first;
    var y = forward(block.first, select(x, back(0u, x), block.mirrored == 1u));
    // The eight samples that the one at x is multiplied with.
    var low = vec4<f32>(0.0);
    var high = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i++) {
        low = vec4<f32>(low.yzw, high.x);
        high = vec4<f32>(high.yzw, sample(start + y));
        y = forward(y, step);
    }
    for (var k = 0u; k < ANGLES; k += step) {
        let own = weight * sample(start + x);
        (*sum).low += own * low;
        (*sum).high += own * high;
        low = vec4<f32>(low.yzw, high.x);
        high = vec4<f32>(high.yzw, sample(start + y));
        y = forward(y, step);
        x = select(forward(x, step), back(x, step), block.mirrored == 1u);
    }
}

// The products of a block that are the thread's, `member` of its team.
fn products(block: Block, rings: u32, member: u32) -> Eight {
    var sum = Eight(vec4<f32>(0.0), vec4<f32>(0.0));
    let mirrored = block.mirrored == 1u;
    // Samples 1, 2, ... before a mirror's give what those after it do.
    let classes = select(block.step, block.step / 2u + 1u, mirrored);
    for (var task = member; task < rings * classes; task += TEAM) {
        let x = task % classes;
        let alone = !mirrored || x == 0u || 2u * x == block.step;
        slide(task / classes, block, x, select(2.0, 1.0, alone), &sum);
    }
    return sum;
}

// Adds the threads' sums of the blocks from `first` on; all threads meet.
fn add(sum: Eight, first: u32, fresh: bool, local: u32) {
    // The readers of samples are done.
    meet();
    for (var i = 0u; i < 4u; i++) {
        samples[PARTIAL + i * (THREADS + 1u) + local] = sum.low[i];
        samples[PARTIAL + (i + 4u) * (THREADS + 1u) + local] = sum.high[i];
    }
    workgroupBarrier();
    let lag = local % 8u;
    let part = local / 8u;
    var total = 0.0;
    for (var i = 0u; i < PART; i++) {
        total += samples[PARTIAL + lag * (THREADS + 1u) + part * PART + i];
    }
    parts[local] = total;
    workgroupBarrier();
    // Here a part is a team.
    let own = 8u * first + local;
    if part < THREADS / TEAM && own < SUMS {
        total = 0.0;
        for (var i = 0u; i < TEAM / PART; i++) {
            total += parts[(part * (TEAM / PART) + i) * 8u + lag];
        }
        if fresh {
            sums[own] = total;
        } else {
            sums[own] += total;
        }
    }
}

fn score(entry: u32) -> f32 {
    var total = 0.0;
    for (var i = 0u; i < params.entries; i++) {
        let part = entries[entry + i];
        total += part.weight * sums[part.sum];
    }
    let norm = sums[params.norm];
    return select(0.0, clamp(total / norm, -1.0, 1.0), norm > 0.0);
}

@compute @workgroup_size(THREADS)
fn polar(
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
    slot = (group.y * groups.x + group.x) * SLOT;
    let norm = norms[site];
    if norm.y == 0.0 {
        for (var i = local; i < params.scores; i += THREADS) {
            maps[i * size + site] = 0.0;
        }
        return;
    }
    let centre_row = inner.top + (inner.first_inner_row + inner_row) * inner.stride;
    let centre_col = inner.left + inner_col * inner.stride;
    fill(inner.image, centre_row, centre_col, norm.x, local);

    for (var first = 0u; first < RINGS; first += AT_ONCE) {
        let rings = min(AT_ONCE, RINGS - first);
        take(first, rings, local);
        meet();
        for (var block = 0u; block < params.blocks; block += THREADS / TEAM) {
            let own = block + local / TEAM;
            var sum = Eight(vec4<f32>(0.0), vec4<f32>(0.0));
            if own < params.blocks {
                sum = products(blocks[own], rings, local % TEAM);
            }
            add(sum, block, first == 0u, local);
        }
    }
    workgroupBarrier();
    for (var i = local; i < params.scores; i += THREADS) {
        maps[i * size + site] = score(i * params.entries);
    }
}
