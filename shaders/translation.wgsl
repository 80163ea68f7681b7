// Local correlation map: Pearson correlation of the patch at a site with the
// patch at the site displaced by a translation.
//
//   rho_t(x) = (B[I I_t](x) - n mu(x) mu(x+t)) / (n sqrt(var(x) var(x+t)))
//
// A workgroup takes one tile of sites and one translation. Its threads own
// columns of pixels and keep the running sum of products over the patch's rows;
// each site row adds the rows that come in and takes off those that leave.
// Columns are then summed to blocks of one stride, and blocks to windows by
// doubling, so the cost does not depend on the patch size.
//
// Dispatch: (tiles, translations). Launcher: src/backend/gpu/translation.rs.
// Twin: src/backend/cpu/translation.rs.
//
// Work per pixel and translation: 2 products (4 loads, 2 fused multiply-adds),
// 1/stride^2 descriptors of 4 bytes written.

// Threads of a workgroup.
override THREADS: u32 = 256u;
// Pixel columns of the widest tile: (sites - 1) * stride + patch.
override COLUMNS: u32 = 256u;
// Blocks of one stride in these columns.
override BLOCKS: u32 = 256u;

struct Params {
    // Pixels in a row of the image.
    image_cols: u32,
    // Pixel row of the image at which `image` begins.
    first_row: u32,
    // Pixel row of the first site row, and column of the first site column.
    margin_rows: u32,
    margin_cols: u32,
    // Distance of sites, px.
    stride: u32,
    // Half size of the patch, px.
    patch_rows: u32,
    patch_cols: u32,
    // Norm maps: place of the band's first site, and values from one row of
    // sites to the next.
    norm_first: u32,
    norm_line: u32,
    // Sites of the band, in a row of it, and its first site row.
    sites: u32,
    site_cols: u32,
    first_site_row: u32,
    // First tile and translation of this dispatch, and first channel of the family.
    first_tile: u32,
    first_translation: u32,
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
// [pixel rows of the band][image_cols], mean 0 and variance 1.
@group(0) @binding(1) var<storage, read> image: array<f32>;
// Patch mean and 1 / sqrt(n var) (0: flat), by patch.
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
// Rows and columns, px; how far the norms of a displaced site stand from the
// site's; unused.
@group(0) @binding(4) var<storage, read> translations: array<vec4<i32>>;
@group(0) @binding(5) var<storage, read> tiles: array<Tile>;
// [D][sites of the band].
@group(0) @binding(6) var<storage, read_write> descriptors: array<f32>;

// Sum of products over the patch's rows, one per pixel column of the tile.
var<workgroup> columns: array<f32, COLUMNS>;
// Sums over 1, 2, 4, ... blocks and the next of them, in turns.
var<workgroup> even: array<f32, BLOCKS>;
var<workgroup> odd: array<f32, BLOCKS>;

fn product(at: u32, shift: i32, centre: f32) -> f32 {
    return (image[at] - centre) * (image[u32(i32(at) + shift)] - centre);
}

@compute @workgroup_size(THREADS)
fn translation(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let tile = tiles[params.first_tile + group.x];
    let t = params.first_translation + group.y;
    let translation = translations[t];
    let identity = all(translation.xy == vec2<i32>(0, 0));
    let shift = translation.x * i32(params.image_cols) + translation.y;

    let stride = params.stride;
    let height = 2u * params.patch_rows + 1u;
    let width = 2u * params.patch_cols + 1u;
    let whole = width / stride;
    let rest = width % stride;
    let span = (tile.cols - 1u) * stride + width;
    let blocks = tile.cols + whole - 1u;
    let top = params.margin_rows + tile.first_row * stride - params.first_row - params.patch_rows;
    let left = params.margin_cols + tile.first_col * stride - params.patch_cols;

    for (var i = 0u; i < tile.rows; i++) {
        // The last row's readers of `columns` are done.
        workgroupBarrier();
        for (var x = local.x; x < span; x += THREADS) {
            var at = (top + i * stride) * params.image_cols + left + x;
            var sum = 0.0;
            if i == 0u || stride >= height {
                for (var row = 0u; row < height; row++) {
                    sum += product(at, shift, tile.centre);
                    at += params.image_cols;
                }
            } else {
                sum = columns[x];
                for (var row = 0u; row < stride; row++) {
                    at -= params.image_cols;
                    let incoming = at + height * params.image_cols;
                    sum += product(incoming, shift, tile.centre) - product(at, shift, tile.centre);
                }
            }
            columns[x] = sum;
        }
        workgroupBarrier();
        for (var u = local.x; u < blocks; u += THREADS) {
            var sum = 0.0;
            for (var q = 0u; q < stride; q++) {
                sum += columns[u * stride + q];
            }
            even[u] = sum;
        }
        // A window is `whole` blocks and the first `rest` columns of the next.
        let j = local.x;
        var total = 0.0;
        if j < tile.cols {
            for (var q = 0u; q < rest; q++) {
                total += columns[(j + whole) * stride + q];
            }
        }
        workgroupBarrier();
        var from_even = true;
        var offset = 0u;
        for (var size = 1u; size <= whole; size *= 2u) {
            if j < tile.cols && (whole & size) != 0u {
                total += select(odd[j + offset], even[j + offset], from_even);
            }
            offset += whole & size;
            for (var u = local.x; u + size < blocks; u += THREADS) {
                if from_even {
                    odd[u] = even[u] + even[u + size];
                } else {
                    even[u] = odd[u] + odd[u + size];
                }
            }
            from_even = !from_even;
            workgroupBarrier();
        }
        if j < tile.cols {
            let row = tile.first_row + i - params.first_site_row;
            let a = params.norm_first + row * params.norm_line + tile.first_col + j;
            let b = u32(i32(a) + translation.z);
            let covariance = total
                - params.patch_pixels * (mean[a] - tile.centre) * (mean[b] - tile.centre);
            let rho = clamp(covariance * inverse[a] * inverse[b], -1.0, 1.0);
            let site = row * params.site_cols + tile.first_col + j;
            descriptors[(params.first_channel + t) * params.sites + site] = select(rho, 1.0, identity);
        }
    }
}
