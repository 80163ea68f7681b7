//! The plots of a page as files.

use roxmltree::Document;
use stemseg::pipeline::Segmentation;

use super::figures::{COLOURS, figures};
use super::tests::{between, made};

/// The figures by their names, each an SVG that parses.
fn of(found: &Segmentation) -> Vec<(&'static str, String)> {
    let all = figures(found, &found.results[0]);
    all.into_iter().map(|figure| (figure.name, figure.svg)).collect()
}

#[test]
fn each_plot_of_the_page_is_a_file() {
    let made = made("image.npy", 2, None);
    let page = made.page(&[]);
    let plots = between(&page, "<svg ", "</svg>");
    let all = of(&made.found);
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["scree.svg", "sites-by-features.svg", "translations.svg"]);
    for ((name, svg), plot) in all.iter().zip(plots) {
        let document = Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "svg");
        assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        let count = |tag: &str| {
            root.descendants()
                .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)))
                .count()
        };
        // All that the plot of the page has, on white; a map has its colours below it.
        assert_eq!(count("circle"), plot.matches("<circle").count(), "{name}");
        let (steps, ends) = if *name == "translations.svg" { (10, 2) } else { (0, 0) };
        assert_eq!(count("rect"), plot.matches("<rect").count() + 1 + steps, "{name}");
        assert_eq!(count("text"), plot.matches("<text").count() + ends, "{name}");
        assert_eq!(count("title"), 1, "{name}");
        // Everything lies within it.
        let number = |node: roxmltree::Node<'_, '_>, key: &str| {
            node.attribute(key).and_then(|value| value.parse::<f64>().ok())
        };
        let height = number(root, "height").unwrap();
        assert_eq!(root.attribute("viewBox").unwrap(), format!("-30 0 1030 {height}"));
        for node in root.descendants().filter(roxmltree::Node::is_element) {
            let below = number(node, "y").unwrap_or(0.0) + number(node, "height").unwrap_or(0.0);
            assert!(below <= height, "{name}: {node:?}");
            assert!(node.attribute("class").is_none() && node.attribute("style").is_none());
        }
    }
}

#[test]
fn colours_are_those_of_the_light_page() {
    let style = include_str!("style.css");
    for (role, colour) in COLOURS {
        let name = between(style, &format!("=\"{role}\"]"), "}")[0];
        let name = between(name, "var(", ")")[0];
        let light = between(style, &format!("  {name}: light-dark("), ",")[0];
        assert_eq!(light, colour, "{name}");
    }
    for (name, svg) in of(&made("image.npy", 2, None).found) {
        for (role, _) in COLOURS {
            assert!(!svg.contains(role), "{name}: {role}");
        }
        assert!(svg.contains(COLOURS[0].1) && svg.contains("fill=\"#ffffff\"/>"), "{name}");
        assert!(!svg.contains("font-family=\"sans-serif\""), "{name}");
    }
}

#[test]
fn of_a_single_pattern_nothing_is_separated() {
    let names: Vec<&str> =
        of(&made("image.npy", 1, None).found).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["scree.svg", "sites-by-features.svg"]);
}
