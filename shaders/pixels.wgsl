// The image on the device; stands before each kernel that reads single pixels.

struct Image {
    // First pixel row that is there.
    first_row: u32,
    // Values of one stride phase of a row.
    pitch: u32,
    // Number of stride phases, px.
    stride: u32,
    unused: u32,
}

// Place of a pixel in [pixel rows][stride phase][pitch].
fn place(image: Image, row: u32, col: u32) -> u32 {
    let line = (row - image.first_row) * image.stride + col % image.stride;
    return line * image.pitch + col / image.stride;
}
