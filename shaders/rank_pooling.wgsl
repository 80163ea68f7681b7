// Ranked pooling: the largest scores of the inner sites in a site's window, in
// falling order, one channel for each rank. Where a window holds fewer, its last
// score repeats.
//
// A dispatch finds 4 FOURS ranks. A workgroup takes 64 neighbouring sites of a row,
// and one score. For the first ranks its threads sort the largest scores down each
// inner column of the window's rows, COLUMNS at a time; then each thread takes, column
// by column of its window, as many as are larger than the least that it keeps. All
// threads meet at two barriers for each COLUMNS.
//
// For ranks beyond the first, a thread goes through its whole window, and takes what
// comes after the last rank that is written: what is less, and of what is equal as many
// as are not written yet. Exact, whatever is equal.
//
// Dispatch: (site columns / 64, site rows, scores). Launcher:
// src/backend/gpu/rank_pooling.rs. Twin: src/backend/cpu/rank_pooling.rs.
//
// Work per site and score, at a window of h x w inner sites that stand g to a site's
// stride, for n ranks in whole fours: (g + w / 64) h loads of 4 bytes from the cache
// with 2 n comparisons each, about w + 2 n loads from workgroup memory with
// as many comparisons for each that is taken; n values of 4 bytes written.
// Arithmetic bounds it at small strides, writing at large ones.

struct Params {
    // Inner rows and columns of the maps.
    rows: u32,
    cols: u32,
    // Sites of the band, in a row of it.
    sites: u32,
    site_cols: u32,
    // First site row and 64 sites of this dispatch, counted from the band's; its first
    // score, counted from the family's.
    first_row: u32,
    first_group: u32,
    first_score: u32,
    // Scores of the family, and the first's channel in the maps and in the
    // descriptors.
    scores: u32,
    map: u32,
    channel: u32,
    // First rank of this dispatch, and all ranks.
    first_rank: u32,
    ranks: u32,
}

// Fours of ranks that are kept.
override FOURS: u32 = 4u;

const SITES: u32 = 64u;
const COLUMNS: u32 = 128u;
// Less than any score.
const LEAST: f32 = -3.0e38;

@group(0) @binding(0) var<uniform> params: Params;
// [channel][inner row][col].
@group(0) @binding(1) var<storage, read> maps: array<f32>;
// First inner row and one beyond the last of each site row of the band; columns of
// each site column.
@group(0) @binding(2) var<storage, read> row_windows: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> col_windows: array<vec2<u32>>;
// [D][sites of the band].
@group(0) @binding(4) var<storage, read_write> descriptors: array<f32>;

// The largest scores down the window's rows, in falling order, [rank / 4][column].
var<workgroup> columns: array<vec4<f32>, 512>;

// The largest values in falling order, 4 FOURS of them.
struct List {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn empty() -> List {
    let least = vec4<f32>(LEAST);
    return List(least, least, least, least);
}

// The least value that a list keeps.
fn least(list: List) -> f32 {
    switch FOURS {
        case 1u: { return list.a.w; }
        case 2u: { return list.b.w; }
        case 3u: { return list.c.w; }
        default: { return list.d.w; }
    }
}

// Four of a list, where `value` comes in and `before` stands before them: each value is
// the middle one of itself, the one before and the new one.
fn sink(four: vec4<f32>, before: f32, value: f32) -> vec4<f32> {
    return max(four, min(vec4<f32>(before, four.xyz), vec4<f32>(value)));
}

fn insert(list: List, value: f32) -> List {
    var more = list;
    if FOURS > 3u {
        more.d = sink(list.d, list.c.w, value);
    }
    if FOURS > 2u {
        more.c = sink(list.c, list.b.w, value);
    }
    if FOURS > 1u {
        more.b = sink(list.b, list.a.w, value);
    }
    more.a = sink(list.a, value, value);
    return more;
}

fn four(list: List, i: u32) -> vec4<f32> {
    switch i {
        case 0u: { return list.a; }
        case 1u: { return list.b; }
        case 2u: { return list.c; }
        default: { return list.d; }
    }
}

// The largest scores of column `at` of a map in `rows`.
fn column(rows: vec2<u32>, at: u32) -> List {
    var list = empty();
    for (var row = rows.x; row < rows.y; row++) {
        list = insert(list, maps[at + row * params.cols]);
    }
    return list;
}

// Takes in a column's list.
fn merge(list: List, column: u32) -> List {
    var more = list;
    for (var i = 0u; i < FOURS; i++) {
        let values = columns[i * COLUMNS + column];
        for (var k = 0u; k < 4u; k++) {
            if values[k] <= least(more) {
                return more;
            }
            more = insert(more, values[k]);
        }
    }
    return more;
}

// The largest scores of a window that come after `bound` and `written` equal to it.
fn beyond(map: u32, rows: vec2<u32>, cols: vec2<u32>, bound: f32, written: u32) -> List {
    var list = empty();
    var equal = 0u;
    for (var row = rows.x; row < rows.y; row++) {
        for (var col = cols.x; col < cols.y; col++) {
            let value = maps[map + row * params.cols + col];
            equal += select(0u, 1u, value == bound);
            if value < bound || (value == bound && equal > written) {
                list = insert(list, value);
            }
        }
    }
    return list;
}

// How many of the ranks before this dispatch's are the same as the last of them.
fn same(at: u32, bound: f32) -> u32 {
    let pitch = params.scores * params.sites;
    var count = 1u;
    while count < params.first_rank
        && descriptors[at + (params.first_rank - 1u - count) * pitch] == bound {
        count++;
    }
    return count;
}

@compute @workgroup_size(64)
fn rank_pooling(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    clock_in(local);
    let row = params.first_row + group.y;
    let score = params.first_score + group.z;
    let map = (params.map + score) * params.rows * params.cols;
    let first = (params.first_group + group.x) * SITES;
    let last = min(first + SITES, params.site_cols) - 1u;
    let works = first + local <= last;
    let rows = row_windows[row];
    let own = col_windows[min(first + local, last)];
    // Rank 0 of the site.
    let at = (params.channel + score) * params.sites + row * params.site_cols + first + local;
    let pitch = params.scores * params.sites;

    var list = empty();
    // What repeats where there are no more scores.
    var value = LEAST;
    if params.first_rank == 0u {
        let end = col_windows[last].y;
        for (var chunk = col_windows[first].x; chunk < end; chunk += COLUMNS) {
            let chunk_end = min(chunk + COLUMNS, end);
            // The readers of the columns before are done.
            workgroupBarrier();
            for (var col = chunk + local; col < chunk_end; col += SITES) {
                let sorted = column(rows, map + col);
                for (var i = 0u; i < FOURS; i++) {
                    columns[i * COLUMNS + col - chunk] = four(sorted, i);
                }
            }
            workgroupBarrier();
            for (var col = max(own.x, chunk); col < min(own.y, chunk_end); col++) {
                list = merge(list, col - chunk);
            }
        }
    } else if works {
        value = descriptors[at + (params.first_rank - 1u) * pitch];
        list = beyond(map, rows, own, value, same(at, value));
    }
    if works {
        let count = (rows.y - rows.x) * (own.y - own.x);
        for (var i = 0u; i < min(4u * FOURS, params.ranks - params.first_rank); i++) {
            let rank = params.first_rank + i;
            if rank < count {
                value = four(list, i / 4u)[i % 4u];
            }
            descriptors[at + rank * pitch] = value;
        }
    }
}
