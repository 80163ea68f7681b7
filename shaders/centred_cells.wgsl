// Cells of centred pairs: weight, means, and sums of the products of what pixels are
// off them, for each translation.
//
// A cell is the stride x stride px around a grid point; for an even stride it has one
// more along each axis, of which the first and the last count half. A pixel u counts
// where u - h and u + h lie within the image and are not masked. Pixels are read twice,
// so that nothing is lost where the mean is large. One thread takes one cell. Where all pixels
// of a workgroup's cells exist, none is asked whether it does.
//
// Dispatch: (cell columns / 64, cell rows, translations). Launcher:
// src/backend/gpu/centred.rs. Twin: src/backend/cpu/centred.rs.
//
// Work per cell and translation: about 20 flops and four loads of 4 bytes from the cache
// for each of its pixels; 24 bytes written.

// Distance of cells, px, and pixels along an axis of one.
override STRIDE: i32 = 8;
override SIDE: i32 = 2 * (STRIDE / 2) + 1;
// Whether pixels are masked.
override MASKED: u32 = 0u;

struct Params {
    image: Image,
    // Pixels of the image.
    height: i32,
    width: i32,
    // Pixel row and column of the first cell's centre.
    top: i32,
    left: i32,
    // Cells of the band.
    rows: u32,
    cols: u32,
    // First row of cells of this dispatch, its first translation.
    first_row: u32,
    first_half: u32,
    // Words of a row of the mask.
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
    if MASKED == 0u {
        return true;
    }
    let col = u32(at.y);
    let word = mask[u32(at.x) * params.mask_words + col / 32u];
    return ((word >> (col % 32u)) & 1u) == 0u;
}

// Whether all pixels of a pair's cells exist for the whole workgroup, of which the first cell
// begins at `corner`.
fn whole(corner: vec2<i32>, half: vec2<i32>) -> bool {
    let low = corner - abs(half);
    let high = corner + abs(half) + vec2<i32>(SIDE, 63 * STRIDE + SIDE);
    return MASKED == 0u && all(low >= vec2<i32>(0))
        && all(high <= vec2<i32>(params.height, params.width));
}

fn load(at: vec2<i32>) -> f32 {
    return image[place(params.image, u32(at.x), u32(at.y))];
}

// Share of a pixel along an axis, so far from the first of its cell.
fn share(at: i32) -> f32 {
    let half = STRIDE % 2 == 0 && (at == 0 || at == SIDE - 1);
    return select(1.0, 0.5, half);
}

// Weight, means, sums of squares and sum of products of a pair's cells.
struct Cell {
    n: f32,
    mean: vec2<f32>,
    squares: vec2<f32>,
    both: f32,
}

// Of cells of which some pixels may not exist.
fn any_cell(corner: vec2<i32>, half: vec2<i32>) -> Cell {
    var cell = Cell(0.0, vec2<f32>(0.0), vec2<f32>(0.0), 0.0);
    for (var i = 0; i < SIDE; i++) {
        for (var j = 0; j < SIDE; j++) {
            let at = corner + vec2<i32>(i, j);
            if exists(at - half) && exists(at + half) {
                let weight = share(i) * share(j);
                cell.n += weight;
                cell.mean += weight * vec2<f32>(load(at - half), load(at + half));
            }
        }
    }
    if cell.n > 0.0 {
        cell.mean /= cell.n;
    }
    for (var i = 0; i < SIDE; i++) {
        for (var j = 0; j < SIDE; j++) {
            let at = corner + vec2<i32>(i, j);
            if exists(at - half) && exists(at + half) {
                let weight = share(i) * share(j);
                let off = vec2<f32>(load(at - half), load(at + half)) - cell.mean;
                cell.squares += weight * off * off;
                cell.both += weight * off.x * off.y;
            }
        }
    }
    return cell;
}

// The same where all exist.
fn whole_cell(corner: vec2<i32>, half: vec2<i32>) -> Cell {
    let n = f32(STRIDE * STRIDE);
    var cell = Cell(n, vec2<f32>(0.0), vec2<f32>(0.0), 0.0);
    for (var i = 0; i < SIDE; i++) {
        var line = vec2<f32>(0.0);
        for (var j = 0; j < SIDE; j++) {
            let at = corner + vec2<i32>(i, j);
            line += share(j) * vec2<f32>(load(at - half), load(at + half));
        }
        cell.mean += share(i) * line;
    }
    cell.mean /= n;
    for (var i = 0; i < SIDE; i++) {
        var squares = vec2<f32>(0.0);
        var both = 0.0;
        for (var j = 0; j < SIDE; j++) {
            let at = corner + vec2<i32>(i, j);
            let off = vec2<f32>(load(at - half), load(at + half)) - cell.mean;
            let weighted = share(j) * off;
            squares += weighted * off;
            both += weighted.x * off.y;
        }
        cell.squares += share(i) * squares;
        cell.both += share(i) * both;
    }
    return cell;
}

@compute @workgroup_size(64)
fn centred_cells(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let half = halves[params.first_half + group.z];
    let first = vec2<i32>(params.top, params.left)
        + STRIDE * vec2<i32>(i32(row), i32(group.x * 64u)) - STRIDE / 2;
    let col = group.x * 64u + local;
    if col >= params.cols {
        return;
    }
    let corner = first + vec2<i32>(0, STRIDE * i32(local));
    var cell: Cell;
    if whole(first, half) {
        cell = whole_cell(corner, half);
    } else {
        cell = any_cell(corner, half);
    }
    let to = (group.z * params.rows + row) * params.cols + col;
    means[to] = vec4<f32>(cell.n, cell.mean, cell.squares.x);
    products[to] = vec2<f32>(cell.both, cell.squares.y);
}
