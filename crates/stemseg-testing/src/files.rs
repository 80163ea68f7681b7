//! Small files of every format, made here.

use hdf5_pure::{AttrValue, FileBuilder};

const ROWS: u32 = 5;
const COLS: u32 = 7;

/// Name and content of each.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("array.npy", npy()),
        ("archive.npz", zip(&[("image.npy", npy())])),
        ("digital.dm3", dm3()),
        ("series_1.ser", ser()),
        ("stack.mrc", mrc()),
        ("berkeley.emd", ncem()),
        ("velox.emd", velox()),
        ("hyperspy.hspy", hspy()),
        ("hyperspy.zspy", zspy()),
    ]
}

fn pixels(frames: u32) -> Vec<u16> {
    (0..frames * ROWS * COLS).map(|i| (i * 2654 % 60_000) as u16).collect()
}

fn bytes(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn npy() -> Vec<u8> {
    let header =
        format!("{{'descr': '<u2', 'fortran_order': False, 'shape': ({ROWS}, {COLS}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes(&pixels(1)));
    file
}

fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Tags of a DM3 file: big-endian, with little-endian values.
struct Tags(Vec<u8>);

impl Tags {
    fn head(&mut self, kind: u8, name: &str) {
        self.0.push(kind);
        self.0.extend((name.len() as u16).to_be_bytes());
        self.0.extend(name.as_bytes());
    }

    /// A group of `count` entries, which follow.
    fn group(&mut self, name: &str, count: u32) {
        self.head(20, name);
        self.0.extend([1, 0]);
        self.0.extend(count.to_be_bytes());
    }

    fn value(&mut self, name: &str, info: &[u32], data: &[u8]) {
        self.head(21, name);
        self.0.extend(b"%%%%");
        self.0.extend((info.len() as u32).to_be_bytes());
        self.0.extend(info.iter().flat_map(|word| word.to_be_bytes()));
        self.0.extend(data);
    }

    fn long(&mut self, name: &str, value: u32) {
        self.value(name, &[3], &value.to_le_bytes());
    }

    fn axis(&mut self) {
        self.group("", 3);
        self.value("Origin", &[6], &0_f32.to_le_bytes());
        self.value("Scale", &[6], &0.5_f32.to_le_bytes());
        self.value("Units", &[20, 4, 2], &[b'n', 0, b'm', 0]);
    }
}

/// An image and nothing else.
fn dm3() -> Vec<u8> {
    let mut tags = Tags(vec![1, 0]);
    tags.0.extend(1_u32.to_be_bytes());
    tags.group("ImageList", 1);
    tags.group("", 1);
    tags.group("ImageData", 5);
    tags.group("Calibrations", 1);
    tags.group("Dimension", 2);
    tags.axis();
    tags.axis();
    tags.value("Data", &[20, 4, ROWS * COLS], &bytes(&pixels(1)));
    tags.long("DataType", 10);
    tags.group("Dimensions", 2);
    tags.long("", COLS);
    tags.long("", ROWS);
    tags.long("PixelDepth", 2);
    let mut file: Vec<u8> = [3_u32, tags.0.len() as u32 - 2 + 8, 1]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect();
    file.extend(&tags.0);
    file.extend([0; 8]);
    file
}

/// Two frames.
fn ser() -> Vec<u8> {
    let frame = |file: &mut Vec<u8>, pixels: &[u16]| {
        for _ in 0..2 {
            file.extend(0_f64.to_le_bytes());
            file.extend(2e-11_f64.to_le_bytes());
            file.extend(0_u32.to_le_bytes());
        }
        file.extend(2_u16.to_le_bytes());
        file.extend(COLS.to_le_bytes());
        file.extend(ROWS.to_le_bytes());
        file.extend(bytes(pixels));
    };
    let mut file = b"II\x97\x01\x20\x02\x22\x41\0\0\x52\x41\0\0".to_vec();
    file.extend([2_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat());
    let place = file.len();
    file.extend(0_u64.to_le_bytes());
    file.extend([1_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat());
    file.extend([0_f64.to_le_bytes(), 1_f64.to_le_bytes()].concat());
    file.extend([0_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat());
    file.extend(b"Number\0\0\0\0");
    let offsets = file.len();
    file[place..place + 8].copy_from_slice(&(offsets as u64).to_le_bytes());
    file.extend([0; 32]);
    let all = pixels(2);
    for (index, pixels) in all.chunks((ROWS * COLS) as usize).enumerate() {
        let at = offsets + 8 * index;
        let start = file.len() as u64;
        file[at..at + 8].copy_from_slice(&start.to_le_bytes());
        frame(&mut file, pixels);
    }
    for index in 2..4 {
        let at = offsets + 8 * index;
        let start = file.len() as u64;
        file[at..at + 8].copy_from_slice(&start.to_le_bytes());
        file.extend([0x52, 0x41, 0, 0]);
        file.extend((1_600_000_000 + index as u32).to_le_bytes());
    }
    file
}

/// A stack of two sections.
fn mrc() -> Vec<u8> {
    let mut file = vec![0; 1024];
    let mut word = |place: usize, value: [u8; 4]| file[place..place + 4].copy_from_slice(&value);
    for (place, value) in
        [(0, COLS), (4, ROWS), (8, 2), (12, 6), (28, COLS), (32, ROWS), (36, 1), (108, 20140)]
    {
        word(place, value.to_le_bytes());
    }
    for (place, value) in [(64, 1_u32), (68, 2), (72, 3)] {
        word(place, value.to_le_bytes());
    }
    word(40, (2.0 * COLS as f32).to_le_bytes());
    word(44, (2.0 * ROWS as f32).to_le_bytes());
    word(208, *b"MAP ");
    word(212, [0x44, 0x44, 0, 0]);
    file.extend(bytes(&pixels(2)));
    file
}

fn text(value: &str) -> AttrValue {
    AttrValue::String(value.into())
}

fn ncem() -> Vec<u8> {
    let mut file = FileBuilder::new();
    file.set_attr("version_major", AttrValue::I64(0));
    let mut data = file.create_group("data");
    let mut group = data.create_group("image");
    group.set_attr("emd_group_type", AttrValue::I64(1));
    let shape = [u64::from(ROWS), u64::from(COLS)];
    group.create_dataset("data").with_u16_data(&pixels(1)).with_shape(&shape);
    for (name, length) in [("dim1", ROWS), ("dim2", COLS)] {
        let steps: Vec<f64> = (0..length).map(|step| 0.1 * f64::from(step)).collect();
        group.create_dataset(name).with_f64_data(&steps).set_attr("units", text("[n_m]"));
    }
    data.add_group(group.finish());
    file.add_group(data.finish());
    file.finish().unwrap()
}

fn velox() -> Vec<u8> {
    let metadata = br#"{"BinaryResult":{"Detector":"HAADF","PixelSize":{"width":"1e-11","height":"1e-11"},"PixelUnitX":"m","PixelUnitY":"m"},"Scan":{"FrameTime":"0.5"}}"#;
    let mut file = FileBuilder::new();
    let mut data = file.create_group("Data");
    let mut images = data.create_group("Image");
    let mut image = images.create_group("0123456789abcdef0123456789abcdef");
    let shape = [u64::from(ROWS), u64::from(COLS), 2];
    image.create_dataset("Data").with_u16_data(&pixels(2)).with_shape(&shape);
    image.create_dataset("Metadata").with_u8_data(metadata).with_shape(&[metadata.len() as u64, 1]);
    images.add_group(image.finish());
    data.add_group(images.finish());
    file.add_group(data.finish());
    file.finish().unwrap()
}

fn hspy() -> Vec<u8> {
    let mut file = FileBuilder::new();
    file.set_attr("file_format", text("HyperSpy"));
    let mut experiments = file.create_group("Experiments");
    let mut signal = experiments.create_group("image");
    let shape = [2, u64::from(ROWS), u64::from(COLS)];
    signal
        .create_dataset("data")
        .with_u16_data(&pixels(2))
        .with_shape(&shape)
        .with_chunks(&[1, 4, 4])
        .with_deflate(4);
    for index in 0..3 {
        let mut axis = signal.create_group(&format!("axis-{index}"));
        axis.set_attr("scale", AttrValue::F64(0.1));
        axis.set_attr("units", text(if index == 0 { "s" } else { "nm" }));
        axis.set_attr("navigate", AttrValue::I8(i8::from(index == 0)));
        signal.add_group(axis.finish());
    }
    experiments.add_group(signal.finish());
    file.add_group(experiments.finish());
    file.finish().unwrap()
}

/// Chunks of 1 x 3 x 4, some packed by blosc, some by zlib's kin.
fn zspy() -> Vec<u8> {
    let place = "Experiments/image";
    let array = format!(
        r#"{{"chunks":[2,3,4],"compressor":{{"id":"blosc"}},"dtype":"<u2","fill_value":0,"filters":null,"order":"C","shape":[2,{ROWS},{COLS}],"zarr_format":2}}"#
    );
    let mut members: Vec<(String, Vec<u8>)> = vec![
        (".zattrs".into(), br#"{"file_format": "ZSpy"}"#.to_vec()),
        (format!("{place}/data/.zarray"), array.into_bytes()),
    ];
    for index in 0..3 {
        let unit = if index == 0 { "s" } else { "nm" };
        let axis = format!(r#"{{"scale": 0.1, "units": "{unit}", "navigate": {}}}"#, index == 0);
        members.push((format!("{place}/axis-{index}/.zattrs"), axis.into_bytes()));
    }
    for row in 0..2 {
        for col in 0..2 {
            // Two frames of 3 x 4.
            let chunk = bytes(&pixels(1)[..24]);
            let mut packed = vec![0; chunk.len() + 64];
            let length = blusc::blosc2_compress(5, 1, 2, &chunk, &mut packed);
            packed.truncate(usize::try_from(length).unwrap());
            members.push((format!("{place}/data/0.{row}.{col}"), packed));
        }
    }
    let members: Vec<(&str, Vec<u8>)> =
        members.iter().map(|(name, content)| (&**name, content.clone())).collect();
    zip(&members)
}
