// Cells of centred pairs: weight, means, and sums of the products of what pixels are
// off them, for each translation.
//
// A cell is the stride x stride px around a grid point; for an even stride it has one
// more along each axis, of which the first and the last count half. A pixel u counts
// where u - h and u + h lie within the image and are not masked. Pixels are read twice,
// so that nothing is lost where the mean is large. One thread takes one cell.
//
// Dispatch: (cell columns / 64, cell rows, translations). Launcher:
// src/backend/gpu/centred.rs. Twin: src/backend/cpu/centred.rs.
//
// Work per cell and translation: about 20 flops and four loads of 4 bytes from the cache
// for each of its pixels; 24 bytes written.

struct Params {
    image: Image,
    // Pixels of the image.
    height: i32,
    width: i32,
    // Pixel row and column of the first cell's centre, distance of cells.
    top: i32,
    left: i32,
    stride: i32,
    // Cells of the band.
    rows: u32,
    cols: u32,
    // First row of cells of this dispatch, its first translation.
    first_row: u32,
    first_half: u32,
    // Words of a row of the mask, 0 where nothing is masked.
    mask_words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [pixel rows][stride phase][pitch], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// [image rows][words], a bit for each pixel, 1 where it does not count.
@group(0) @binding(2) var<storage, read> mask: array<u32>;
// Half of each translation, rows and columns.
@group(0) @binding(3) var<storage, read> halves: array<vec2<i32>>;
// [translation of this dispatch][cell row][col]: weight, mean of both pixels, sum of
// squares of the first.
@group(0) @binding(4) var<storage, read_write> means: array<vec4<f32>>;
// Sum of products of both, sum of squares of the second.
@group(0) @binding(5) var<storage, read_write> products: array<vec2<f32>>;

fn exists(at: vec2<i32>) -> bool {
    if any(at < vec2<i32>(0)) || any(at >= vec2<i32>(params.height, params.width)) {
        return false;
    }
    if params.mask_words == 0u {
        return true;
    }
    let col = u32(at.y);
    let word = mask[u32(at.x) * params.mask_words + col / 32u];
    return ((word >> (col % 32u)) & 1u) == 0u;
}

fn load(at: vec2<i32>) -> f32 {
    return image[place(params.image, u32(at.x), u32(at.y))];
}

// Share of a pixel along an axis, so far from the first of its cell.
fn share(at: i32, side: i32) -> f32 {
    let half = params.stride % 2 == 0 && (at == 0 || at == side - 1);
    return select(1.0, 0.5, half);
}

@compute @workgroup_size(64)
fn centred_cells(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let col = group.x * 64u + local;
    if col >= params.cols {
        return;
    }
    let half = halves[params.first_half + group.z];
    let side = 2 * (params.stride / 2) + 1;
    let corner = vec2<i32>(params.top, params.left)
        + params.stride * vec2<i32>(i32(row), i32(col)) - params.stride / 2;

    var n = 0.0;
    var mean = vec2<f32>(0.0);
    for (var i = 0; i < side; i++) {
        for (var j = 0; j < side; j++) {
            let at = corner + vec2<i32>(i, j);
            if exists(at - half) && exists(at + half) {
                let weight = share(i, side) * share(j, side);
                n += weight;
                mean += weight * vec2<f32>(load(at - half), load(at + half));
            }
        }
    }
    if n > 0.0 {
        mean /= n;
    }
    var squares = vec2<f32>(0.0);
    var both = 0.0;
    for (var i = 0; i < side; i++) {
        for (var j = 0; j < side; j++) {
            let at = corner + vec2<i32>(i, j);
            if exists(at - half) && exists(at + half) {
                let weight = share(i, side) * share(j, side);
                let off = vec2<f32>(load(at - half), load(at + half)) - mean;
                squares += weight * off * off;
                both += weight * off.x * off.y;
            }
        }
    }
    let to = (group.z * params.rows + row) * params.cols + col;
    means[to] = vec4<f32>(n, mean, squares.x);
    products[to] = vec2<f32>(both, squares.y);
}
