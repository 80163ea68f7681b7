//! SVG, for figures.

use std::fmt::Write;
use std::path::Path;

use stemseg::Result;

use super::{OutlinedRegion, Outlines, save};

/// Writes the regions as paths in px, those of a label in a group of its own: tinted, and drawn round
/// by lines that stay as wide however large they are shown.
///
/// # Errors
/// [`Error::Io`](stemseg::Error::Io) where the system refuses.
pub fn write_svg(path: &Path, outlines: &Outlines<'_>) -> Result<()> {
    let (rows, cols) = outlines.shape;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {cols} {rows}\" \
         width=\"{cols}\" height=\"{rows}\">\n<title>Patterns of {}</title>\n",
        escaped(outlines.name)
    );
    if let Some(size) = outlines.pixel_size {
        let _ = writeln!(svg, "<desc>1 unit is {} nm by {} nm</desc>", size.cols, size.rows);
    }
    for label in outlines.regions.chunk_by(|a, b| a.label == b.label) {
        group(&mut svg, label);
    }
    save(path, (svg + "</svg>\n").as_bytes())
}

fn group(svg: &mut String, regions: &[OutlinedRegion]) {
    let [r, g, b] = regions[0].colour;
    let _ = writeln!(
        svg,
        "<g id=\"label-{}\" fill=\"#{r:02x}{g:02x}{b:02x}\" fill-opacity=\"0.25\" fill-rule=\"evenodd\" \
         stroke=\"#{r:02x}{g:02x}{b:02x}\" stroke-width=\"1.5\" stroke-linejoin=\"round\">\n<title>{}</title>",
        regions[0].label,
        escaped(&regions[0].pattern())
    );
    for region in regions {
        let _ = write!(
            svg,
            "<path id=\"region-{}\" vector-effect=\"non-scaling-stroke\" d=\"",
            region.region
        );
        for ring in &region.rings {
            for (i, [row, col]) in ring.iter().enumerate() {
                let _ = write!(svg, "{}{col} {row}", if i == 0 { 'M' } else { 'L' });
            }
            svg.push('Z');
        }
        svg.push_str("\"/>\n");
    }
    svg.push_str("</g>\n");
}

/// As text of XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;

    #[test]
    fn paths_have_their_holes_and_text_is_escaped() {
        let svg = String::from_utf8(written(write_svg)).unwrap();
        assert!(svg.contains("viewBox=\"0 0 5 4\""), "{svg}");
        assert!(svg.contains("d=\"M1 0L4 0L4 3L1 3ZM2 1L2 2L3 2L3 1Z\""), "{svg}");
        assert!(svg.contains("<title>a \"&lt;b&gt;\"</title>"), "{svg}");
        assert!(svg.contains("1 unit is 0.01 nm by 0.02 nm"), "{svg}");
        let mut xml = quick_xml::Reader::from_str(&svg);
        let mut depth = 0;
        loop {
            match xml.read_event().unwrap() {
                quick_xml::events::Event::Start(_) => depth += 1,
                quick_xml::events::Event::End(_) => depth -= 1,
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0);
    }
}
