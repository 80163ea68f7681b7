// Puts scores that the host summed in f64 in place of those of the tiles that f32
// cannot do.
//
// Dispatch: (sites of the largest tile / 256, channels of the family, tiles).
// Launcher: src/backend/gpu/repair.rs. The CPU backend sums such tiles in f64
// where it describes them.
//
// Work per score: 8 bytes, read and written next to each other. Memory bounds it,
// and long before, the host that makes the scores.

struct Params {
    // Sites of the band, in a row of it, and its first site row.
    sites: u32,
    site_cols: u32,
    first_site_row: u32,
    // First channel of the family.
    first_channel: u32,
}

struct Tile {
    // First site row and column, number of site rows and columns.
    first_row: u32,
    first_col: u32,
    rows: u32,
    cols: u32,
    // Place of its first score.
    first_score: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// By tile: [channel][site].
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> tiles: array<Tile>;
// [D][sites of the band].
@group(0) @binding(3) var<storage, read_write> descriptors: array<f32>;

@compute @workgroup_size(256)
fn repair(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let tile = tiles[group.z];
    let own = group.x * 256u + local;
    let count = tile.rows * tile.cols;
    if own >= count {
        return;
    }
    let row = tile.first_row + own / tile.cols - params.first_site_row;
    let site = row * params.site_cols + tile.first_col + own % tile.cols;
    let channel = params.first_channel + group.y;
    descriptors[channel * params.sites + site] = scores[tile.first_score + group.y * count + own];
}
