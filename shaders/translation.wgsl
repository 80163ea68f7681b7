// Local correlation map: Pearson correlation of the patch at a site with the
// patch at the site displaced by a translation.
//
//   rho_t(x) = (B[I I_t](x) - n mu(x) mu(x+t)) / (n sqrt(var(x) var(x+t)))
//
// A workgroup takes one tile of sites and 4 GROUPS translations. A thread owns
// one block of columns, a stride wide, and four translations, one in each lane
// of its vectors:
//
// 1. it keeps the sums of products over the patch's rows in registers, over the
//    block and over its first `rest` columns; each row of sites adds the rows of
//    pixels that come in and takes off those that leave;
// 2. a window is `whole` blocks and the first `rest` columns of the next. Blocks
//    are summed in two steps over workgroup memory, `fold` neighbours and then
//    every `fold`-th of these sums: about 2 sqrt(whole) loads, whatever the patch;
// 3. the sum is normalised with the norm maps and written once, neighbouring
//    neighbouring threads.
//
// Three barriers for each row of sites, met by all threads. The rows of pixels
// are not staged: pixels are stored by stride phase, so that a load of
// neighbouring threads is one piece of memory, and the workgroup's threads, held
// together by the barriers, share it in the processor's cache.
//
// A patch wider than a workgroup has threads is cut into slabs of whole blocks,
// one dispatch each; sums stand in `descriptors` until the last.
//
// Dispatch: (translations / (4 GROUPS), tiles). Launcher:
// src/backend/gpu/translation.rs. Twin: src/backend/cpu/translation.rs.
//
// Work per pixel of a tile with its halo, and translation: 2 multiply-adds, 2
// subtractions and 2.5 loads of 4 bytes, from the cache except for about 0.5 to 1
// byte; 1/stride^2 descriptors of 4 bytes written. Loads from the cache bound it,
// then the writing of the descriptors.

// Threads in a row, one block of columns each.
override BLOCKS: u32 = 64u;
// Rows of threads, four translations each.
override GROUPS: u32 = 4u;
// Both together.
override ALL: u32 = 256u;

struct Params {
    // Image on the device: its first pixel row, values of one stride phase of a row.
    first_row: u32,
    pitch: u32,
    // Top row and left column of this slab of the first site's patch, px.
    top: u32,
    left: u32,
    // Distance of sites, px.
    stride: u32,
    // Rows of the patch, px.
    height: u32,
    // Width of the slab: whole blocks, and columns beyond them, px.
    whole: u32,
    rest: u32,
    // Blocks that are summed first.
    fold: u32,
    // 1 where this is the patch's first or last slab, else 0.
    begins: u32,
    ends: u32,
    // Norm maps: place of the band's first site, and values from one row of
    // sites to the next.
    norm_first: u32,
    norm_line: u32,
    // Sites of the band, in a row of it, and its first site row.
    sites: u32,
    site_cols: u32,
    first_site_row: u32,
    // First tile and first four translations of this dispatch, number of
    // translations, first channel of the family.
    first_tile: u32,
    first_four: u32,
    translations: u32,
    first_channel: u32,
    // Pixels in the patch.
    patch_pixels: f32,
}

struct Tile {
    // First site row and column, number of site rows and columns.
    first_row: u32,
    first_col: u32,
    rows: u32,
    cols: u32,
    // Taken off every pixel before it is summed.
    centre: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Patch mean and 1 / sqrt(n var) (0: flat), by patch.
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
// Rows and columns, px; how far the norms of a displaced site stand from the
// site's; unused. Whole fours.
@group(0) @binding(4) var<storage, read> translations: array<vec4<i32>>;
@group(0) @binding(5) var<storage, read> tiles: array<Tile>;
// [D][sites of the band].
@group(0) @binding(6) var<storage, read_write> descriptors: array<f32>;

// Sums of products over the patch's rows, [GROUPS][BLOCKS]: of each block, of its
// first `rest` columns, of `fold` blocks.
var<workgroup> blocks: array<vec4<f32>, ALL>;
var<workgroup> rests: array<vec4<f32>, ALL>;
var<workgroup> folds: array<vec4<f32>, ALL>;

// Where a block stands: `origin` is the place of its column of stride phase 0.
struct Here {
    origin: u32,
    phase: u32,
}

// The same displaced by four translations.
struct There {
    origin: vec4<u32>,
    phase: vec4<u32>,
}

// Rows of pixels to add, and as many to take off, counted from the tile's first.
struct Step {
    enter: u32,
    leave: u32,
    rows: u32,
    slides: bool,
}

// Change of the sums over the block and over its first `rest` columns.
struct Change {
    block: vec4<f32>,
    rest: vec4<f32>,
}

fn four(at: vec4<u32>, centre: f32) -> vec4<f32> {
    return vec4<f32>(image[at.x], image[at.y], image[at.z], image[at.w]) - centre;
}

fn products(here: Here, there: There, step: Step, centre: f32) -> Change {
    let stride = params.stride;
    let line = stride * params.pitch;
    var change = Change(vec4<f32>(0.0), vec4<f32>(0.0));
    var sum = vec4<f32>(0.0);
    let columns = select(params.rest, stride, params.whole > 0u);
    for (var column = 0u; column < columns; column++) {
        let phase = here.phase + column;
        let carry = select(0u, 1u, phase >= stride);
        var a = here.origin + (phase - carry * stride) * params.pitch + carry + step.enter * line;
        let phases = there.phase + column;
        let carries = select(vec4<u32>(0u), vec4<u32>(1u), phases >= vec4<u32>(stride));
        var b = there.origin + (phases - carries * stride) * params.pitch + carries
            + step.enter * line;
        // Column by column, so that few terms follow each other in one sum.
        var part = vec4<f32>(0.0);
        if step.slides {
            let back = (step.enter - step.leave) * line;
            for (var row = 0u; row < step.rows; row++) {
                part += (image[a] - centre) * four(b, centre);
                part -= (image[a - back] - centre) * four(b - back, centre);
                a += line;
                b += vec4<u32>(line);
            }
        } else {
            for (var row = 0u; row < step.rows; row++) {
                part += (image[a] - centre) * four(b, centre);
                a += line;
                b += vec4<u32>(line);
            }
        }
        sum += part;
        if column + 1u == params.rest {
            change.rest = sum;
        }
    }
    change.block = sum;
    return change;
}

// Sum over the slab from the block at `at` on.
fn window(at: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    let folded = params.whole / params.fold;
    for (var k = 0u; k < folded; k++) {
        sum += folds[at + k * params.fold];
    }
    for (var k = folded * params.fold; k < params.whole; k++) {
        sum += blocks[at + k];
    }
    if params.rest > 0u {
        sum += rests[at + params.whole];
    }
    return sum;
}

// Normalises the sum for a site and translation and writes it.
fn store(t: u32, site: u32, norm: u32, centre: f32, own: f32) {
    if t >= params.translations {
        return;
    }
    let at = (params.first_channel + t) * params.sites + site;
    var sum = own;
    if params.begins == 0u {
        sum += descriptors[at];
    }
    if params.ends == 0u {
        descriptors[at] = sum;
        return;
    }
    let translation = translations[t];
    let displaced = u32(i32(norm) + translation.z);
    let covariance = sum
        - params.patch_pixels * (mean[norm] - centre) * (mean[displaced] - centre);
    let rho = clamp(covariance * inverse[norm] * inverse[displaced], -1.0, 1.0);
    let identity = all(translation.xy == vec2<i32>(0, 0));
    descriptors[at] = select(rho, 1.0, identity);
}

@compute @workgroup_size(BLOCKS, GROUPS)
fn translation(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    clock_in(local.y * BLOCKS + local.x);
    let tile = tiles[params.first_tile + group.y];
    let stride = params.stride;
    // Of a slab without columns beyond its whole blocks, the last block is not read.
    let used = tile.cols + params.whole;
    let block = local.x;
    let own = local.y * BLOCKS + block;
    let t = 4u * (params.first_four + group.x * GROUPS + local.y);
    let works = block < used && t < params.translations;

    var here = Here(0u, 0u);
    var there = There(vec4<u32>(0u), vec4<u32>(0u));
    if works {
        let line = stride * params.pitch;
        let row = params.top + tile.first_row * stride - params.first_row;
        let col = params.left + tile.first_col * stride;
        here = Here(row * line + col / stride + block, col % stride);
        let a = translations[t];
        let b = translations[t + 1u];
        let c = translations[t + 2u];
        let d = translations[t + 3u];
        let rows = vec4<u32>(vec4<i32>(a.x, b.x, c.x, d.x) + vec4<i32>(i32(row)));
        let cols = vec4<u32>(vec4<i32>(a.y, b.y, c.y, d.y) + vec4<i32>(i32(col)));
        there = There(rows * line + cols / vec4<u32>(stride) + block, cols % vec4<u32>(stride));
    }

    let slides = stride < params.height;
    var sums = Change(vec4<f32>(0.0), vec4<f32>(0.0));
    // What rounding kept out of the sums (Kahan), so that they do not drift.
    var lost = Change(vec4<f32>(0.0), vec4<f32>(0.0));
    for (var i = 0u; i < tile.rows; i++) {
        if works {
            if i == 0u || !slides {
                sums = products(here, there, Step(i * stride, 0u, params.height, false), tile.centre);
            } else {
                let leave = (i - 1u) * stride;
                let step = Step(leave + params.height, leave, stride, true);
                let change = products(here, there, step, tile.centre);
                let block_change = change.block + lost.block;
                let rest_change = change.rest + lost.rest;
                let before = sums;
                sums.block += block_change;
                sums.rest += rest_change;
                lost.block = block_change - (sums.block - before.block);
                lost.rest = rest_change - (sums.rest - before.rest);
            }
        }
        // The readers of the row before are done.
        workgroupBarrier();
        blocks[own] = sums.block;
        rests[own] = sums.rest;
        workgroupBarrier();
        if works && block + params.fold <= used {
            var sum = vec4<f32>(0.0);
            for (var k = 0u; k < params.fold; k++) {
                sum += blocks[own + k];
            }
            folds[own] = sum;
        }
        workgroupBarrier();
        if works && block < tile.cols {
            let sum = window(own);
            let row = tile.first_row + i - params.first_site_row;
            let site = row * params.site_cols + tile.first_col + block;
            let norm = params.norm_first + row * params.norm_line + tile.first_col + block;
            store(t, site, norm, tile.centre, sum.x);
            store(t + 1u, site, norm, tile.centre, sum.y);
            store(t + 2u, site, norm, tile.centre, sum.z);
            store(t + 3u, site, norm, tile.centre, sum.w);
        }
    }
}
