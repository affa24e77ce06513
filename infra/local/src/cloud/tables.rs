//! Opening the tables' file.

use dynoxide::{Database, DynoxideError, storage::Storage};

/// dynoxide searches its stream records by table and number, on every write to a table with a stream and on every poll, and
/// has no index for it: after 6,000 writes each one took three times as long, and the file is kept for ever.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS latchkey_stream_records
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER), shard_id)";

/// Opens the file, made if it is missing.
pub(super) fn open(path: &str) -> Result<Database, DynoxideError> {
    let storage = Storage::new(path)?;
    storage.conn().execute_batch(STREAM_INDEX)?;
    drop(storage);
    Database::new(path)
}
