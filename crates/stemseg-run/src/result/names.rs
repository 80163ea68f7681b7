//! Names of the files of a result, as far as they are known before it is made.

use std::path::Path;

use super::formats::names_of_labels;
use super::{Output, Save, figures};

/// Names of the files of a result.
pub(crate) struct Names {
    /// Of each number of patterns.
    pub(crate) own: Vec<String>,
    /// Of all numbers of patterns together.
    pub(crate) shared: Vec<String>,
}

impl Names {
    /// Names of all files but `summary.json`, or of all that is but in the folders of `several`
    /// numbers of patterns.
    pub(crate) fn of(output: &Output, image: &Path, several: bool) -> Self {
        let mut own = names_of_labels(&output.formats, &stem(image));
        own.extend(
            ["overlay.png", "model.json", "regions.csv", "boundaries.csv", "triple_points.csv"]
                .map(str::to_owned),
        );
        own.extend(output.lattices.then(|| "lattices.csv".to_owned()));
        if output.report {
            own.extend(["report.html", "features.png"].map(str::to_owned));
        }
        own.extend(output.saves(Save::Strain).then(|| "strain.tif".to_owned()));
        own.extend(output.saves(Save::Figures).then(figures::always));
        if output.saves(Save::Descriptors) || output.saves(Save::Features) {
            own.push("site_labels.npy".to_owned());
        }
        let saved = [
            (Save::Descriptors, "descriptors.npy"),
            (Save::Features, "features.npy"),
            (Save::Maps, "maps/maps.json"),
        ];
        let saved = saved.into_iter().filter(|(what, _)| output.saves(*what));
        let mut shared: Vec<String> = saved.map(|(_, name)| name.to_owned()).collect();
        shared.extend(several.then(|| "summary.json".to_owned()));
        Self { own, shared }
    }
}

/// Names of what a result for these numbers of patterns will hold at its top; several have
/// folders of their own.
pub(crate) fn planned(output: &Output, image: &Path, clusters: &[usize]) -> Vec<String> {
    let several = clusters.len() > 1;
    let Names { mut own, shared } = Names::of(output, image, several);
    // Of a single pattern there are none.
    own.extend(output.report.then(|| "channels.png".to_owned()));
    own.extend(output.saves(Save::Figures).then(figures::all).into_iter().flatten());
    let all = match several {
        true => clusters.iter().map(|k| format!("k{k}")).collect(),
        false => own,
    };
    let page = output.report.then(|| "report.html".to_owned());
    all.into_iter().chain(shared).chain(page).chain(["summary.json".to_owned()]).collect()
}

/// Name of the image without its ending.
pub(crate) fn stem(image: &Path) -> String {
    image.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
