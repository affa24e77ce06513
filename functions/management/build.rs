//! Takes the two files of Swagger UI that the documentation page loads out of the archive that a
//! crate carries, so that neither the build nor the page needs the internet (CBM-6).

use std::{borrow::Cow, env, error::Error, fs, io::Cursor, path::PathBuf};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in FILES {
        // The archive's one folder is named for the version.
        let path = format!("/dist/{file}");
        let name = archive.file_names().find_map(|name| {
            name.ok()
                .filter(|name| name.ends_with(&path))
                .map(Cow::into_owned)
        });
        let mut packed =
            archive.by_name(&name.ok_or_else(|| format!("Swagger UI has no {file}"))?)?;
        std::io::copy(&mut packed, &mut fs::File::create(out.join(file))?)?;
    }
    Ok(())
}
