// How fast a device multiplies and adds out of registers, and copies memory: what `bench --kernels`
// sets the times of all other kernels against. No segmentation runs these.

struct Params {
    // Times that each accumulator is multiplied and added.
    rounds: u32,
    // Never 0: keeps compilers from knowing what comes out.
    factor: f32,
    // Vectors that are copied.
    vectors: u32,
    // Threads of a row of workgroups.
    row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> target_values: array<vec4<f32>>;

// 32 multiply-adds a round, in eight chains of four, so that none waits for the one before.
@compute @workgroup_size(256)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4(params.factor);
    let term = vec4(1.0 - params.factor);
    let start = vec4(1.0 + f32(id.x) * 1e-9);
    var a = start;
    var b = start + 0.1;
    var c = start + 0.2;
    var d = start + 0.3;
    var e = start + 0.4;
    var f = start + 0.5;
    var g = start + 0.6;
    var h = start + 0.7;
    for (var round = 0u; round < params.rounds; round++) {
        a = fma(a, factor, term);
        b = fma(b, factor, term);
        c = fma(c, factor, term);
        d = fma(d, factor, term);
        e = fma(e, factor, term);
        f = fma(f, factor, term);
        g = fma(g, factor, term);
        h = fma(h, factor, term);
    }
    let sum = (a + b) + (c + d) + (e + f) + (g + h);
    // They all come to 1, so that this is never so, which the compiler cannot know.
    if sum.x < 0.0 {
        target_values[0] = sum;
    }
}

@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.row + id.x;
    if at < params.vectors {
        target_values[at] = source[at];
    }
}
