//! How other processes find a running local stack: its variables, as shell commands, printed or in
//! a file of the data directory.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The file of the data directory.
pub const FILE: &str = "environment";

/// A shell command `export NAME='value'` for each variable.
#[must_use]
pub fn commands(environment: &BTreeMap<String, String>) -> String {
    let command = |(name, value): (&String, &String)| {
        format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
    };
    environment.iter().map(command).collect::<Vec<_>>().concat()
}

/// Reads what [`commands`] wrote, or the template's output. Other lines are passed over.
#[must_use]
pub fn parse(commands: &str) -> BTreeMap<String, String> {
    let variable = |line: &str| {
        let (name, value) = line.trim().strip_prefix("export ")?.split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((name.to_owned(), value.replace(r"'\''", "'")))
    };
    commands.lines().filter_map(variable).collect()
}

/// Writes the file, for its owner alone. A reader sees the old one or the new one.
///
/// # Errors
/// Those of the file system.
pub fn write(directory: &Path, environment: &BTreeMap<String, String>) -> io::Result<()> {
    let (file, fresh) = (directory.join(FILE), directory.join("environment.new"));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    out.write_all(commands(environment).as_bytes())?;
    out.sync_all()?;
    fs::rename(fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let environment: BTreeMap<_, _> =
            [("A", "plain"), ("B", "it's"), ("C", ""), ("D", "a=b, c")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        assert_eq!(parse(&commands(&environment)), environment);
        assert_eq!(
            parse("  export X='1'\n# export Y='2'\nexport Z=3"),
            [("X".to_owned(), "1".to_owned())].into()
        );
    }
}
