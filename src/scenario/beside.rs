//! Files beside a scenario's: zones that stand in master files of their own.
//!
//! Nothing below reads files. What `zone_files` names is read here, at the edge, and put into the scenario as a setting, so that
//! whoever keeps a scenario with its settings (a recording) has all of it.

use std::io::Read as _;
use std::path::Path;

use toml::de::DeTable;

use super::section::FILE_BYTES_MAX;
use super::tree::Setting;
use super::{LoadError, Mistakes};
use crate::read::{Diagnostic, Source};

/// Reads what a scenario at `path` wants to have read: a setting for each program with files.
///
/// # Errors
///
/// Every file that cannot be read, where it is named; one that is larger than a scenario may be.
pub(super) fn settings(path: &Path, text: &str) -> Result<Vec<Setting>, LoadError> {
    // What is wrong with the text is told by who reads it.
    let Ok(tree) = DeTable::parse(text) else { return Ok(Vec::new()) };
    let apps = tree.get_ref().get("apps").and_then(|apps| apps.get_ref().as_table());
    let (mut settings, mut diagnostics) = (Vec::new(), Vec::new());
    for (name, app) in apps.into_iter().flatten() {
        let files = app.get_ref().get("zone_files").and_then(|files| files.get_ref().as_table());
        let mut entries = Vec::new();
        for (zone, file) in files.into_iter().flatten() {
            let Some(file_name) = file.get_ref().as_str() else { continue };
            match read(&path.parent().unwrap_or_else(|| Path::new("")).join(file_name)) {
                Ok(text) => entries.push(format!("{} = {}", quoted(zone.get_ref()), quoted(&text))),
                Err(LoadError::Io { path, source }) => diagnostics.push(
                    Diagnostic::new(file.span(), format!("cannot read {}: {source}", path.display()))
                        .label("the path of a file, from the scenario's folder"),
                ),
                Err(error) => return Err(error),
            }
        }
        if !entries.is_empty() {
            let value = format!("{{ {} }}", entries.join(", "));
            settings.push(Setting { path: format!("apps.{}.zone_texts", name.get_ref()), value });
        }
    }
    if !diagnostics.is_empty() {
        let source = Source { name: path.display().to_string(), text: text.to_owned() };
        return Err(Mistakes { source, diagnostics, settings_at: text.len() }.into());
    }
    Ok(settings)
}

fn read(path: &Path) -> Result<String, LoadError> {
    let failed = |source| LoadError::Io { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    let bytes = text.len() as u64;
    if bytes > FILE_BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_owned(), bytes, max: FILE_BYTES_MAX });
    }
    Ok(text)
}

/// A string of one line: JSON's are TOML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::Scenario;
    use crate::scenario::LoadError;

    const TEXT: &str = r#"
        stop = "5s"
        [nodes]
        client = { dns = "10.0.0.53" }
        server = { addr = "10.0.0.53/24" }
        [links]
        wire = { ends = ["client", "server"] }
        [apps]
        names = { on = "server", kind = "dns-server", zone_files = { "example.com" = "zones/example.com.zone" } }
        dig = { on = "client", kind = "dig", name = "www.example.com", server = "10.0.0.53" }
    "#;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("hopwise-beside-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("zones")).unwrap();
        folder
    }

    #[test]
    fn a_zone_file_is_found_from_the_scenarios_folder_and_becomes_a_part_of_it() {
        let folder = folder("found");
        let text = TEXT.replace("name = \"www", "type = \"TXT\", name = \"www");
        std::fs::write(folder.join("s.toml"), text).unwrap();
        std::fs::write(folder.join("zones/example.com.zone"), "; a zone\n$TTL 60\nwww TXT \"a\\\\b\"\n").unwrap();
        let scenario = Scenario::from_file(folder.join("s.toml")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let report = scenario.run().unwrap();
        assert_eq!(report.outcome("dig", "answers"), Some(&1_u64.into()));
        assert_eq!(report.outcome("dig", "ttl"), Some(&60_u64.into()));
    }

    #[test]
    fn a_zone_file_that_is_not_there_is_named() {
        let folder = folder("missing");
        std::fs::write(folder.join("s.toml"), TEXT).unwrap();
        let error = Scenario::from_file(folder.join("s.toml")).unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
        let LoadError::Mistakes(mistakes) = &error else { panic!("{error}") };
        let told = &mistakes.diagnostics[0];
        assert!(told.title.contains("zones/example.com.zone: No such file"), "{error}");
        assert_eq!(&TEXT[told.span.clone()], "\"zones/example.com.zone\"");
        // A scenario that is no file has none beside it.
        let mistakes = Scenario::from_toml("text", TEXT).unwrap_err();
        assert!(mistakes.to_string().contains("the file of `example.com` has not been read"), "{mistakes}");
    }

    #[test]
    fn a_mistake_in_a_zone_file_is_told_with_its_line() {
        let folder = folder("wrong");
        std::fs::write(folder.join("s.toml"), TEXT).unwrap();
        std::fs::write(folder.join("zones/example.com.zone"), "www A 10.0.0.1\nweb A ten\n").unwrap();
        let error = Scenario::from_file(folder.join("s.toml")).unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(error.to_string().contains("the zone `example.com` cannot be read: line 2: expected IPv4"), "{error}");
    }
}
